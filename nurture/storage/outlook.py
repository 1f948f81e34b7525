"""People as they are, with all that is planned for them: what a simulation of their future begins with. Only reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select

from nurture.domain.delivery import Delivery
from nurture.domain.needs import SnapshotNeeds
from nurture.domain.snapshot import Snapshot
from nurture.storage.bulk import Query
from nurture.storage.database import Database, Transaction
from nurture.storage.rows import delivery_of
from nurture.storage.snapshots import load_snapshots
from nurture.storage.tables import contacts, deliveries, due
from nurture.storage.types import BigId, among

_IDS = Query(
    select(contacts.c.id)
    .where(contacts.c.id > bindparam("after", type_=BigId))
    .order_by(contacts.c.id)
    .limit(bindparam("limit", type_=BigId))
)
_OPEN = (
    select(deliveries)
    .where(among(deliveries.c.contact_id), deliveries.c.settled_at.is_(None))
    .order_by(deliveries.c.contact_id, deliveries.c.seq)
)
_DUE = Query(select(due.c.contact_id, due.c.at).where(among(due.c.contact_id)))


@dataclass(frozen=True, slots=True)
class Outlook:
    """One person: what a turn would read, the mail that has not ended, and when she is due next."""

    snapshot: Snapshot
    open: tuple[Delivery, ...]
    due_at: datetime | None


def outlooks(database: Database, needs: SnapshotNeeds, now: datetime, batch: int = 500) -> Iterator[list[Outlook]]:
    """Everybody, in batches by id, each batch as it is at the moment it is read."""
    after = 0
    while True:
        with database.read() as tx:
            ids = [row[0] for row in _IDS(tx, after=after, limit=batch)]
            if not ids:
                return
            found = outlooks_of(tx, ids, needs, now)
        yield found
        after = ids[-1]


def outlook_of(tx: Transaction, needs: SnapshotNeeds, contact_id: int, now: datetime) -> Outlook:
    """One person's."""
    return outlooks_of(tx, [contact_id], needs, now)[0]


def outlooks_of(tx: Transaction, ids: Sequence[int], needs: SnapshotNeeds, now: datetime) -> list[Outlook]:
    """These people's, by id; ids that are nobody's are left out."""
    pending: defaultdict[int, list[Delivery]] = defaultdict(list)
    for row in tx.execute(_OPEN, {"ids": ids}).mappings():
        pending[row["contact_id"]].append(delivery_of(row))
    dues: dict[int, datetime] = {}
    for contact_id, at in _DUE(tx, ids=ids):
        dues[contact_id] = min(at, dues.get(contact_id, at))
    found = load_snapshots(tx, ids, needs, now)
    return [Outlook(each, tuple(pending[each.contact.id]), dues.get(each.contact.id)) for each in found]

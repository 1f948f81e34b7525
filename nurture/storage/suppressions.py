"""Addresses that are never written to, by keyed hash: the list works for people we no longer know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from nurture.domain.contact import SuppressionReason
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.storage.controls import stop_gates
from nurture.storage.database import Transaction
from nurture.storage.queue import wake
from nurture.storage.rows import fact_row
from nurture.storage.tables import contacts, ledger, suppressions
from nurture.storage.types import among

_s = suppressions.c


@dataclass(frozen=True, slots=True)
class Suppression:
    reason: SuppressionReason
    at: datetime
    source: str


def suppress(tx: Transaction, emails: Iterable[str], reason: SuppressionReason, now: datetime, source: str) -> int:
    """Never write to these addresses again; how many are new. An earlier reason stays. ValueError for no address."""
    keys = {tx.address_key(email) for email in emails}
    if not keys:
        return 0
    stop_gates(tx)
    known = set(
        tx.execute(select(_s.address_key).where(among(_s.address_key, text=True)), {"ids": sorted(keys)}).scalars()
    )
    new = sorted(keys - known)
    if new:
        rows = [{"address_key": key, "reason": reason.value, "at": now, "source": source} for key in new]
        tx.execute(insert(suppressions), rows)
        _touch(tx, new, FactKind.SUPPRESSED, now, reason.value, source)
    return len(new)


def unsuppress(tx: Transaction, email: str, now: datetime, source: str) -> bool:
    """Take an address off the list, by hand and on the operator's responsibility; False if it was not on it."""
    key = tx.address_key(email)
    gone = tx.execute(delete(suppressions).where(_s.address_key == key).returning(_s.reason)).scalar()
    if gone is not None:
        _touch(tx, [key], FactKind.UNSUPPRESSED, now, gone, source)
    return gone is not None


def suppression_of(tx: Transaction, email: str) -> Suppression | None:
    row = tx.execute(select(_s.reason, _s.at, _s.source).where(_s.address_key == tx.address_key(email))).first()
    return Suppression(SuppressionReason(row[0]), row[1], row[2]) if row is not None else None


def count_suppressions(tx: Transaction) -> dict[SuppressionReason, int]:
    rows = tx.execute(select(_s.reason, func.count()).group_by(_s.reason))
    return {SuppressionReason(reason): count for reason, count in rows}


def _touch(tx: Transaction, keys: list[str], kind: FactKind, now: datetime, suppression: str, source: str) -> None:
    """The people behind these addresses get a new version (their gates shut), a line in the ledger, and a turn."""
    touched = tx.execute(
        update(contacts)
        .where(among(contacts.c.address_key, text=True))
        .values(version=contacts.c.version + 1)
        .returning(contacts.c.id),
        {"ids": keys},
    )
    ids = sorted(touched.scalars())
    if ids:
        fact = Fact(now, kind, Reason.BY_HAND, detail={"suppression": suppression, "source": source})
        tx.execute(insert(ledger), [fact_row(id_, fact, 0) for id_ in ids])
        wake(tx, ids, now)

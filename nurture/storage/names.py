"""Other names of people: browsers' anonymous ids, and what those were called who were merged into somebody."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import and_, or_, select

from nurture.storage.bulk import Insert, Query
from nurture.storage.database import Transaction
from nurture.storage.tables import NameKind, names
from nurture.storage.types import among, sql

_n = names.c
Name = tuple[NameKind, str]


def called(tx: Transaction, wanted: Collection[Name]) -> dict[Name, int]:
    """Whose these names are; those of nobody are missing."""
    if not wanted:
        return {}
    lists = {f"{kind}_values": [value for each, value in wanted if each is kind] for kind in NameKind}
    return {(NameKind(kind), value): contact_id for kind, value, contact_id in _CALLED(tx, **lists)}


_CALLED = Query(
    select(_n.kind, _n.value, _n.contact_id).where(
        or_(*(and_(sql(f"kind = '{kind}'"), among(_n.value, f"{kind}_values", text=True)) for kind in NameKind))
    )
)


def remember(tx: Transaction, rows: Iterable[tuple[Name, int]]) -> None:
    """Give people other names; a name that is somebody's stays hers."""
    _INSERT(tx, [(kind.value, value, contact_id, 0) for (kind, value), contact_id in rows])


_INSERT = Insert(names, ("kind", "value", "contact_id", "shift"), conflict="DO NOTHING")


def now_called(tx: Transaction, contact_id: int, seq: int = 0) -> tuple[int, int]:
    """Who a contact id of old means now, and which number her mail or enrolment `seq` has: links in mails live long.

    The same two where nobody was merged.
    """
    row = tx.execute(
        select(_n.contact_id, _n.shift).where(_n.kind == NameKind.CONTACT.value, _n.value == str(contact_id))
    ).first()
    return (row[0], seq + row[1]) if row is not None else (contact_id, seq)

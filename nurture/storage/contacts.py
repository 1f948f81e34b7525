"""Contacts outside of turns: look one up, list, change, take everything out, erase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, insert, or_, select

from nurture.domain.contact import Contact, SuppressionReason
from nurture.storage.addresses import canonical
from nurture.storage.bulk import Query
from nurture.storage.controls import stop_gates
from nurture.storage.database import Transaction
from nurture.storage.identities import Identity, resolve
from nurture.storage.names import called
from nurture.storage.quarantine import release_about
from nurture.storage.queue import wake
from nurture.storage.rows import contact_of, select_contacts
from nurture.storage.tables import (
    NameKind,
    attempts,
    consents,
    contacts,
    deliveries,
    due,
    enrolments,
    events,
    kept_mails,
    ledger,
    names,
    outgoing,
    stage_changes,
    suppressions,
)
from nurture.storage.types import among

_c, _n = contacts.c, names.c
PERSONAL: tuple[Table, ...] = (
    names,
    events,
    stage_changes,
    consents,
    enrolments,
    deliveries,
    attempts,
    kept_mails,
    outgoing,
    ledger,
)


def get(tx: Transaction, contact_id: int) -> Contact | None:
    row = tx.execute(select_contacts().where(_c.id == contact_id)).first()
    return contact_of(row) if row is not None else None


def get_many(tx: Transaction, contact_ids: Sequence[int]) -> dict[int, Contact]:
    return {row[0]: contact_of(row) for row in _MANY(tx, ids=contact_ids)}


_MANY = Query(select_contacts().where(among(_c.id)))


def find(tx: Transaction, name: str) -> Contact | None:
    """By whatever somebody may type: our id, a mail address, or the id another system gave."""
    named: list[ColumnElement[bool]] = [_c.external_id == name]
    if "@" in name:
        try:
            named.append(_c.email_key == canonical(name))
        except ValueError:
            return None
    if name.isdecimal() and len(name) < 19:
        named.append(_c.id == int(name))
    rows = tx.execute(select_contacts().where(or_(*named)).order_by(_c.id).limit(2)).all()
    exact = [row for row in rows if str(row[0]) == name] or rows
    if not exact:
        return _find_by_other_name(tx, name)
    return contact_of(exact[0])


def find_named(tx: Transaction, *, email: str | None = None, external_id: str | None = None) -> Contact | None:
    """By the id another system gave, else by address; what she was called before a merger counts too."""
    if external_id is not None:
        row = tx.execute(select_contacts().where(_c.external_id == external_id)).first()
        if row is not None:
            return contact_of(row)
        other = called(tx, [(NameKind.EXTERNAL, external_id)])
        if other:
            return get(tx, *other.values())
    if email is None:
        return None
    key = canonical(email)
    row = tx.execute(select_contacts().where(_c.email_key == key)).first()
    if row is not None:
        return contact_of(row)
    other = called(tx, [(NameKind.EMAIL, key)])
    return get(tx, *other.values()) if other else None


def _find_by_other_name(tx: Transaction, name: str) -> Contact | None:
    key = canonical(name) if "@" in name else name
    found = called(tx, [(kind, key if kind is NameKind.EMAIL else name) for kind in NameKind])
    return get(tx, min(found.values())) if found else None


def search(
    tx: Transaction,
    text: str | None = None,
    *,
    where: ColumnElement[bool] | None = None,
    stage: str | None = None,
    after: int = 0,
    limit: int = 50,
) -> list[Contact]:
    """Contacts by id, from behind `after`, whose address or foreign id begins with `text`, in `stage`, and `where`."""
    query = select_contacts().where(_c.id > after).order_by(_c.id).limit(limit)
    if text:
        start = text.casefold()
        query = query.where(
            or_(_c.email_key.startswith(start, autoescape=True), _c.external_id.startswith(text, autoescape=True))
        )
    if stage is not None:
        query = query.where(_c.stage == stage)
    if where is not None:
        query = query.where(where)
    return [contact_of(row) for row in tx.execute(query)]


def count(tx: Transaction, where: ColumnElement[bool] | None = None) -> int:
    query = select(func.count()).select_from(contacts)
    return int(tx.execute(query if where is None else query.where(where)).scalar_one())


def upsert(tx: Transaction, identities: Sequence[Identity], now: datetime) -> list[int | None]:
    """Find, create and change contacts by hand; their ids. Those that changed have a turn."""
    resolved = resolve(tx, identities, now)
    wake(tx, resolved.changed(), now)
    return resolved.ids()


def export(tx: Transaction, contact_id: int) -> dict[str, Any] | None:
    """Everything that is stored about one person, as plain data, table by table; None if there is nobody."""
    row = tx.execute(select(contacts).where(_c.id == contact_id)).mappings().first()
    if row is None:
        return None
    everything: dict[str, Any] = {"contact": dict(row)}
    for table in PERSONAL:
        query = select(table).where(table.c.contact_id == contact_id).order_by(*table.primary_key.columns)
        everything[table.name] = [dict(found) for found in tx.execute(query).mappings()]
    key = row["address_key"]
    query = select(suppressions).where(suppressions.c.address_key == key)
    everything["suppression"] = [dict(found) for found in tx.execute(query).mappings()]
    return everything


def erase(tx: Transaction, contact_id: int, now: datetime) -> bool:
    """Forget one person wholly; False if there is nobody. The keyed hash of her address stays, as a suppression."""
    stop_gates(tx)
    found = tx.execute(select(_c.address_key, _c.email_key, _c.external_id).where(_c.id == contact_id)).first()
    if found is None:
        return False
    others = [tuple(row) for row in tx.execute(select(_n.kind, _n.value).where(_n.contact_id == contact_id))]
    keys = {tx.address_key(value) for kind, value in others if kind == NameKind.EMAIL} | {found[0]} - {None}
    tx.execute(delete(due).where(due.c.contact_id == contact_id))
    tx.execute(delete(contacts).where(_c.id == contact_id))
    release_about(tx, [name for name in (found[1], found[2], *(value for _, value in others)) if name])
    if keys:
        tx.execute(delete(suppressions).where(suppressions.c.address_key.in_(keys)))
        row = {"reason": SuppressionReason.ERASED.value, "at": now, "source": "erasure"}
        tx.execute(insert(suppressions), [{"address_key": key, **row} for key in sorted(keys)])
    return True


def ids(tx: Transaction, *, batch: int = 1000, after: int = 0) -> Iterator[list[int]]:
    """All ids behind `after` in ascending order, batch by batch, each batch a query of its own."""
    last = after
    while found := list(tx.execute(select(_c.id).where(_c.id > last).order_by(_c.id).limit(batch)).scalars()):
        yield found
        last = found[-1]

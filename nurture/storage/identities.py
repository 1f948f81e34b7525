"""Who is meant: from addresses, foreign ids and our own ids to contacts, in bulk, creating those nobody knew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from nurture.domain.contact import Consent
from nurture.storage.addresses import address_hash, canonical, domain_of
from nurture.storage.bulk import Insert, Query
from nurture.storage.database import Transaction
from nurture.storage.tables import contacts
from nurture.storage.types import among

_c = contacts.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How somebody is named, and what is said about her. Strongest first: `contact_id`, `external_id`, `email`.

    `attributes` are merged into hers (None removes one); given at all, even empty, they also allow her address to
    change. None leaves everything she has already as it is.
    """

    email: str | None = None
    external_id: str | None = None
    contact_id: int | None = None
    attributes: Mapping[str, Any] | None = None
    zone: str | None = None
    locale: str | None = None


@dataclass(slots=True)
class Person:
    """A contact as far as resolving needs her; `id` is 0 until she is in the database."""

    id: int
    email: str | None
    email_key: str | None
    external_id: str | None
    attributes: dict[str, Any]
    zone: str | None
    locale: str | None
    changed: bool = False


@dataclass(slots=True)
class Resolved:
    """Per identity its contact, None where nobody can be meant.

    `newcomers` and `clashes` are places: the first to name somebody new; two contacts were named as one.
    """

    people: list[Person | None] = field(default_factory=list)
    newcomers: list[int] = field(default_factory=list)
    clashes: list[int] = field(default_factory=list)

    def ids(self) -> list[int | None]:
        return [person.id if person is not None else None for person in self.people]

    def changed(self) -> set[int]:
        return {person.id for person in self.people if person is not None and person.changed}


class _Known:
    """The people found so far, by each of their names; `new` counts those nobody knew."""

    def __init__(self) -> None:
        self.new = 0
        self.by_id: dict[int, Person] = {}
        self.by_email: dict[str, Person] = {}
        self.by_external: dict[str, Person] = {}

    def add(self, person: Person) -> None:
        if person.id:
            self.by_id[person.id] = person
        if person.email_key:
            self.by_email[person.email_key] = person
        if person.external_id:
            self.by_external[person.external_id] = person

    def people(self) -> list[Person]:
        """Each once, those who are in the database first, in the order of ids (which is the order of locks)."""
        every = {id(p): p for names in (self.by_id, self.by_email, self.by_external) for p in names.values()}
        return sorted(every.values(), key=lambda person: (person.id == 0, person.id, person.email_key or ""))


def resolve(tx: Transaction, identities: Sequence[Identity], now: datetime) -> Resolved:
    """Find or create the contact of each identity, and write what is said about them.

    Changed contacts get a new version; waking them is the caller's business. An unreadable address names nobody.
    """
    keys = [_key(identity.email) for identity in identities]
    known = _find(tx, identities, keys)
    resolved = Resolved()
    for place, (identity, key) in enumerate(zip(identities, keys, strict=True)):
        before = known.new
        person, clash = _pick(known, identity, key)
        if clash:
            resolved.clashes.append(place)
        if known.new > before:
            resolved.newcomers.append(place)
        if person is not None:
            _tell(known, person, identity, key)
        resolved.people.append(person)
    new = [person for person in known.people() if person.id == 0]
    changed = [person for person in known.people() if person.changed and person.id]
    if new:
        changed += _create(tx, new, now)
    _update(tx, changed)
    return resolved


def _key(email: str | None) -> str | None:
    try:
        return canonical(email) if email else None
    except ValueError:
        return None


def _find(tx: Transaction, identities: Sequence[Identity], keys: Sequence[str | None]) -> _Known:
    """Everybody named. Locked on PostgreSQL, in the order of ids: what is written next is merged from what is read."""
    names: tuple[tuple[Query, list[Any]], ...] = (
        (_BY_ID, [i.contact_id for i in identities if i.contact_id]),
        (_BY_EMAIL, [key for key in keys if key]),
        (_BY_EXTERNAL, [i.external_id for i in identities if i.external_id]),
    )
    ids: set[int] = set()
    for query, values in names:
        if values:
            ids.update(row[0] for row in query(tx, ids=sorted(set(values))))
    known = _Known()
    if ids:
        told = tx.dialect == "postgresql" and any(i.attributes is not None or i.zone or i.locale for i in identities)
        for id_, email, key, external, attributes, zone, locale in (_LOCK if told else _PEOPLE)(tx, ids=sorted(ids)):
            known.add(Person(id_, email, key, external, dict(attributes), zone, locale))
    return known


_BY_ID, _BY_EMAIL, _BY_EXTERNAL = (
    Query(select(_c.id).where(among(column, text=column is not _c.id)))
    for column in (_c.id, _c.email_key, _c.external_id)
)
_people = (
    select(_c.id, _c.email, _c.email_key, _c.external_id, _c.attributes, _c.zone, _c.locale)
    .where(among(_c.id))
    .order_by(_c.id)
)
_PEOPLE, _LOCK = Query(_people), Query(_people.with_for_update(key_share=True))


def _pick(known: _Known, identity: Identity, key: str | None) -> tuple[Person | None, bool]:
    """The person meant, and whether the names belong to two."""
    if identity.contact_id is not None:
        return known.by_id.get(identity.contact_id), False
    by_external = known.by_external.get(identity.external_id or "")
    by_email = known.by_email.get(key or "")
    if by_external is not None:
        return by_external, by_email is not None and by_email is not by_external
    if by_email is not None:
        clash = bool(identity.external_id and by_email.external_id)
        return by_email, clash
    if key is None and identity.external_id is None:
        return None, False
    person = Person(0, (identity.email or "").strip() if key else None, key, identity.external_id, {}, None, None)
    known.new += 1
    known.add(person)
    return person, False


def _tell(known: _Known, person: Person, identity: Identity, key: str | None) -> None:
    """Merge what is said about her."""
    before = (person.email, person.external_id, person.zone, person.locale, dict(person.attributes))
    free = key is not None and (known.by_email.get(key) in (None, person))
    if free and (person.email is None or identity.attributes is not None):
        if person.email_key and person.email_key != key:
            del known.by_email[person.email_key]
        person.email, person.email_key = (identity.email or "").strip(), key
    if person.external_id is None and identity.external_id not in known.by_external:
        person.external_id = identity.external_id
    person.zone = identity.zone or person.zone
    person.locale = identity.locale or person.locale
    for name, value in (identity.attributes or {}).items():
        if value is None:
            person.attributes.pop(name, None)
        else:
            person.attributes[name] = value
    known.add(person)
    if before != (person.email, person.external_id, person.zone, person.locale, person.attributes):
        person.changed = True


_COLUMNS = ("email", "email_key", "address_key", "domain", "external_id", "attributes", "zone", "locale")


def columns_of(tx: Transaction, person: Person) -> dict[str, Any]:
    """The columns that follow from who she is, in the order of `_COLUMNS`."""
    key = person.email_key
    return {
        "email": person.email,
        "email_key": key,
        "address_key": address_hash(tx.database.address_secret, key) if key else None,
        "domain": domain_of(key) if key else None,
        "external_id": person.external_id,
        "attributes": person.attributes,
        "zone": person.zone,
        "locale": person.locale,
    }


def _create(tx: Transaction, new: Sequence[Person], now: datetime) -> list[Person]:
    """In the order of addresses, so that two writers do not wait for one another.

    Returns those whom another writer created first, with what was said about them merged in: still to be written.
    """
    _INSERT(tx, [(*columns_of(tx, person).values(), now, *_AT_FIRST.values()) for person in new])
    named = {"ids": [p.email_key for p in new if p.email_key], "others": [p.external_id for p in new if p.external_id]}
    by_email, by_external = {}, {}
    for row in _CREATED(tx, **named):
        by_email[row[1]] = by_external[row[2]] = row
    merged = []
    for person in new:
        row = by_email[person.email_key] if person.email_key else by_external[person.external_id]
        person.id, person.changed = row[0], True
        if row[3] != person.attributes:
            person.attributes = {**row[3], **person.attributes}
            person.external_id = row[2]
            merged.append(person)
    return merged


_AT_FIRST: dict[str, Any] = {
    "consent": Consent.NONE.value, "opted_out": [], "memberships": {}, "enrols": True, "next_seq": 1, "version": 0,
}  # fmt: skip
_INSERT = Insert(contacts, (*_COLUMNS, "created_at", *_AT_FIRST), conflict="DO NOTHING")
_CREATED = Query(
    select(_c.id, _c.email_key, _c.external_id, _c.attributes).where(
        or_(among(_c.email_key, text=True), among(_c.external_id, "others", text=True))
    )
)
_UPDATE = (
    update(contacts)
    .where(_c.id == bindparam("contact"))
    .values(
        {
            **{name: bindparam(name) for name in _COLUMNS},
            "version": _c.version + 1,
        }
    )
)  # fmt: skip


def _update(tx: Transaction, changed: Sequence[Person]) -> None:
    if changed:
        tx.execute(_UPDATE, [{"contact": person.id, **columns_of(tx, person)} for person in changed])

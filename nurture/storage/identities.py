"""Who is meant: from addresses, foreign ids and our own ids to contacts, in bulk, creating those nobody knew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, or_, select, update

from nurture.domain.contact import Consent
from nurture.domain.frozen import frozen
from nurture.storage.addresses import address_hash, canonical, domain_of
from nurture.storage.bulk import Insert, Query
from nurture.storage.database import Transaction
from nurture.storage.faults import DatabaseFault, Fault
from nurture.storage.known_people import Known, Person
from nurture.storage.merging import merge
from nurture.storage.names import Name, called, remember
from nurture.storage.tables import NameKind, contacts
from nurture.storage.types import among

_c = contacts.c


@frozen
class Identity:
    """How somebody is named, and what is said about her.

    Strongest first: `contact_id`, `external_id`, `email`, `anonymous_id`, a browser's name for somebody it does not
    know. Named together, names belong to one person from then on: an anonymous contact becomes the known one.
    `previous_id` says outright that who was called so is the one called `external_id`.
    `attributes` are merged into hers (None removes one); given at all, even empty, they also allow her address to
    change. None leaves everything she has already as it is. A `guest` says it on a public page: it cannot change the
    address of a known person, nor make two known people one.
    """

    _: KW_ONLY
    email: str | None = None
    external_id: str | None = None
    contact_id: int | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    guest: bool = False
    attributes: Mapping[str, Any] | None = None
    zone: str | None = None
    locale: str | None = None


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


def resolve(tx: Transaction, identities: Sequence[Identity], now: datetime) -> Resolved:
    """Find or create the contact of each identity, and write what is said about them.

    Changed contacts get a new version; waking them is the caller's business. An unreadable address names nobody.
    Raises DatabaseFault (BUSY) if two are to become one while a mail to one of them is on the wire.
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
    if known.mergers or known.new_names:
        resolved.people = [_remaining(person) for person in resolved.people]
    for gone, kept in known.mergers:
        merge(tx, gone.id, kept.id, now)
    new = [person for person in known.people() if person.id == 0]
    changed = [person for person in known.people() if person.changed and person.id]
    if new:
        changed += _create(tx, known, new, now)
    _update(tx, changed)
    remember(tx, [(name, person.id) for name, person in known.new_names.items()])
    return resolved


def _remaining(person: Person | None) -> Person | None:
    while person is not None and person.became is not None:
        person = person.became
    return person


def _key(email: str | None) -> str | None:
    try:
        return canonical(email) if email else None
    except ValueError:
        return None


def _find(tx: Transaction, identities: Sequence[Identity], keys: Sequence[str | None]) -> Known:
    """Everybody named. Locked on PostgreSQL, in the order of ids: what is written next is merged from what is read."""
    by_id = {i.contact_id for i in identities if i.contact_id}
    emails = {key for key in keys if key}
    externals = {value for i in identities for value in (i.external_id, i.previous_id) if value}
    ids: set[int] = set()
    others: set[Name] = {
        (NameKind.ANONYMOUS, value) for i in identities for value in (i.anonymous_id, i.previous_id) if value
    }
    for query, kind, values in (
        (_BY_ID, NameKind.CONTACT, {str(each) for each in by_id}),
        (_BY_EMAIL, NameKind.EMAIL, emails),
        (_BY_EXTERNAL, NameKind.EXTERNAL, externals),
    ):
        if values:
            rows = query(tx, ids=sorted(by_id if kind is NameKind.CONTACT else values))
            ids.update(row[0] for row in rows)
            others.update((kind, value) for value in values - {str(row[1]) for row in rows})
    named = called(tx, others)
    ids.update(named.values())
    known = Known()
    if ids:
        told = tx.dialect == "postgresql" and any(
            i.attributes is not None or i.zone or i.locale or i.anonymous_id or i.previous_id for i in identities
        )
        for id_, email, key, external, attributes, zone, locale in (_LOCK if told else _PEOPLE)(tx, ids=sorted(ids)):
            known.add(Person(id_, email, key, external, dict(attributes), zone, locale))
    for name, id_ in named.items():
        if id_ in known.by_id:
            known.by_name[name] = known.by_id[id_]
    return known


_BY_ID, _BY_EMAIL, _BY_EXTERNAL = (
    Query(select(_c.id, column.label("value")).where(among(column, text=column is not _c.id)))
    for column in (_c.id, _c.email_key, _c.external_id)
)
_people = (
    select(_c.id, _c.email, _c.email_key, _c.external_id, _c.attributes, _c.zone, _c.locale)
    .where(among(_c.id))
    .order_by(_c.id)
)
_PEOPLE, _LOCK = Query(_people), Query(_people.with_for_update(key_share=True))


def _pick(known: Known, identity: Identity, key: str | None) -> tuple[Person | None, bool]:
    """The person meant, and whether the names belong to two."""
    if identity.contact_id is not None:
        named = known.by_name.get((NameKind.CONTACT, str(identity.contact_id)))
        return known.by_id.get(identity.contact_id) or named, False
    person, clash = _by_proper_names(known, identity, key)
    person = _after_alias(known, identity, person)
    browser = known.browser(identity.anonymous_id)
    if person is None and browser is not None and _may_be(browser, identity, key):
        person = browser
    if person is None:
        if key is None and identity.external_id is None and identity.anonymous_id is None:
            return None, False
        email = (identity.email or "").strip() if key else None
        person = Person(0, email, key, identity.external_id, {}, None, None)
        known.new += 1
        known.add(person)
    if identity.anonymous_id is not None:
        if browser is None:
            known.name(NameKind.ANONYMOUS, identity.anonymous_id, person)
        elif browser is not person and browser.is_anonymous:
            person = known.merge(browser, person)
    return person, clash


def _by_proper_names(known: Known, identity: Identity, key: str | None) -> tuple[Person | None, bool]:
    by_external, by_email = known.external(identity.external_id), known.email(key)
    if by_external is None:
        return by_email, by_email is not None and bool(identity.external_id and by_email.external_id)
    if by_email is None or by_email is by_external:
        return by_external, False
    told = identity.attributes is not None and not identity.guest
    if told and by_external.email_key is None and by_email.external_id is None:
        return known.merge(by_email, by_external), False  # an address without an id, an id without an address
    return by_external, True


def _after_alias(known: Known, identity: Identity, person: Person | None) -> Person | None:
    """Who was called `previous_id` is the one called `external_id`."""
    if identity.previous_id is None or identity.external_id is None:
        return person
    before = known.external(identity.previous_id) or known.browser(identity.previous_id)
    if before is not None and identity.guest and not before.is_anonymous:
        return person
    if before is None and person is not None:
        known.name(NameKind.ANONYMOUS, identity.previous_id, person)
    elif before is not None and person is None:
        if before.external_id is not None:
            known.name(NameKind.EXTERNAL, identity.external_id, before)
        return before
    elif before is not None and person is not None and before is not person:
        return known.merge(before, person)
    return person


def _may_be(browser: Person, identity: Identity, key: str | None) -> bool:
    """Whether somebody whom a browser is known by may be the one with these names, whom nobody knows."""
    if browser.is_anonymous or (key is None and identity.external_id is None):
        return True
    fits = (identity.external_id is None or browser.external_id is None) and (key is None or browser.email_key is None)
    return fits and not identity.guest


def _tell(known: Known, person: Person, identity: Identity, key: str | None) -> None:
    """Merge what is said about her."""
    before = (person.email, person.external_id, person.zone, person.locale, dict(person.attributes))
    free = key is not None and known.email(key) in (None, person)
    may_change = identity.attributes is not None and not identity.guest
    if free and (person.email is None or may_change):
        if person.email_key and person.email_key != key:
            del known.by_email[person.email_key]
        person.email, person.email_key = (identity.email or "").strip(), key
    if person.external_id is None and identity.external_id and known.external(identity.external_id) is None:
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


def _create(tx: Transaction, known: Known, new: Sequence[Person], now: datetime) -> list[Person]:
    """In the order of addresses, so that two writers do not wait for one another.

    Returns those whom another writer created first, with what was said about them merged in: still to be written.
    """
    anonymous = [person for person in new if person.is_anonymous]
    if anonymous:
        _create_anonymous(tx, known, anonymous, now)
        new = [person for person in new if not person.is_anonymous]
        if not new:
            return []
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


def _create_anonymous(tx: Transaction, known: Known, people: Sequence[Person], now: datetime) -> None:
    """Known by their browsers alone. Raises DatabaseFault (to be tried again) if another writer was first."""
    first: dict[int, Name] = {}
    for name, person in known.new_names.items():
        first.setdefault(id(person), name)
    for person in sorted(people, key=lambda person: first[id(person)]):
        row = {**columns_of(tx, person), "created_at": now, **_AT_FIRST}
        person.id = int(tx.execute(insert(contacts).returning(_c.id), row).scalar_one())
        person.changed = True
    names = {first[id(person)]: person.id for person in people}
    remember(tx, names.items())
    if called(tx, names.keys()) != names:
        raise DatabaseFault(Fault.SERIALIZATION, "Somebody else has made the same contact. Try again.")


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

"""What the recipient's own pages ask about her: whose a link is, and what she said there last."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from nurture.domain.contact import Consent, Contact
from nurture.storage import contacts as people
from nurture.storage.database import Transaction
from nurture.storage.names import now_called
from nurture.storage.tables import consents, deliveries, enrolments, events

_d, _e, _c, _n = deliveries.c, events.c, consents.c, enrolments.c


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a mail went to. `campaign` None: the mail is not stored (any more)."""

    contact: Contact
    seq: int
    campaign: str | None


@dataclass(frozen=True, slots=True)
class Word:
    """A "no" of hers: when, and to which topic."""

    at: datetime
    topic: str | None


@dataclass(frozen=True, slots=True)
class Begun:
    """What a mail's enrolment began with, and when."""

    campaign: str
    start: Mapping[str, Any]
    at: datetime


def addressee(tx: Transaction, contact_id: int, seq: int) -> Addressee | None:
    """Whose the mail with these numbers is now; None if she was erased."""
    contact_id, seq = now_called(tx, contact_id, seq)
    contact = people.get(tx, contact_id)
    if contact is None:
        return None
    query = select(_d.campaign).where(_d.contact_id == contact_id, _d.seq == seq)
    return Addressee(contact, seq, tx.execute(query).scalar())


def begun_with(tx: Transaction, contact_id: int, seq: int) -> Begun | None:
    """The enrolment that her mail `seq` belongs to; None if it is not stored (any more)."""
    query = (
        select(_n.campaign, _n.start, _n.started_at)
        .join(deliveries, (_d.contact_id == _n.contact_id) & (_d.enrolment == _n.seq))
        .where(_d.contact_id == contact_id, _d.seq == seq)
    )
    row = tx.execute(query).first()
    return Begun(*row) if row is not None else None


def times_told(tx: Transaction, contact_id: int, name: str, source: str) -> list[datetime]:
    """When her events of this name came from `source`."""
    query = select(_e.at).where(_e.contact_id == contact_id, _e.name == name, _e.source == source)
    return list(tx.execute(query).scalars())


def told_by(tx: Transaction, contact_id: int, name: str, source: str) -> list[tuple[datetime, Mapping[str, Any]]]:
    """When her events of this name came from `source`, and with what; oldest first."""
    query = (
        select(_e.at, _e.properties)
        .where(_e.contact_id == contact_id, _e.name == name, _e.source == source)
        .order_by(_e.at, _e.id)
    )
    return [(at, properties) for at, properties in tx.execute(query)]


def last_word(tx: Transaction, contact_id: int, names: Collection[str], source: str) -> Word | None:
    """Her newest event of these names that came from `source`."""
    query = (
        select(_e.at, _e.properties)
        .where(_e.contact_id == contact_id, _e.name.in_(sorted(names)), _e.source == source)
        .order_by(_e.at.desc(), _e.id.desc())
        .limit(1)
    )
    row = tx.execute(query).first()
    return Word(row[0], row[1].get("topic")) if row is not None else None


def consented_before(tx: Transaction, contact: Contact, at: datetime) -> bool:
    """Whether marketing mail had her consent right before `at`."""
    query = (
        select(_c.granted)
        .where(_c.contact_id == contact.id, _c.topic.is_(None), _c.at < at)
        .order_by(_c.at.desc(), _c.id.desc())
        .limit(1)
    )
    granted = tx.execute(query).scalar()
    return contact.consent is Consent.GRANTED if granted is None else bool(granted)

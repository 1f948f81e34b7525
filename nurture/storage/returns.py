"""What the ledger knows about a mail that came back, and about those that came back before it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from nurture.domain.contact import Contact
from nurture.domain.delivery import DeliveryState
from nurture.domain.suppression import Strike, Suppression
from nurture.storage import contacts as people
from nurture.storage.database import Transaction
from nurture.storage.names import now_called
from nurture.storage.tables import contacts, deliveries, events

_d, _e = deliveries.c, events.c
RELAYS_GIVE_UP = timedelta(days=5)  # a mail that did not come back by then has arrived (RFC 5321 section 4.5.4.1)


@dataclass(frozen=True, slots=True)
class Returned:
    """Whose mail came back. `campaign`, `step` None: it is not stored any more, or nobody knows which it was."""

    contact: Contact
    seq: int
    campaign: str | None = None
    step: str | None = None
    domain: str | None = None
    settled_at: datetime | None = None


def returned_mail(tx: Transaction, contact_id: int, seq: int) -> Returned | None:
    """The mail with these numbers, whoever it belongs to now; None if the person was erased."""
    contact_id, seq = now_called(tx, contact_id, seq)
    contact = people.get(tx, contact_id)
    if contact is None:
        return None
    row = tx.execute(
        select(_d.campaign, _d.step, _d.domain, _d.settled_at).where(_d.contact_id == contact_id, _d.seq == seq)
    ).first()
    return Returned(contact, seq, *row) if row is not None else Returned(contact, seq)


def person_at(tx: Transaction, email: str) -> Returned | None:
    """Whose address this is now; nobody is made. `seq` is 0. Raises ValueError for what is no address."""
    query = select(contacts.c.id).where(contacts.c.address_key == tx.address_key(email)).limit(1)
    contact_id = tx.execute(query).scalar()
    contact = people.get(tx, contact_id) if contact_id is not None else None
    return Returned(contact, 0, domain=email.rpartition("@")[2].lower()) if contact is not None else None


def strikes_of(tx: Transaction, contact_id: int, name: str) -> Sequence[tuple[Strike, int]]:
    """Her mails that came back softly, by the events of this name: (strike, number of the mail)."""
    rows = tx.execute(select(_e.at, _e.properties).where(_e.contact_id == contact_id, _e.name == name).order_by(_e.at))
    return [
        (Strike(at, Suppression(told["weight"])), int(told.get("delivery") or 0))
        for at, told in rows
        if told.get("weight") in {Suppression.SECOND_STRIKE, Suppression.SOFT_POINT}
    ]


def last_arrived(tx: Transaction, contact_id: int, came_back: Collection[int], now: datetime) -> datetime | None:
    """When she was last sent a mail that did not come back, and would have by now."""
    query = select(func.max(_d.settled_at)).where(
        _d.contact_id == contact_id,
        _d.state == DeliveryState.SENT.value,
        _d.settled_at <= now - RELAYS_GIVE_UP,
        _d.seq.not_in(sorted(came_back)),
    )
    found: datetime | None = tx.execute(query).scalar()
    return found


def count_told(tx: Transaction, names: Collection[str], since: datetime) -> dict[tuple[str, str], int]:
    """(event, source) -> how many came since."""
    rows = tx.execute(
        select(_e.name, _e.source, func.count())
        .where(_e.name.in_(sorted(names)), _e.received_at >= since)
        .group_by(_e.name, _e.source)
    )
    return {(name, source): count for name, source, count in rows}

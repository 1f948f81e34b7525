"""Signing up in two steps: somebody gives an address, and whoever reads its mail says yes.

Until then nothing is known but that somebody asked: no consent, and no attribute of the person is touched. What was
asked travels through the campaign that mails the link; the yes becomes an event, which is the proof: when and from
where it was asked for and given, in which words, by which form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nurture.domain.contact import Contact, SuppressionReason
from nurture.domain.decide import ENROL
from nurture.domain.event import plain
from nurture.domain.forms import Form
from nurture.domain.programme import Programme
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.engine.recipient import Bearer
from nurture.storage.contacts import find_named
from nurture.storage.database import Database, Transaction
from nurture.storage.recipients import begun_with, times_told
from nurture.storage.suppressions import suppression_of

SOURCE = "form"
VALID = timedelta(days=7)
APART = timedelta(days=1)  # between two mails that ask the same address
LOOKS_BACK, MOST = timedelta(days=30), 3  # and no more than so many in so long


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody filled in. `where` is the address of the network it came from, `page` where the form stood."""

    email: str
    topics: tuple[str, ...]
    fields: Mapping[str, str]
    language: str
    where: str
    page: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A sign-up that waits for its yes. `number` is the mail's; `open` is False once it is too old."""

    form: Form
    contact: Contact
    number: int
    asked: Mapping[str, Any]
    topics: tuple[str, ...]
    open: bool


def ask(database: Database, form: Form, asked: Asked, now: datetime) -> bool:
    """Have the address asked by mail; False where it is not to be, of which the visitor must not learn.

    It is not where mail came back or was complained of, where somebody was erased or suppressed by hand, and where it
    was asked within a day, or three times within thirty. Raises ValueError for what is no address.
    """
    with database.read() as tx:
        number = _next(tx, asked.email, now)
        contact = find_named(tx, email=asked.email)
        key = tx.address_key(asked.email)
    if number is None:
        return False
    told = {
        "form": form.name,
        "topics": list(asked.topics),
        "fields": {name: text for name, text in asked.fields.items() if text},
        "language": asked.language,
        "wording": form.texts[asked.language].wording,
        "requested_at": now.isoformat(),
        "requested_from": asked.where,
        "page": asked.page,
    }
    request = IncomingEvent(
        name=ENROL,
        email=asked.email,
        properties={"campaign": form.campaign, "key": f"{now:%Y-%m-%d} {number}", "with": told},
        locale=asked.language if contact is None else None,
        message_id=f"{SOURCE}-{key}-{number}",  # two at once are one
        source=SOURCE,
    )
    return ingest(database, [request], now, trusted=True).stored > 0


def _next(tx: Transaction, email: str, now: datetime) -> int | None:
    """The number of the next request of this address; None where there may be none now."""
    suppression = suppression_of(tx, email)
    if suppression is not None and suppression.reason is not SuppressionReason.UNSUBSCRIBED:
        return None
    contact = find_named(tx, email=email)
    before = times_told(tx, contact.id, ENROL, SOURCE) if contact is not None else []
    if any(at > now - APART for at in before) or sum(at > now - LOOKS_BACK for at in before) >= MOST:
        return None
    return len(before)


def request_of(database: Database, programme: Programme, bearer: Bearer, now: datetime) -> Request | None:
    """What the link in a confirmation mail is about; None where it is about nothing (any more)."""
    if bearer.addressee is None:
        return None
    contact, number = bearer.addressee.contact, bearer.addressee.seq
    with database.read() as tx:
        begun = begun_with(tx, contact.id, number)
    form = programme.forms.get(str(begun.start.get("form"))) if begun is not None else None
    if begun is None or form is None or form.campaign != begun.campaign:
        return None
    topics = tuple(topic for topic in form.topics if topic in begun.start.get("topics", ()))
    is_open = now <= begun.at + VALID and bool(topics or not form.topics)
    return Request(form, contact, number, begun.start, topics, is_open)


def confirm(database: Database, request: Request, where: str, now: datetime) -> None:
    """Her yes. Said twice it is one."""
    asked = request.asked
    proof = {name: asked[name] for name in ("form", "language", "wording", "requested_at", "requested_from", "page")}
    proof |= {"confirmed_at": now.isoformat(), "confirmed_from": where}
    if request.topics:
        proof["topics"] = list(request.topics)
    yes = IncomingEvent(
        name=request.form.event,
        contact_id=request.contact.id,
        properties=proof,
        traits=plain(asked.get("fields") or {}) or None,
        locale=str(asked["language"]) if request.contact.locale is None else None,
        message_id=f"{SOURCE}-yes-{request.contact.id}-{request.number}",
        source=SOURCE,
    )
    ingest(database, [yes], now, trusted=True)

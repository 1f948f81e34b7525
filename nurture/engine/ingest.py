"""The front door: events from outside become rows, once each, and their contacts are due at once.

A return means durable: the events and everything they will lead to survive a crash. Telling them again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any

from nurture.domain.event import NOTHING
from nurture.domain.frozen import frozen
from nurture.storage.database import Database
from nurture.storage.events import Arrival, store_events
from nurture.storage.faults import DatabaseFault, Fault
from nurture.storage.identities import Identity
from nurture.storage.types import JsonText, dump_json

RESERVED = "nurture."
BATCH = 1000


@frozen
class IncomingEvent:
    """Something told to us about somebody. `name` None only says who she is. `message_id` makes repeats harmless.

    `anonymous_id`, `previous_id` and `guest` are those of `nurture.storage.identities.Identity`.

    Without a `message_id` the whole content is the identity, so the same line sent twice counts once. `traits` are
    merged into her attributes.
    """

    _: KW_ONLY
    name: str | None = None
    at: datetime | None = None
    properties: Mapping[str, Any] = field(default=NOTHING)
    email: str | None = None
    external_id: str | None = None
    contact_id: int | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    guest: bool = False
    message_id: str | None = None
    traits: Mapping[str, Any] | None = None
    zone: str | None = None
    locale: str | None = None
    source: str = "cli"


@dataclass(slots=True)
class Ingested:
    """`rejected`: (place in the input, why)."""

    stored: int = 0
    duplicates: int = 0
    created: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)


Request = tuple[Sequence[IncomingEvent], bool]  # what one caller tells, and whether she is trusted


def ingest(database: Database, incoming: Sequence[IncomingEvent], now: datetime, *, trusted: bool = False) -> Ingested:
    """Store events durably, in batches. `trusted` callers may send our own reserved events."""
    return ingest_together(database, [(incoming, trusted)], now)[0]


def ingest_together(database: Database, requests: Sequence[Request], now: datetime) -> list[Ingested]:
    """The same for several callers, who share transactions; to each of them what became of hers."""
    results = [Ingested() for _ in requests]
    entries: list[_Entry] = []
    for (incoming, trusted), result in zip(requests, results, strict=True):
        for place, event in enumerate(incoming):
            checked = _checked(event, now, trusted)
            if isinstance(checked, str):
                result.rejected.append((place, checked))
            else:
                entries.append(_Entry(checked, place, result))
    for first in range(0, len(entries), BATCH):
        _store(database, entries[first : first + BATCH], now)
    for result in results:
        result.rejected.sort()
    return results


@frozen
class _Entry:
    """An event on its way in: its place in the request, and where its caller reads what became of it."""

    arrival: Arrival
    place: int
    result: Ingested


def _store(database: Database, entries: Sequence[_Entry], now: datetime) -> None:
    """All in one transaction. One that the database will not have is found by halving, and refused alone."""
    arrivals = [entry.arrival for entry in entries]
    try:
        stored = database.transact(lambda tx: store_events(tx, arrivals, now))
    except Exception as error:
        if not _is_about_an_event(error):
            raise
        if len(entries) == 1:
            entries[0].result.rejected.append((entries[0].place, "the database cannot hold what it says"))
            return
        middle = len(entries) // 2
        _store(database, entries[:middle], now)
        _store(database, entries[middle:], now)
        return
    for place in stored.newcomers:
        entries[place].result.created += 1
    for place in stored.duplicates:
        entries[place].result.duplicates += 1
    told_before = set(stored.duplicates)
    for place, (entry, contact) in enumerate(zip(entries, stored.contacts, strict=True)):
        if place in told_before:
            continue
        if contact is None:
            entry.result.rejected.append((entry.place, "names nobody: an e-mail address or a user id is needed"))
        elif entry.arrival.name is not None:
            entry.result.stored += 1


def _is_about_an_event(error: Exception) -> bool:
    """Whether the database takes others; one that is busy, full or broken takes none of them, and all are told so."""
    if isinstance(error, DatabaseFault):
        return error.fault in {Fault.DUPLICATE, Fault.INVALID}
    return isinstance(error, TypeError | ValueError | OverflowError)


def _checked(event: IncomingEvent, now: datetime, trusted: bool) -> Arrival | str:
    """Ready to be stored, or why it cannot be."""
    refusal = _refusal(event, trusted)
    if refusal is not None:
        return refusal
    try:
        properties = dump_json(event.properties)
        traits = dump_json(event.traits) if event.traits else ""
    except (TypeError, ValueError, RecursionError) as error:
        return f"its data cannot be stored as JSON: {error}"
    if not (_is_storable(properties) and _is_storable(traits)):
        return "its data holds characters that are no text"
    return _arrival(event, JsonText(properties), now)


def _refusal(event: IncomingEvent, trusted: bool) -> str | None:
    """Why this event cannot be taken, by its names and times."""
    if event.name is not None and event.name.startswith(RESERVED) and not trusted:
        return f'event names beginning with "{RESERVED}" are nurture\'s own'
    if event.name is not None and not event.name.strip():
        return "its name is empty"
    if event.guest and any(name and name.startswith(RESERVED) for name in (event.anonymous_id, event.previous_id)):
        return f'anonymous ids beginning with "{RESERVED}" are nurture\'s own'
    if event.at is not None and event.at.tzinfo is None:
        return "its time has no zone: write it as 2026-03-02T09:00:00Z"
    for what, text, most in (
        ("name", event.name, 200), ("message id", event.message_id, 255), ("user id", event.external_id, 255),
        ("e-mail address", event.email, 320), ("zone", event.zone, 100), ("locale", event.locale, 100),
        ("source", event.source, 100), ("anonymous id", event.anonymous_id, 255),
        ("previous id", event.previous_id, 255),
    ):  # fmt: skip
        if text and (len(text) > most or not _is_storable(text)):
            return f"its {what} is longer than {most} characters, or holds characters that are no text"
    return None


def _is_storable(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return "\0" not in text


def _arrival(event: IncomingEvent, written: JsonText, now: datetime) -> Arrival:
    return Arrival(
        who=Identity(
            email=event.email,
            external_id=event.external_id,
            contact_id=event.contact_id,
            anonymous_id=event.anonymous_id,
            previous_id=event.previous_id,
            guest=event.guest,
            attributes=event.traits,
            zone=event.zone,
            locale=event.locale,
        ),
        at=event.at or now,
        source=event.source,
        message_id=event.message_id or _fingerprint(event, now),
        name=event.name,
        properties=event.properties,
        written=written,
    )


def _fingerprint(event: IncomingEvent, now: datetime) -> str:
    content = [
        event.name,
        (event.at or now).isoformat(),
        event.email,
        event.external_id,
        event.contact_id,
        event.anonymous_id,
        event.previous_id,
        dict(event.properties),
        dict(event.traits or {}),
    ]
    text = json.dumps(content, sort_keys=True, default=str)
    return "content-" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

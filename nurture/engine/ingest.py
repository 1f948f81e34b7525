"""The front door: events from outside become rows, once each, and their contacts are due at once.

A return means durable: the events and everything they will lead to survive a crash. Telling them again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nurture.domain.event import NOTHING
from nurture.storage.database import Database
from nurture.storage.events import Arrival, StoredEvents, store_events
from nurture.storage.identities import Identity
from nurture.storage.types import dump_json

RESERVED = "nurture."
BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingEvent:
    """Something told to us about somebody. `name` None only says who she is. `message_id` makes repeats harmless.

    Without a `message_id` the whole content is the identity, so the same line sent twice counts once. `traits` are
    merged into her attributes.
    """

    name: str | None = None
    at: datetime | None = None
    properties: Mapping[str, Any] = field(default=NOTHING)
    email: str | None = None
    external_id: str | None = None
    contact_id: int | None = None
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


def ingest(database: Database, incoming: Sequence[IncomingEvent], now: datetime, *, trusted: bool = False) -> Ingested:
    """Store events durably, in batches. `trusted` callers may send our own reserved events."""
    result = Ingested()
    for first in range(0, len(incoming), BATCH):
        _ingest(database, incoming[first : first + BATCH], first, now, trusted, result)
    return result


def _ingest(
    database: Database, batch: Sequence[IncomingEvent], first: int, now: datetime, trusted: bool, result: Ingested
) -> None:
    places, arrivals = [], []
    for place, event in enumerate(batch, start=first):
        refusal = _refusal(event, trusted)
        if refusal is not None:
            result.rejected.append((place, refusal))
            continue
        places.append(place)
        arrivals.append(_arrival(event, now))
    stored: StoredEvents = database.transact(lambda tx: store_events(tx, arrivals, now))
    result.stored += stored.stored
    result.created += stored.created
    result.duplicates += len(stored.duplicates)
    told_before = set(stored.duplicates)
    for index, contact in enumerate(stored.contacts):
        if contact is None and index not in told_before:
            result.rejected.append((places[index], "names nobody: an e-mail address or a user id is needed"))


def _refusal(event: IncomingEvent, trusted: bool) -> str | None:
    """Why this event cannot be taken. One that cannot be stored would take all others of its batch with it."""
    if event.name is not None and event.name.startswith(RESERVED) and not trusted:
        return f'event names beginning with "{RESERVED}" are nurture\'s own'
    if event.name is not None and not event.name.strip():
        return "its name is empty"
    if event.at is not None and event.at.tzinfo is None:
        return "its time has no zone: write it as 2026-03-02T09:00:00Z"
    for what, text, most in (
        ("name", event.name, 200), ("message id", event.message_id, 255), ("user id", event.external_id, 255),
        ("e-mail address", event.email, 320), ("zone", event.zone, 100), ("locale", event.locale, 100),
        ("source", event.source, 100),
    ):  # fmt: skip
        if text and (len(text) > most or not _is_storable(text)):
            return f"its {what} is longer than {most} characters, or holds characters that are no text"
    try:
        text = dump_json([dict(event.properties), dict(event.traits or {})])
    except (TypeError, ValueError, RecursionError) as error:
        return f"its data cannot be stored as JSON: {error}"
    return None if _is_storable(text) else "its data holds characters that are no text"


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return "\0" not in text


def _arrival(event: IncomingEvent, now: datetime) -> Arrival:
    return Arrival(
        who=Identity(
            email=event.email,
            external_id=event.external_id,
            contact_id=event.contact_id,
            attributes=event.traits,
            zone=event.zone,
            locale=event.locale,
        ),
        at=event.at or now,
        source=event.source,
        message_id=event.message_id or _fingerprint(event, now),
        name=event.name,
        properties=event.properties,
    )


def _fingerprint(event: IncomingEvent, now: datetime) -> str:
    content = [
        event.name,
        (event.at or now).isoformat(),
        event.email,
        event.external_id,
        event.contact_id,
        dict(event.properties),
        dict(event.traits or {}),
    ]
    text = json.dumps(content, sort_keys=True, default=str)
    return "content-" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

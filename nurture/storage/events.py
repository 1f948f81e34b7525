"""Taking events in: many at once, each only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as insert_postgres

from nurture.domain.event import NOTHING
from nurture.storage.database import Transaction
from nurture.storage.identities import Identity, resolve
from nurture.storage.queue import wake
from nurture.storage.tables import events
from nurture.storage.types import among


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Something told to us. (`source`, `message_id`) is its identity for ever; `name` None only says who she is."""

    who: Identity
    at: datetime
    source: str
    message_id: str
    name: str | None = None
    properties: Mapping[str, Any] = field(default=NOTHING)


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """`contacts` gives each arrival its contact id, None where nobody is meant (nothing was stored then).

    `duplicates` and `clashes` are places in the batch: told before; two contacts were named as one (the stronger name
    won, the other contact was left alone).
    """

    stored: int
    created: int
    contacts: tuple[int | None, ...]
    duplicates: tuple[int, ...]
    clashes: tuple[int, ...]


def store_events(tx: Transaction, arrivals: Sequence[Arrival], now: datetime) -> StoredEvents:
    """Store what is new, find or create the contacts, and wake them. Idempotent: telling it again changes nothing.

    An event from the future is taken as of now. Bulk: the number of statements does not grow with the batch.
    """
    fresh = _fresh(tx, arrivals)
    resolved = resolve(tx, [arrivals[place].who for place in fresh], now)
    ids = dict(zip(fresh, resolved.ids(), strict=True))
    rows = []
    for place in fresh:
        arrival, contact_id = arrivals[place], ids[place]
        if contact_id is not None and arrival.name is not None:
            rows.append(_row(arrival, contact_id, now))
    rows.sort(key=lambda row: row["contact_id"])  # rows of contacts are locked in the order of ids, everywhere
    if rows:
        if tx.dialect == "postgresql":
            tx.execute(insert_postgres(events).on_conflict_do_nothing(), rows)
        else:
            tx.execute(insert(events), rows)
    wake(tx, {row["contact_id"] for row in rows} | resolved.changed(), now)
    new = set(fresh)
    return StoredEvents(
        stored=len(rows),
        created=resolved.created,
        contacts=tuple(ids.get(place) for place in range(len(arrivals))),
        duplicates=tuple(place for place in range(len(arrivals)) if place not in new),
        clashes=tuple(fresh[place] for place in resolved.clashes),
    )


def _fresh(tx: Transaction, arrivals: Sequence[Arrival]) -> list[int]:
    """Places of arrivals that were never told before, in this batch or in any other."""
    known = {
        (source, message_id)
        for source, message_id in tx.execute(
            select(events.c.source, events.c.message_id).where(
                among(events.c.source, "sources", text=True), among(events.c.message_id, text=True)
            ),
            {
                "sources": sorted({arrival.source for arrival in arrivals}),
                "ids": [arrival.message_id for arrival in arrivals],
            },
        )
    }
    fresh = []
    for place, arrival in enumerate(arrivals):
        identity = (arrival.source, arrival.message_id)
        if identity not in known:
            known.add(identity)
            fresh.append(place)
    return fresh


def _row(arrival: Arrival, contact_id: int, now: datetime) -> dict[str, Any]:
    return {
        "contact_id": contact_id,
        "name": arrival.name,
        "at": min(arrival.at, now),
        "received_at": now,
        "properties": arrival.properties,
        "source": arrival.source,
        "message_id": arrival.message_id,
    }

"""Taking events in: many at once, each only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import func, select

from nurture.domain.event import NOTHING, Event
from nurture.domain.frozen import frozen
from nurture.storage.bulk import Insert, Query, Values
from nurture.storage.database import Transaction
from nurture.storage.identities import Identity, resolve
from nurture.storage.queue import wake
from nurture.storage.tables import contacts, events
from nurture.storage.types import JsonText, among, sql

EVENT = ("contact_id", "name", "at", "received_at", "properties", "source", "message_id")
_INSERT = Insert(events, EVENT, conflict="(source, message_id) DO NOTHING")  # another daemon may be told the same now

_TOLD = Query(
    select(events.c.source, events.c.message_id).where(
        among(events.c.source, "sources", text=True), among(events.c.message_id, text=True)
    )
)

_placed = (
    select(
        events.c.id, events.c.name, events.c.at, events.c.properties,
        func.row_number().over(partition_by=events.c.name, order_by=(events.c.at.desc(), events.c.id.desc())).label(
            "place"
        ),
    ).where(events.c.contact_id == sql(":contact"), among(events.c.name, text=True))
).subquery()  # fmt: skip
_LAST = select(_placed).where(_placed.c.place == 1).order_by(_placed.c.name)


def last_events(tx: Transaction, contact_id: int, names: Sequence[str]) -> dict[str, Event]:
    """The last event of each of these names that happened to one person."""
    rows = tx.execute(_LAST, {"contact": contact_id, "ids": names})
    return {name: Event(id_, name, at, properties) for id_, name, at, properties, _ in rows}


@frozen
class Arrival:
    """Something told to us. (`source`, `message_id`) is its identity for ever; `name` None only says who she is."""

    _: KW_ONLY
    who: Identity
    at: datetime
    source: str
    message_id: str
    name: str | None = None
    properties: Mapping[str, Any] = field(default=NOTHING)
    written: JsonText | None = None  # the properties as JSON, from whoever had to write them to check them


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """`contacts` gives each arrival its contact id, None where nobody is meant (nothing was stored then).

    `newcomers`, `duplicates` and `clashes` are places in the batch: the first to name somebody nobody knew; told
    before; two contacts were named as one (the stronger name won, the other contact was left alone).
    """

    stored: int
    newcomers: tuple[int, ...]
    contacts: tuple[int | None, ...]
    duplicates: tuple[int, ...]
    clashes: tuple[int, ...]

    @property
    def created(self) -> int:
        return len(self.newcomers)


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
            rows.append(_row(arrival, contact_id, arrival.name, now))
    rows.sort(key=itemgetter(0))  # rows of contacts are locked in the order of ids, everywhere
    _INSERT(tx, rows)
    wake(tx, {row[0] for row in rows} | resolved.changed(), now)
    new = set(fresh)
    return StoredEvents(
        stored=len(rows),
        newcomers=tuple(fresh[place] for place in resolved.newcomers),
        contacts=tuple(ids.get(place) for place in range(len(arrivals))),
        duplicates=tuple(place for place in range(len(arrivals)) if place not in new),
        clashes=tuple(fresh[place] for place in resolved.clashes),
    )


def _fresh(tx: Transaction, arrivals: Sequence[Arrival]) -> list[int]:
    """Places of arrivals that were never told before, in this batch or in any other."""
    sources = sorted({arrival.source for arrival in arrivals})
    known = set(_TOLD(tx, sources=sources, ids=[arrival.message_id for arrival in arrivals]))
    fresh = []
    for place, arrival in enumerate(arrivals):
        identity = (arrival.source, arrival.message_id)
        if identity not in known:
            known.add(identity)
            fresh.append(place)
    return fresh


def _row(arrival: Arrival, contact_id: int, name: str, now: datetime) -> Values:
    """In the order of `EVENT`."""
    return (
        contact_id,
        name,
        min(arrival.at, now),
        now,
        arrival.written or arrival.properties,
        arrival.source,
        arrival.message_id,
    )


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is kept, with whose it is."""

    id: int
    contact_id: int
    email: str | None
    external_id: str | None
    name: str
    at: datetime
    received_at: datetime
    properties: Mapping[str, Any]
    source: str

    def plain(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def latest(tx: Transaction, *, after: int = 0, limit: int = 20) -> list[StoredEvent]:
    """The last so many that came; behind number `after` the first so many. Oldest first."""
    e = events.c
    query = select(
        e.id,
        e.contact_id,
        contacts.c.email,
        contacts.c.external_id,
        e.name,
        e.at,
        e.received_at,
        e.properties,
        e.source,
    ).join_from(events, contacts, contacts.c.id == e.contact_id)
    if after:
        return [StoredEvent(*row) for row in tx.execute(query.where(e.id > after).order_by(e.id).limit(limit))]
    return [StoredEvent(*row) for row in reversed(tx.execute(query.order_by(e.id.desc()).limit(limit)).all())]

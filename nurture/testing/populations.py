"""A simulated population lived twice: in memory, and by the real engine with a database and a relay."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

from nurture.app import Engine
from nurture.domain.contact import Contact
from nurture.domain.event import Event
from nurture.domain.ledger import Fact
from nurture.domain.programme import Programme
from nurture.engine.ingest import IncomingEvent
from nurture.engine.simulation.lives import Lived, Lives, Render
from nurture.engine.simulation.nature import Habits
from nurture.engine.simulation.population import Beginning, Population
from nurture.storage.database import Transaction
from nurture.storage.imports import ImportedContact, import_contacts
from nurture.storage.queue import next_instant
from nurture.storage.reports import ledger_of
from nurture.storage.tables import contacts, events
from nurture.testing.house import House

INSTANT = timedelta(microseconds=1)
Life = tuple[Beginning, Lived]


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that a simulated person made up, to be told to the real engine."""

    contact: Contact
    event: Event
    is_first: bool


def settle_in(house: House, population: Population) -> list[Beginning]:
    """Rows for those who are there from the start; everybody, with the numbers they have or will get as they come."""
    people = [population.person(number) for number in range(population.count)]
    people.sort(key=lambda each: (each.first is not None, each.at))
    there = [each for each in people if each.first is None]
    ids = house.database.transact(lambda tx: _import(tx, there, house.now))
    for place, each in enumerate(people[len(there) :], max(ids.values(), default=0) + 1):
        ids[each.contact.email or ""] = place
    numbered = [replace(each, contact=replace(each.contact, id=ids[each.contact.email or ""])) for each in people]
    house.database.transact(lambda tx: _remember(tx, numbered[: len(there)]))
    return numbered


def live_in_memory(
    programme: Programme, people: Sequence[Beginning], population: Population, render: Render | None = None
) -> list[Life]:
    lives = Lives(programme, population.end, render)
    habits = Habits.of(population.behaviour, programme, population.begin, population.end)
    return [(each, lives.of(each, habits)) for each in people]


def live_for_real(house: House, lived: Sequence[Life], end: datetime) -> dict[int, list[Fact]]:
    """The same people, to whom the same happens at the same moments, through ingest, turns, SMTP and outcomes."""
    happenings = _happenings(lived)

    async def work() -> None:
        async with house.engine() as engine:
            for at in sorted(happenings):
                await _live_until(house, engine, at - INSTANT)
                house.clock.jump_to(at)
                house.take(*(_incoming(each) for each in happenings[at]))
            await _live_until(house, engine, end)

    asyncio.run(work())
    with house.database.read() as tx:
        return {each.contact.id: [line.fact for line in ledger_of(tx, each.contact.id)] for each, _ in lived}


async def _live_until(house: House, engine: Engine, moment: datetime) -> None:
    """From one due instant to the next."""
    while True:
        await engine.pump.drain()
        with house.database.read() as tx:
            at = next_instant(tx)
        if at is None or max(at, house.now + INSTANT) > moment:
            return
        house.clock.jump_to(max(at, house.now + INSTANT))


def _import(tx: Transaction, people: Sequence[Beginning], now: datetime) -> dict[str, int]:
    found = [each.contact for each in people]
    lines = [ImportedContact(c.email, None, c.attributes, c.zone, c.locale, c.stage, c.consent) for c in found]
    import_contacts(tx, lines, now, "simulation")
    return {row[1]: row[0] for row in tx.execute(select(contacts.c.id, contacts.c.email))}


def _remember(tx: Transaction, people: Sequence[Beginning]) -> None:
    """As if they had been here for long, and their history was judged."""
    for person in people:
        contact = person.contact
        columns = {"created_at": contact.created_at, "stage_since": contact.stage_since}
        tx.execute(update(contacts).where(contacts.c.id == contact.id).values(**columns))
        for event in person.history:
            row = {
                "contact_id": contact.id,
                "name": event.name,
                "at": event.at,
                "received_at": event.at,
                "properties": dict(event.properties),
                "source": "simulation",
                "message_id": f"{contact.id}/{event.id}",
                "processed_at": event.at,
            }
            tx.execute(insert(events).values(row))


def _happenings(lived: Sequence[Life]) -> dict[datetime, list[Happening]]:
    """What everybody told, by moment; what the programme itself records comes of itself."""
    found: dict[datetime, list[Happening]] = defaultdict(list)
    for beginning, life in lived:
        told = sorted(life.told, key=lambda event: event.id)
        for place, event in enumerate(told):
            found[event.at].append(Happening(beginning.contact, event, place == 0))
    return found


def _incoming(happening: Happening) -> IncomingEvent:
    contact, event = happening.contact, happening.event
    return IncomingEvent(
        name=event.name,
        at=event.at,
        properties=event.properties,
        email=contact.email,
        message_id=f"{contact.id}/{event.id}",
        traits=dict(contact.attributes) if happening.is_first else None,
        zone=contact.zone if happening.is_first else None,
        locale=contact.locale if happening.is_first else None,
    )

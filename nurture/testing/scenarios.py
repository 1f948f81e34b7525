"""One story, told to the real engine on a database and to the world in memory: both must write the same ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from nurture.domain.contact import Contact
from nurture.domain.ledger import Fact, FactKind
from nurture.domain.programme import Programme
from nurture.engine.ingest import IncomingEvent
from nurture.engine.simulate import World
from nurture.testing.house import House

WIRE = {FactKind.SENT}  # the real relay has words of its own


@dataclass(frozen=True, slots=True)
class Told:
    """An event of `who` is received `at` (after the start); it happened `ago` earlier."""

    at: timedelta
    who: str
    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    ago: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Scenario:
    """`zones` by person; those not named have none. `sent` is what must have gone: `ana reminder` in order of time."""

    name: str
    campaigns: tuple[str, ...]
    told: tuple[Told, ...]
    sent: tuple[str, ...]
    project: str = ""
    segments: str = ""
    zones: Mapping[str, str] = field(default_factory=dict)
    lasts: timedelta = timedelta(days=60)
    start: str = "2026-03-02 09:00"


def span(text: str) -> timedelta:
    """`2d3h10m` is two days, three hours and ten minutes."""
    units, number, total = {"d": "days", "h": "hours", "m": "minutes"}, "", timedelta()
    for char in text:
        if char.isdigit():
            number += char
        else:
            total += timedelta(**{units[char]: int(number)})
            number = ""
    return total


def tell(*lines: str | tuple[str, dict[str, Any]]) -> tuple[Told, ...]:
    """`"1d ana Order Completed"`, with `"1d-2h"` for what happened two hours before; properties beside it."""
    told = []
    for line in lines:
        text, properties = line if isinstance(line, tuple) else (line, {})
        at, who, name = text.split(" ", 2)
        received, _, ago = at.partition("-")
        told.append(Told(span(received), who, name, properties, span(ago)))
    return tuple(sorted(told, key=lambda each: each.at))


def address(who: str) -> str:
    return f"{who}@people.example"


def live_for_real(house: House, scenario: Scenario) -> dict[str, list[Fact]]:
    """Through ingest, turns, SMTP and outcomes."""
    begin = house.now
    for moment in sorted({each.at for each in scenario.told}):
        house.live_until(begin + moment)
        house.take(*(_incoming(each, house.now, scenario) for each in scenario.told if each.at == moment))
        house.drain()
    house.live_until(begin + scenario.lasts)
    return {who: house.facts(address(who)) for who in _people(scenario)}


def _incoming(each: Told, now: datetime, scenario: Scenario) -> IncomingEvent:
    return IncomingEvent(
        name=each.name,
        at=now - each.ago,
        properties=each.properties,
        email=address(each.who),
        zone=scenario.zones.get(each.who),
    )


def live_in_memory(
    programme: Programme, begin: datetime, scenario: Scenario, ids: Mapping[str, int]
) -> dict[str, list[Fact]]:
    world = World(programme, begin)
    for each in scenario.told:
        now = begin + each.at
        world.run_until(now)
        number = ids[each.who]
        if number not in world.people:
            world.add(Contact(number, address(each.who), now, zone=scenario.zones.get(each.who)))
        world.post(number, each.name, now, each.properties, happened=now - each.ago)
    world.run_until(begin + scenario.lasts)
    return {who: world.people[ids[who]].ledger for who in _people(scenario)}


def _people(scenario: Scenario) -> list[str]:
    return sorted({each.who for each in scenario.told})


def comparable(ledger: Sequence[Fact]) -> list[tuple[Any, ...]]:
    """Without the words of the relay; to the minute, since an event of our own takes a second in the world."""
    lines = [
        (
            fact.at.replace(second=0, microsecond=0),
            fact.kind.value,
            fact.reason.value if fact.reason else None,
            fact.campaign,
            fact.enrolment,
            fact.step,
            fact.delivery,
            {} if fact.kind in WIRE else dict(fact.detail),
        )
        for fact in ledger
    ]
    return sorted(lines, key=lambda line: tuple(str(part) for part in line))


def mailed(ledgers: Mapping[str, Sequence[Fact]]) -> list[str]:
    """`ana reminder`, in order of time."""
    sent = [(fact.at, who, fact.step) for who, facts in ledgers.items() for fact in facts if fact.kind is FactKind.SENT]
    return [f"{who} {step}" for _, who, step in sorted(sent, key=lambda each: (each[0], each[1], str(each[2])))]

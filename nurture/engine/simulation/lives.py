"""Lives: one simulated person after the other, each in a world of her own. People do not touch one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nurture.domain.contact import Contact
from nurture.domain.delivery import Delivery
from nurture.domain.event import NOTHING, Event, Properties
from nurture.domain.needs import needs_of
from nurture.domain.programme import Programme
from nurture.domain.timing import zone_of
from nurture.engine.resident import Resident
from nurture.engine.simulate import SENT, Answer, World
from nurture.engine.simulation.nature import Habits, Nature
from nurture.engine.simulation.population import Beginning
from nurture.engine.simulation.tally import Counting, Tally


@dataclass(frozen=True, slots=True)
class Lived:
    """One person's life: since when she was there, in which stage (None: she was new), and all that became of her.

    `told` are the events she made up, in the order in which they came to her mind.
    """

    person: Resident
    since: datetime
    stage: str | None
    turns: int
    told: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened: an event, a change of her row (`changes`: its columns), or both."""

    at: datetime
    event: str | None = None
    properties: Properties = NOTHING
    changes: Mapping[str, Any] = NOTHING


INSTANT = timedelta(microseconds=1)
Render = Callable[[Resident, Delivery, datetime], Answer]


class Lives:
    """Lives out people under a programme until `end`. `render` builds each mail; without it none is built."""

    def __init__(self, programme: Programme, end: datetime, render: Render | None = None) -> None:
        self._programme, self._end, self._render = programme, end, render
        self._needs = needs_of(programme)

    def of(self, beginning: Beginning, habits: Habits) -> Lived:
        """A made-up person's."""
        nature: Nature | None = None

        def post(delivery: Delivery, now: datetime) -> Answer:
            answer = self._render(person, delivery, now) if self._render is not None else SENT
            if nature is not None:
                nature.answer(delivery, now)
            return answer

        world = World(self._programme, beginning.at, post, self._needs)
        person = world.add(beginning.contact, beginning.history)
        zone = zone_of(beginning.contact.zone, self._programme.zone)
        nature = Nature(habits, beginning.luck, world, person, zone, beginning.lively, self._end)
        if beginning.first is not None:
            first, at = beginning.first, beginning.at
            nature.tell(first.event, at, beginning.luck.values(first.values, NOTHING, at), first.then)
        at, stage = beginning.at, beginning.contact.stage
        return self._lived(world, person, nature, since=at, stage=stage)

    def replayed(self, contact: Contact, happened: Sequence[Happened]) -> Lived:
        """A person's to whom happens what really did; she is known since the first of it."""
        world = World(self._programme, contact.created_at, self._post_to(lambda: person), self._needs)
        person = world.add(contact)
        for each in happened:
            if each.at > self._end:
                break
            world.run_until(each.at - INSTANT)
            world.now = max(world.now, each.at)
            if each.changes:
                attributes = {**person.contact.attributes, **each.changes.get("attributes", {})}
                world.change(contact.id, **{**each.changes, "attributes": attributes})
            if each.event:
                world.post(contact.id, each.event, each.at, each.properties)
        return self._lived(world, person, None, since=contact.created_at, stage=None)

    def ahead(self, resident: Resident, now: datetime, due_at: datetime | None, paused: Iterable[str] = ()) -> Lived:
        """The life before a person as she is `now`, when nothing more happens to her from outside."""
        world = World(self._programme, now, self._post_to(lambda: resident), self._needs)
        for campaign in paused:
            world.pause(campaign)
        stage = resident.contact.stage
        world.admit(resident, due_at)
        return self._lived(world, resident, None, since=now, stage=stage)

    def _post_to(self, whose: Callable[[], Resident]) -> Callable[[Delivery, datetime], Answer]:
        render = self._render
        if render is None:
            return lambda _delivery, _now: SENT
        return lambda delivery, now: render(whose(), delivery, now)

    def _lived(
        self, world: World, person: Resident, nature: Nature | None, *, since: datetime, stage: str | None
    ) -> Lived:
        end = self._end
        while True:
            due = world.next_at
            own = nature.next_at if nature is not None else None
            if own is not None and nature is not None and (due is None or own < due):
                world.now = own
                nature.act(own)
                continue
            if due is None or due > end:
                return Lived(person, since, stage, world.turns, nature.told if nature is not None else ())
            world.step()
            if nature is not None and nature.stage != person.contact.stage:
                nature.look(world.now)


def counted(lived: Iterable[Lived], programme: Programme, begin: datetime, end: datetime) -> Tally:
    counting = Counting(programme, begin, end)
    for each in lived:
        counting.count(each.person, each.since, each.stage)
        counting.tally.turns += each.turns
        counting.tally.events += Counter({name: len(seen) for name, seen in each.person.history.items()})
    return counting.tally

"""Lives: one simulated person after the other, each in a world of her own. People do not touch one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from nurture.domain.contact import Contact
from nurture.domain.delivery import Delivery
from nurture.domain.event import NOTHING
from nurture.domain.needs import needs_of
from nurture.domain.programme import Programme
from nurture.domain.timing import zone_of
from nurture.engine.resident import Resident
from nurture.engine.simulate import SENT, Answer, World
from nurture.engine.simulation.nature import Habits, Nature
from nurture.engine.simulation.population import Beginning, Population
from nurture.engine.simulation.tally import Counting, Tally


@dataclass(frozen=True, slots=True)
class Lived:
    """One person's life: since when she was there, in which stage (None: she was new), and all that became of her."""

    person: Resident
    since: datetime
    stage: str | None
    turns: int


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
        return self._lived(world, person, nature)

    def told(self, contact: Contact, begin: datetime, tell: Callable[[World], None]) -> Lived:
        """A person's to whom happens what `tell` posts, and nothing else."""
        world = World(self._programme, begin, self._post_to(lambda: person), self._needs)
        person = world.add(contact)
        tell(world)
        return self._lived(world, person, None)

    def _post_to(self, whose: Callable[[], Resident]) -> Callable[[Delivery, datetime], Answer]:
        render = self._render
        if render is None:
            return lambda _delivery, _now: SENT
        return lambda delivery, now: render(whose(), delivery, now)

    def _lived(self, world: World, person: Resident, nature: Nature | None) -> Lived:
        since, stage = world.now, person.contact.stage
        end = self._end
        while True:
            due = world.next_at
            own = nature.next_at if nature is not None else None
            if own is not None and nature is not None and (due is None or own < due):
                world.now = own
                nature.act(own)
                continue
            if due is None or due > end:
                return Lived(person, since, stage, world.turns)
            world.step()
            if nature is not None and nature.stage != person.contact.stage:
                nature.look(world.now)


def lives_of(population: Population, numbers: Iterable[int], render: Render | None = None) -> Iterator[Lived]:
    """The lives of these people of a population."""
    lives = Lives(population.programme, population.end, render)
    habits = Habits.of(population.behaviour, population.programme, population.begin, population.end)
    for number in numbers:
        yield lives.of(population.person(number), habits)


def counted(lived: Iterable[Lived], programme: Programme, begin: datetime, end: datetime) -> Tally:
    counting = Counting(programme, begin, end)
    for each in lived:
        counting.count(each.person, each.since, each.stage)
        counting.tally.turns += each.turns
        counting.tally.events += Counter({name: len(seen) for name, seen in each.person.history.items()})
    return counting.tally

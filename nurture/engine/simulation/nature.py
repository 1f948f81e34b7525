"""What one simulated person does: of her own accord, in answer to her mail, and what follows from either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nurture.domain.delivery import Delivery
from nurture.domain.event import NOTHING, Event, Properties
from nurture.domain.programme import Programme
from nurture.engine.resident import Resident
from nurture.engine.simulate import World
from nurture.engine.simulation.luck import Luck
from nurture.language.behaviour import Behaviour, Does, Follow, Response, Seasons

TIRED = timedelta(days=7)
NEVER = timedelta(days=3650)


@dataclass(slots=True)
class Habits:
    """A behaviour as it holds under one programme and time: the same for everybody, so it is worked out once.

    `peak` is the highest factor of any hour of the simulation, `responses` are by (campaign, step).
    """

    behaviour: Behaviour
    peak: float
    responses: Mapping[tuple[str, str], Sequence[Response]]
    rates: dict[str | None, tuple[tuple[Does, float], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, behaviour: Behaviour, programme: Programme, begin: datetime, end: datetime) -> Habits:
        sends = [(campaign.name, send) for campaign in programme.campaigns.values() for send in campaign.sends]
        responses = {
            (campaign, send.id): [
                each for each in behaviour.responses if each.answers(campaign, send.id, send.category)
            ]
            for campaign, send in sends
        }
        return cls(behaviour, _peak(behaviour.seasons, begin, end), responses)

    def rates_in(self, stage: str | None) -> tuple[tuple[Does, float], ...]:
        """What people of a stage do, and how often a day up to and including it."""
        if stage not in self.rates:
            reached, found = 0.0, []
            for does in self.behaviour.does:
                reached += does.rate.of(stage)
                found.append((does, reached))
            self.rates[stage] = tuple(found)
        return self.rates[stage]

    def factor(self, at: datetime, zone: ZoneInfo) -> float:
        """How much is done at this time of her day, week and year."""
        seasons, local = self.behaviour.seasons, at.astimezone(zone)
        return seasons.months[local.month - 1] * seasons.days[local.weekday()] * seasons.hours[local.hour]


def _peak(seasons: Seasons, begin: datetime, end: datetime) -> float:
    day, months = begin - timedelta(days=1), set()
    while day <= end + timedelta(days=1):
        months.add(day.month)
        day += timedelta(days=1)
    return max(seasons.months[month - 1] for month in months) * max(seasons.days) * max(seasons.hours)


class Nature:
    """One person's. `next_at` is when she may next do something of her own accord; None: never again."""

    def __init__(
        self, habits: Habits, luck: Luck, world: World, person: Resident, zone: ZoneInfo, lively: float, end: datetime
    ) -> None:
        self._habits, self._luck, self._world, self._person = habits, luck, world, person
        self._zone, self._lively, self._end = zone, lively, end
        self._total = 0.0
        self.is_silent = False
        self.told: list[Event] = []
        self.stage: str | None = None
        self.next_at: datetime | None = None
        self.look(world.now)

    def look(self, now: datetime) -> None:
        """She is in another stage, where she does things more or less often."""
        self.stage = self._person.contact.stage
        rates = self._habits.rates_in(self.stage)
        often = self._lively * rates[-1][1] * self._habits.peak if rates else 0.0
        self._total = often + self._habits.behaviour.churn.of(self.stage)
        self._draw(now)

    def act(self, now: datetime) -> None:
        """Her moment has come: she falls silent, or does something, or it is not the season."""
        drawn = self._luck.number() * self._total - self._habits.behaviour.churn.of(self.stage)
        if drawn < 0:
            self.is_silent, self.next_at = True, None
            return
        if self._luck.happens(self._habits.factor(now, self._zone) / self._habits.peak):
            drawn /= self._lively * self._habits.peak
            does = next((each for each, bound in self._habits.rates_in(self.stage) if drawn < bound), None)
            if does is not None:
                self.tell(does.event, now, self._luck.values(does.values, NOTHING, now), does.then)
        self._draw(now)

    def answer(self, delivery: Delivery, now: datetime) -> None:
        """She got a mail."""
        if self.is_silent:
            return
        for response in self._habits.responses.get((delivery.campaign, delivery.step), ()):
            tired = 1.0
            if response.tiring > 1:
                tired = response.tiring ** self._mails_before(delivery, now)
            self._follow(response.follow, now, self._start_of(delivery), tired)

    def tell(self, event: str, at: datetime, properties: Properties, then: Sequence[Follow] = ()) -> None:
        if at > self._end:
            return
        self.told.append(self._world.post(self._person.contact.id, event, at, properties))
        for each in then:
            self._follow(each, at, properties)

    def _follow(self, follow: Follow, cause: datetime, carried: Properties, factor: float = 1.0) -> None:
        if self._luck.happens(follow.chance.of(self.stage) * factor):
            at = cause + self._luck.soon(follow.after, follow.within)
            self.tell(follow.event, at, self._luck.values(follow.values, carried, at), follow.then)

    def _draw(self, now: datetime) -> None:
        self.next_at = None
        if self._total > 0 and not self.is_silent:
            at = now + min(self._luck.waiting(self._total), NEVER)
            self.next_at = at if at <= self._end else None

    def _start_of(self, delivery: Delivery) -> Properties:
        for each in self._person.enrolments:
            if each.seq == delivery.enrolment:
                return each.start
        return NOTHING

    def _mails_before(self, delivery: Delivery, now: datetime) -> int:
        since = now - TIRED
        return sum(1 for seq, at in self._person.at.items() if at > since and seq != delivery.seq)

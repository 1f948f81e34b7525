"""Who the simulated people are: each by her number, so that any part of them can be made anywhere, and is the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log

from nurture.domain.contact import Consent, Contact
from nurture.domain.event import NOTHING, Event
from nurture.engine.simulation.luck import Luck
from nurture.language.behaviour import Behaviour, Follow, Past

LIVELIEST = 6.0  # times the average
KNOWN_FOR = 720  # days at most


@dataclass(frozen=True, slots=True)
class Beginning:
    """One person as she is when her simulation begins, at `at`. `first` is what brings a new one.

    `lively` is how much more often than the average she does things.
    """

    contact: Contact
    at: datetime
    luck: Luck
    lively: float
    history: tuple[Event, ...] = ()
    first: Follow | None = None


@dataclass(frozen=True, slots=True)
class Population:
    """`count` people of one behaviour and seed, from `begin` to `end`; the first `arriving` of them come meanwhile."""

    behaviour: Behaviour
    count: int
    seed: int
    begin: datetime
    end: datetime

    @property
    def arriving(self) -> int:
        return round(self.count * self.behaviour.arriving) if self.behaviour.arrivals is not None else 0

    def person(self, number: int) -> Beginning:
        """The person of this number, from 0."""
        luck = Luck(self.seed, number)
        behaviour = self.behaviour
        lively = min(-log(1.0 - luck.number()), LIVELIEST)
        zone = luck.one_of(behaviour.zones) if behaviour.zones is not None else None
        locale = luck.one_of(behaviour.locales) if behaviour.locales is not None else None
        attributes = luck.values(behaviour.attributes, NOTHING, self.begin)
        if number < self.arriving:
            assert behaviour.arrivals is not None
            at = self.begin + (self.end - self.begin) * luck.number()
            contact = Contact(number + 1, _address(number), at, attributes=attributes, zone=zone, locale=locale)
            return Beginning(contact, at, luck, lively, first=luck.one_of(behaviour.arrivals))
        stage: str = luck.one_of(behaviour.stages)
        consent: Consent = luck.one_of(behaviour.consent)
        history = self._history(stage, luck)
        created_at = self.begin - timedelta(days=1 + luck.number() * KNOWN_FOR)
        if history:
            created_at = min(created_at, history[0].at)
        contact = Contact(
            id=number + 1,
            email=_address(number),
            created_at=created_at,
            attributes=attributes,
            zone=zone,
            locale=locale,
            stage=stage,
            stage_since=history[-1].at if history else created_at,
            consent=consent,
            enrols=False,
        )
        return Beginning(contact, self.begin, luck, lively, history)

    def _history(self, stage: str, luck: Luck) -> tuple[Event, ...]:
        found = []
        for past in self.behaviour.history:
            for _ in range(self._times(past, stage, luck)):
                at = self.begin - past.within * luck.number()
                found.append((at, past.event, luck.values(past.values, NOTHING, at)))
        found.sort(key=lambda each: each[0])
        return tuple(Event(place - len(found), name, at, values) for place, (at, name, values) in enumerate(found))

    def _times(self, past: Past, stage: str, luck: Luck) -> int:
        if past.stages is not None and stage not in past.stages:
            return 0
        if past.chance < 1 and not luck.happens(past.chance):
            return 0
        low, high = past.times
        return low + int(luck.number() * (high - low + 1))


def _address(number: int) -> str:
    return f"person{number + 1}@people.example"

"""Chance with a seed: every simulated person has her own, so that it does not matter where she is simulated."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from math import log
from random import Random
from typing import Any

from nurture.language.behaviour_values import Ahead, Between, Day, Listed, Mapped, Numbered, SameAs, Weighted

_PLAIN = frozenset({str, int, float, bool, type(None)})


class Luck:
    """One stream of chance. Only `Random.random` is drawn on: the same numbers on every version of Python."""

    def __init__(self, *name: object) -> None:
        digest = blake2b("|".join(map(str, name)).encode(), digest_size=8).digest()
        self.number = Random(int.from_bytes(digest, "big")).random
        self._prefix = str(name[-1])
        self._drawn = 0

    def happens(self, chance: float) -> bool:
        return self.number() < chance

    def waiting(self, a_day: float) -> timedelta:
        """How long until something that happens so often a day happens next."""
        return timedelta(days=-log(1.0 - self.number()) / a_day)

    def soon(self, after: timedelta, within: timedelta) -> timedelta:
        """Between the two, soon likelier than late."""
        drawn = self.number()
        return after + (within - after) * (drawn * drawn)

    def one_of(self, weighted: Weighted) -> Any:
        """One of the options as it is written; `value` draws what it may hold."""
        place = bisect_right(weighted.bounds, self.number())
        return weighted.options[min(place, len(weighted.options) - 1)]

    def values(self, mapped: Mapped, carried: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """The properties of an event at `at`: its own over those it carries."""
        self._drawn += 1
        found = dict(carried)
        for name, value in mapped.items:
            found[name] = value if type(value) in _PLAIN else self.value(value, found, at)
        return found

    def value(self, value: Any, found: Mapping[str, Any], at: datetime) -> Any:
        match value:
            case Weighted():
                one = self.one_of(value)
                return one if type(one) in _PLAIN else self.value(one, found, at)
            case Numbered(text=text):
                return text.replace("{number}", f"{self._prefix}-{self._drawn}")
            case Between(low=low, high=high, is_whole=True):
                return int(low) + int(self.number() * (high - low + 1))
            case Between(low=low, high=high):
                return round(low + self.number() * (high - low), 2)
            case SameAs(name=name):
                return found.get(name)
            case Ahead(low=low, high=high):
                return (at + low + (high - low) * self.number()).replace(microsecond=0).isoformat()
            case Day(first=first, last=last):
                return (first + timedelta(days=int(self.number() * ((last - first).days + 1)))).isoformat()
            case Listed(items=items):
                return [self.value(each, found, at) for each in items]
            case Mapped(items=items):
                return {name: self.value(each, found, at) for name, each in items}
        return value

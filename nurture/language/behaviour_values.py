"""Values of a behaviour file: as they stand, or drawn anew each time. Reading them is here; drawing is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from nurture.domain.timing import parse_duration
from nurture.language.names import Path, Scope

DRAWS = ("one_of", "between", "same_as", "ahead", "day")
LIKE = "like"


@dataclass(frozen=True, slots=True)
class Weighted:
    """One of `options`, each up to its `bounds` on a scale from 0 to 1."""

    options: tuple[Any, ...]
    bounds: tuple[float, ...]

    @classmethod
    def of(cls, weights: Mapping[Any, float]) -> Weighted:
        total, reached, bounds = sum(weights.values()), 0.0, []
        for weight in weights.values():
            reached += weight / total
            bounds.append(reached)
        return cls(tuple(weights), tuple(bounds))


@dataclass(frozen=True, slots=True)
class Between:
    """A number from `low` to `high`; a whole one if both are."""

    low: float
    high: float
    is_whole: bool


@dataclass(frozen=True, slots=True)
class SameAs:
    """The value of another property of the same event."""

    name: str


@dataclass(frozen=True, slots=True)
class Ahead:
    """An instant so long after the event, as ISO text."""

    low: timedelta
    high: timedelta


@dataclass(frozen=True, slots=True)
class Day:
    """A day between two, both included, as ISO text."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Numbered:
    """A text in which `{number}` becomes a number that no other event of the simulation has."""

    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Mapped:
    items: tuple[tuple[str, Any], ...] = ()


@dataclass(slots=True)
class ValueReader:
    """Reads the values of one file and reports what is wrong with them; `shared` are those that have a name."""

    scope: Scope
    shared: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)  # the shared values that are being read, so that a circle is seen

    def mapping(self, raw: Mapping[str, Any], path: Path) -> Mapped:
        """Properties; `like: name` takes those of the shared values first."""
        found = dict(self._shared(str(raw[LIKE]), path).items) if LIKE in raw else {}
        found |= {str(name): self.value(value, (*path, name)) for name, value in raw.items() if name != LIKE}
        return Mapped(tuple(found.items()))

    def _shared(self, name: str, path: Path) -> Mapped:
        self.scope.among(name, self.shared, path, "N106", "values")
        if name in self._open:
            self.scope.file.report("N213", path, f'the values "{name}" are like themselves')
            return Mapped()
        self._open.append(name)
        found = self.mapping(self.shared.get(name, {}), ("values", name))
        self._open.pop()
        return found

    def value(self, raw: Any, path: Path) -> Any:
        """A value as it stands, or one that is drawn: a mapping with one of the words of `DRAWS`."""
        if isinstance(raw, str):
            return Numbered(raw) if "{number}" in raw else raw
        if isinstance(raw, list):
            return Listed(tuple(self.value(item, (*path, index)) for index, item in enumerate(raw)))
        if not isinstance(raw, dict):
            return raw
        words = [word for word in DRAWS if word in raw]
        if not words:
            return self.mapping(raw, path)
        word = words[0]
        if len(raw) > 1:
            self.scope.file.report("N619", path, f"{word} does not stand beside other keys", f"write {word} alone")
            return None
        try:
            return self._drawn(word, raw[word], (*path, word))
        except ValueError as error:
            message, _, hint = str(error).partition("; ")
            self.scope.file.report("N619", (*path, word), message, hint or None)
            return None

    def _drawn(self, word: str, raw: Any, path: Path) -> Any:
        """Raises ValueError: before the semicolon what is wrong, behind it what to write."""
        if word == "one_of":
            return self._one_of(raw, path)
        if word == "same_as":
            if not isinstance(raw, str):
                raise ValueError("same_as names a property; write it like {same_as: value}")
            return SameAs(raw)
        if not isinstance(raw, list) or len(raw) != 2:
            raise ValueError(f"{word} takes two ends; write it like {_EXAMPLES[word]}")
        low, high = (_END[word](end) for end in raw)
        if high < low:
            raise ValueError(f"{word} ends before it begins; turn its ends round")
        if word == "ahead":
            return Ahead(low, high)
        return Day(low, high) if word == "day" else Between(low, high, isinstance(low, int) and isinstance(high, int))

    def _one_of(self, raw: Any, path: Path) -> Weighted:
        if isinstance(raw, list) and raw:
            values = [self.value(item, (*path, index)) for index, item in enumerate(raw)]
            return Weighted(tuple(values), tuple((place + 1) / len(values) for place in range(len(values))))
        if isinstance(raw, dict) and raw and all(_is_number(weight) and weight > 0 for weight in raw.values()):
            return Weighted.of(raw)
        raise ValueError("one_of takes a list, or words with weights; write {one_of: [a, b]} or {one_of: {a: 3, b: 1}}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number_end(end: Any) -> float:
    if not _is_number(end):
        raise ValueError(f"{end!r} is not a number; write it like {_EXAMPLES['between']}")
    return end  # type: ignore[no-any-return]


def _ahead_end(end: Any) -> timedelta:
    return parse_duration(str(end)).approximate


def _day_end(end: Any) -> date:
    try:
        return date.fromisoformat(str(end))
    except ValueError:
        raise ValueError(f"{end!r} is not a day; write it like {_EXAMPLES['day']}") from None


_EXAMPLES = {
    "between": "{between: [10, 80]}",
    "ahead": "{ahead: [5 days, 30 days]}",
    "day": "{day: [1950-01-01, 2005-12-31]}",
}
_END: Mapping[str, Any] = {"between": _number_end, "ahead": _ahead_end, "day": _day_end}

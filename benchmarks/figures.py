"""A measured figure, with the limit it is held to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`at_most` or `at_least` is the limit; a figure without one is only told. `value` None: it could not be measured.

    `against` says what the value comes from (this much, against that much), `how` in one line how it was measured, or
    why it was not.
    """

    what: str
    value: float | None
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    against: str = ""
    how: str = ""

    @property
    def holds(self) -> bool:
        return self.value is None or not (
            (self.at_most is not None and self.value > self.at_most)
            or (self.at_least is not None and self.value < self.at_least)
        )

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "absent"
        if self.at_most is None and self.at_least is None:
            return ""
        return "met" if self.holds else "**missed**"

    @property
    def limit(self) -> str:
        if self.at_most is not None:
            return f"at most {self.at_most:,g} {self.unit}"
        return f"at least {self.at_least:,g} {self.unit}" if self.at_least is not None else ""

    @property
    def shown(self) -> str:
        if self.value is None:
            return "absent"
        return f"{self.value:,.0f} {self.unit}" if abs(self.value) >= 100 else f"{self.value:,.3g} {self.unit}"


def median_seconds(work: Callable[[], object], times: int) -> float:
    """Processor time of one run, the middle one of `times`: a busy machine measures the same as an idle one."""
    return statistics.median(processor_seconds(work) for _ in range(times))


def processor_seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def interleaved(works: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Processor time of each, the middle one of several rounds in which they take turns."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for number, work in enumerate(works):
            taken[number].append(processor_seconds(work))
    return [statistics.median(each) for each in taken]

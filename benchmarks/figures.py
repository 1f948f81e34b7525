"""A measured figure, with the limit it is held to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`at_most` or `at_least` is the limit; a figure without one is only told."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def holds(self) -> bool:
        return not (
            (self.at_most is not None and self.value > self.at_most)
            or (self.at_least is not None and self.value < self.at_least)
        )

    @property
    def limit(self) -> str:
        if self.at_most is not None:
            return f"at most {self.at_most:,g} {self.unit}"
        return f"at least {self.at_least:,g} {self.unit}" if self.at_least is not None else ""

    @property
    def shown(self) -> str:
        return f"{self.value:,.0f} {self.unit}" if self.value >= 100 else f"{self.value:,.3g} {self.unit}"


def median_seconds(work: Callable[[], object], times: int) -> float:
    """Processor time of one run, the middle one of `times`: a busy machine measures the same as an idle one."""
    taken = []
    for _ in range(times):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)

"""The only reader of the system clock. Everything below takes `now` as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """`now` is civil time in UTC; `monotonic` counts seconds that nobody can set back."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class SteppedClock:
    """A clock that stands still until it is told to jump: the demo's, and that of tests."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def jump_to(self, instant: datetime) -> None:
        """Forward only: nothing in nurture is written for a clock that runs backwards."""
        self._now = max(self._now, instant.astimezone(UTC))

"""Whether the relay may be used now. In one process by `LocalHealth`; who shares the breaker gives another `Health`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from nurture.domain.breaker import Breaker, BreakerState
from nurture.domain.retry import Attempt, classify


class Health(Protocol):
    @property
    def is_flowing(self) -> bool:
        """Mail flows freely: not open, and not waiting for a probe."""

    def admit(self) -> bool:
        """May one mail go now? Where only a probe may, saying yes makes it the probe."""

    def room(self, full: int) -> int:
        """How many may be under way where `full` may in good times."""

    def learn(self, attempt: Attempt) -> None:
        """What came of one."""


class LocalHealth:
    """The breaker of one process. `clock` is asked, never the machine; `on_turn` is told when it opens and closes."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        breaker: Breaker | None = None,
        on_turn: Callable[[Breaker], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self.breaker = breaker or Breaker()
        self._on_turn = on_turn

    @property
    def is_flowing(self) -> bool:
        return self.breaker.state is BreakerState.CLOSED

    def admit(self) -> bool:
        now = self._clock()
        if not self.breaker.may_send(now):
            return False
        self.breaker = self.breaker.probing(now)
        return True

    def room(self, full: int) -> int:
        return self.breaker.room(self._clock(), full)

    def learn(self, attempt: Attempt) -> None:
        flowed = self.is_flowing
        self.breaker = self.breaker.after(classify(attempt), self._clock(), attempt.text)
        if self.is_flowing != flowed:
            self._on_turn(self.breaker)

"""The relay's rate limit: at most so many mails begun in any sixty seconds, by this process."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)


class Allowance:
    """`per_minute` None allows everything. While `halved`, half of it: after an outage nothing comes in a rush."""

    def __init__(self, per_minute: int | None = None) -> None:
        self._per_minute = per_minute
        self._taken: deque[tuple[datetime, int]] = deque()
        self.halved = False

    def room(self, full: int, now: datetime) -> int:
        """How many more may begin now, where `full` may otherwise."""
        if self.halved:
            full = max(full // 2, 1)
        if self._per_minute is None:
            return full
        while self._taken and self._taken[0][0] <= now - MINUTE:
            self._taken.popleft()
        most = max(self._per_minute // 2, 1) if self.halved else self._per_minute
        return max(0, min(full, most - sum(number for _, number in self._taken)))

    def take(self, number: int, now: datetime) -> None:
        """So many have begun."""
        if self._per_minute is not None and number:
            self._taken.append((now, number))

"""The relay's rate limit: at most so many mails begun in any minute (or second), spread over it. Pure state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MINUTE, SECOND = 60.0, 1.0
AT_ONCE = 2.0  # seconds' worth that may begin together: a daemon looks once a second, and not to the millisecond
MERGED = 0.5


@dataclass(frozen=True, slots=True)
class Ration:
    """`taken`: (when, how many) of the last `window`. `saved`: what had come together at `at`. Seconds since 1970."""

    taken: tuple[tuple[float, int], ...] = ()
    saved: float | None = None
    at: float = 0.0
    window: float = MINUTE

    def room(self, limit: int, now: float) -> int:
        """How many mails may begin now, if `limit` may in a window."""
        used = sum(number for when, number in self.taken if when > now - self.window)
        return max(0, min(limit - used, int(self._saved(limit, now))))

    def take(self, number: int, limit: int, now: float) -> Ration:
        """So many have begun."""
        recent = [(when, many) for when, many in self.taken if when > now - self.window]
        just_now = recent.pop()[1] if recent and recent[-1][0] > now - MERGED else 0
        return Ration((*recent, (now, just_now + number)), self._saved(limit, now) - number, now, self.window)

    def _saved(self, limit: int, now: float) -> float:
        rate = limit / self.window
        most = max(1.0, rate * AT_ONCE)
        if self.saved is None:
            return most
        return min(most, self.saved + max(now - self.at, 0.0) * rate)

    def to_json(self) -> dict[str, Any]:
        return {"taken": [list(each) for each in self.taken], "saved": self.saved, "at": self.at}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any], window: float = MINUTE) -> Ration:
        if not plain:
            return cls(window=window)
        taken = tuple((float(when), int(many)) for when, many in plain["taken"])
        return cls(taken, plain["saved"], plain["at"], window)

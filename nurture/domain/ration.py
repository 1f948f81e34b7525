"""The relay's rate limit: at most so many mails begun in any sixty seconds, spread over them. Pure state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WINDOW = 60.0
AT_ONCE = 2.0  # seconds' worth that may begin together: a daemon looks once a second, and not to the millisecond
MERGED = 0.5


@dataclass(frozen=True, slots=True)
class Ration:
    """`taken`: (when, how many) of the last minute. `saved`: what had come together at `at`. In seconds since 1970."""

    taken: tuple[tuple[float, int], ...] = ()
    saved: float | None = None
    at: float = 0.0

    def room(self, per_minute: int, now: float) -> int:
        """How many mails may begin now."""
        used = sum(number for when, number in self.taken if when > now - WINDOW)
        return max(0, min(per_minute - used, int(self._saved(per_minute, now))))

    def take(self, number: int, per_minute: int, now: float) -> Ration:
        """So many have begun."""
        recent = [(when, many) for when, many in self.taken if when > now - WINDOW]
        just_now = recent.pop()[1] if recent and recent[-1][0] > now - MERGED else 0
        return Ration((*recent, (now, just_now + number)), self._saved(per_minute, now) - number, now)

    def _saved(self, per_minute: int, now: float) -> float:
        rate = per_minute / WINDOW
        most = max(1.0, rate * AT_ONCE)
        if self.saved is None:
            return most
        return min(most, self.saved + max(now - self.at, 0.0) * rate)

    def to_json(self) -> dict[str, Any]:
        return {"taken": [list(each) for each in self.taken], "saved": self.saved, "at": self.at}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Ration:
        if not plain:
            return cls()
        return cls(tuple((float(when), int(many)) for when, many in plain["taken"]), plain["saved"], plain["at"])

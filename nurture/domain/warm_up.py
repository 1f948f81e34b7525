"""Warm-up: a sender nobody knows yet begins with few mails a day, and half as many again each day after. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

GROWTH = 1.5
DAYS = 30  # after so many there is no ceiling any more


@dataclass(frozen=True, slots=True)
class WarmUp:
    """`since` is the first day (UTC), on which `first_day` mails may go."""

    since: date
    first_day: int

    def ceiling(self, now: datetime) -> int | None:
        """How many mails may go on this day; None once the warm-up is over."""
        day = max((now.date() - self.since).days, 0)
        return int(self.first_day * GROWTH**day) if day < DAYS else None

"""How many mails may begin now: the relay's limits, shared by all daemons, and less after an outage or at first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nurture.domain.ration import MINUTE, SECOND
from nurture.domain.warm_up import WarmUp
from nurture.storage.database import Transaction
from nurture.storage.relays import DayBook, RationBook


@dataclass(frozen=True, slots=True)
class Books:
    """What all daemons have taken of each limit. `waits_for_tomorrow`: today's ceiling is reached."""

    rations: tuple[RationBook, ...]
    day: DayBook | None

    @property
    def waits_for_tomorrow(self) -> bool:
        return self.day is not None and self.day.room == 0

    @property
    def room(self) -> int:
        return min(book.room for book in (*self.rations, self.day) if book is not None)

    def take(self, number: int) -> None:
        for book in (*self.rations, self.day):
            if book is not None:
                book.take(number)


class Allowance:
    """Without limits everything is allowed. While `halved`, half of it: after an outage nothing comes in a rush."""

    def __init__(
        self,
        per_minute: int | None = None,
        relay: str = "relay",
        *,
        per_second: int | None = None,
        warm_up: WarmUp | None = None,
    ) -> None:
        limits = ((per_minute, MINUTE), (per_second, SECOND))
        self._limits = [(limit, window) for limit, window in limits if limit is not None]
        self._relay, self._warm_up = relay, warm_up
        self.halved = False
        self.is_spent = False  # at the last look: mails wait for nothing but a limit, and not for tomorrow

    def room(self, full: int) -> int:
        """How many more may be under way, where `full` may otherwise."""
        return max(full // 2, 1) if self.halved else full

    def books(self, tx: Transaction, now: datetime) -> Books | None:
        """What all daemons have taken, for the transaction that claims; None without a limit."""
        ceiling = self._warm_up.ceiling(now) if self._warm_up is not None else None
        if not self._limits and ceiling is None:
            return None
        rations = tuple(
            RationBook(tx, self._relay, max(limit // 2, 1) if self.halved else limit, now, window)
            for limit, window in self._limits
        )
        return Books(rations, DayBook(tx, self._relay, ceiling, now) if ceiling is not None else None)

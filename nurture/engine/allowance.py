"""How many mails may begin now: the relay's limit, shared by all daemons, and less after an outage."""

from __future__ import annotations

from datetime import datetime

from nurture.storage.database import Transaction
from nurture.storage.relays import RationBook


class Allowance:
    """`per_minute` None allows everything. While `halved`, half of it: after an outage nothing comes in a rush."""

    def __init__(self, per_minute: int | None = None, relay: str = "relay") -> None:
        self._per_minute, self._relay = per_minute, relay
        self.halved = False
        self.is_spent = False  # at the last look: mails wait for nothing but the limit

    def room(self, full: int) -> int:
        """How many more may be under way, where `full` may otherwise."""
        return max(full // 2, 1) if self.halved else full

    def book(self, tx: Transaction, now: datetime) -> RationBook | None:
        """What all daemons have taken of the limit, for the transaction that claims; None without a limit."""
        if self._per_minute is None:
            return None
        return RationBook(tx, self._relay, max(self._per_minute // 2, 1) if self.halved else self._per_minute, now)

"""Once a second, what this daemon knows of the relay goes to the others through the database, and comes from them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from nurture.domain.shared_relay import News, SharedRelay
from nurture.sending.health import SharedHealth
from nurture.storage.database import Database, Transaction
from nurture.storage.relays import known_of, tell, version_of

InThread = Callable[..., Awaitable[Any]]


class RelaySharing:
    """One per daemon. Where there is nothing to tell and nothing new, it costs one read by primary key."""

    def __init__(self, database: Database, health: SharedHealth, relay: str, clock: Callable[[], datetime]) -> None:
        self._database, self._health, self._relay, self._clock = database, health, relay, clock
        self._version: int | None = None

    async def exchange(self, in_thread: InThread) -> bool:
        """Tell and hear; whether it is on us to probe the relay. Raises DatabaseFault, and tells again next time."""
        news = self._health.news()
        try:
            known = await in_thread(self._exchange, news)
        except BaseException:
            self._health.forgotten(news)
            raise
        if known is not None:
            self._health.hear(known)
        return self._health.may_probe

    def _exchange(self, news: News) -> SharedRelay | None:
        if not news:
            with self._database.read() as tx:
                return self._read(tx)
        now = self._clock()
        self._version = None
        return self._database.transact(lambda tx: tell(tx, self._relay, news, self._health.owner, now))

    def _read(self, tx: Transaction) -> SharedRelay | None:
        """None if nobody has written since we looked."""
        version = version_of(tx, self._relay)
        if version == self._version:
            return None
        known = known_of(tx, self._relay)
        self._version = version
        return known

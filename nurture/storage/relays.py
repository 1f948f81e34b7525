"""What daemons share about a relay, in one row each: breaker and paces, the rations of mails a minute and second, and
how far the day's ceiling of a warm-up is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from nurture.domain.breaker import LAST_PROBE, Breaker
from nurture.domain.ration import MINUTE, Ration
from nurture.domain.shared_relay import News, SharedRelay
from nurture.storage.database import Transaction
from nurture.storage.tables import relay_state
from nurture.storage.types import sql

_r = relay_state.c


def version_of(tx: Transaction, name: str) -> int:
    """Changes whenever something is written about this relay; 0 before the first time."""
    return tx.execute(select(_r.version).where(_r.relay == name)).scalar() or 0


def known_of(tx: Transaction, name: str) -> SharedRelay:
    return SharedRelay.from_json(tx.execute(select(_r.state).where(_r.relay == name)).scalar() or {})


def breakers(tx: Transaction, now: datetime) -> dict[str, Breaker]:
    """Relay -> its breaker, where something happened of late: one that is open while mail waits is probed by then.

    So a relay that nobody uses any more is not complained about for ever.
    """
    rows = tx.execute(select(_r.relay, _r.state).where(_r.updated_at > now - 2 * LAST_PROBE))
    return {name: SharedRelay.from_json(state).breaker for name, state in rows if "breaker" in state}


def tell(tx: Transaction, name: str, news: News, owner: str, now: datetime) -> SharedRelay:
    """Add the news of one daemon; what all know then. Nobody else writes it meanwhile."""
    state = _locked(tx, name, now)
    known = SharedRelay.from_json(state)
    after = known.after(news, owner, now)
    if after != known:
        _write(tx, name, after.to_json(), now)
    return after


class RationBook:
    """A ration of one relay, to be shared out within the transaction that claims the mails: `limit` in each `window`.

    By the clock of the server, where there is one: hosts whose clocks differ would else each find room of their own.
    """

    def __init__(self, tx: Transaction, relay: str, limit: int, now: datetime, window: float = MINUTE) -> None:
        name = f"{relay} per {'minute' if window == MINUTE else 'second'}"
        self._tx, self._name, self._limit, self._now = tx, name, limit, now
        self._ration = Ration.from_json(_locked(tx, self._name, now), window)
        self._at = now.timestamp()
        if tx.database.leases_by_server:
            self._at = float(tx.execute(sql("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    @property
    def room(self) -> int:
        return self._ration.room(self._limit, self._at)

    def take(self, number: int) -> None:
        if number:
            _write(self._tx, self._name, self._ration.take(number, self._limit, self._at).to_json(), self._now)


@dataclass(frozen=True, slots=True)
class Warmth:
    """How many mails of a day's ceiling have begun."""

    taken: int
    ceiling: int


def warmth(tx: Transaction, now: datetime) -> Warmth | None:
    """Of today, where a sender is warmed up; the fullest, where there are several relays."""
    rows = tx.execute(select(_r.state).where(_r.relay.like("% warm-up"))).scalars()
    today = [Warmth(state["taken"], state["ceiling"]) for state in rows if state.get("day") == f"{now:%Y-%m-%d}"]
    return max(today, key=lambda one: one.taken / one.ceiling, default=None)


class DayBook:
    """The day's ceiling of a warm-up, shared like a ration."""

    def __init__(self, tx: Transaction, relay: str, ceiling: int, now: datetime) -> None:
        self._tx, self._name, self._ceiling, self._now = tx, f"{relay} warm-up", ceiling, now
        state = _locked(tx, self._name, now)
        self._taken = int(str(state["taken"])) if state.get("day") == f"{now:%Y-%m-%d}" else 0

    @property
    def room(self) -> int:
        return max(self._ceiling - self._taken, 0)

    def take(self, number: int) -> None:
        if number:
            taken = self._taken + number
            state: dict[str, object] = {"day": f"{self._now:%Y-%m-%d}", "taken": taken, "ceiling": self._ceiling}
            _write(self._tx, self._name, state, self._now)


def _locked(tx: Transaction, name: str, now: datetime) -> dict[str, object]:
    """The state, held until the transaction ends. SQLite has one writer at a time anyway."""
    query = select(_r.state).where(_r.relay == name).with_for_update()
    found = tx.execute(query).scalar()
    if found is None:
        new = insert_postgres(relay_state) if tx.dialect == "postgresql" else insert_sqlite(relay_state)
        tx.execute(new.on_conflict_do_nothing(), {"relay": name, "state": {}, "version": 0, "updated_at": now})
        found = tx.execute(query).scalar()
    return found or {}


def _write(tx: Transaction, name: str, state: dict[str, object], now: datetime) -> None:
    changed = update(relay_state).where(_r.relay == name)
    tx.execute(changed.values(state=state, version=_r.version + 1, updated_at=now))

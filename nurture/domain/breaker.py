"""The relay's circuit breaker and the pace per domain: pure state, moved by verdicts, kept by whoever shares it.

closed -> open       after 5 relay failures in a row, or half of the last 20; a wrong set-up opens it at once
open -> half-open    one probe after 30 s, then after twice as long each time, up to 15 min
half-open -> closed  when a probe succeeds; traffic comes back at a quarter, doubling every minute
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from nurture.domain.retry import Scope, Verdict

IN_A_ROW = 5
WINDOW = 20
FIRST_PROBE = timedelta(seconds=30)
LAST_PROBE = timedelta(minutes=15)
RAMP_START = 0.25
RAMP_STEP = timedelta(minutes=1)


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """`recent` holds the last answers, True for a relay failure. `probe_at` is when the next probe may go."""

    state: BreakerState = BreakerState.CLOSED
    recent: tuple[bool, ...] = ()
    probe_at: datetime | None = None
    pause: timedelta = FIRST_PROBE
    ramp_from: datetime | None = None
    why: str = ""

    @property
    def is_open(self) -> bool:
        """No mail flows, but perhaps a probe."""
        return self.state is not BreakerState.CLOSED

    def may_send(self, now: datetime) -> bool:
        """Closed, or time for a probe: then call `probing` before sending, so that it stays one."""
        return self.probe_at is None or now >= self.probe_at

    def probing(self, now: datetime) -> Breaker:
        """One probe is on its way. If nobody ever reports back, the next one may go after the same pause."""
        if self.state is BreakerState.CLOSED:
            return self
        return replace(self, state=BreakerState.HALF_OPEN, probe_at=now + self.pause)

    def after(self, verdict: Verdict, now: datetime, why: str = "") -> Breaker:
        """The state after an attempt. Only what touched the relay counts: a shut gate or a held mail does not."""
        if not _touched_the_relay(verdict):
            return self
        failed = verdict.scope is not None and verdict.scope.is_relay
        if self.state is BreakerState.OPEN:
            return self  # a straggler from before it opened
        if self.state is BreakerState.HALF_OPEN:
            return self._probed(failed, verdict.scope, now, why)
        if not failed and self.ramp_from is None and len(self.recent) == WINDOW and not any(self.recent):
            return self  # all is well, as it was
        recent = (*self.recent, failed)[-WINDOW:]
        if verdict.scope is Scope.RELAY_MISCONFIGURED:
            return _opened(now, LAST_PROBE, why)
        if failed and (all(recent[-IN_A_ROW:]) and len(recent) >= IN_A_ROW):
            return _opened(now, FIRST_PROBE, why)
        if failed and len(recent) == WINDOW and sum(recent) * 2 >= WINDOW:
            return _opened(now, FIRST_PROBE, why)
        ramped = self.share(now) >= 1
        return replace(self, recent=recent, ramp_from=None if ramped else self.ramp_from)

    def _probed(self, failed: bool, scope: Scope | None, now: datetime, why: str) -> Breaker:
        if not failed:
            return Breaker(ramp_from=now)
        pause = LAST_PROBE if scope is Scope.RELAY_MISCONFIGURED else min(self.pause * 2, LAST_PROBE)
        return _opened(now, pause, why)

    def share(self, now: datetime) -> float:
        """The part of the full rate that may flow now, 0..1: 0 while open, 0.25 rising to 1 after it closed again."""
        if self.state is not BreakerState.CLOSED:
            return 0.0
        if self.ramp_from is None:
            return 1.0
        minutes = max((now - self.ramp_from) // RAMP_STEP, 0)
        return float(min(1.0, RAMP_START * 2 ** min(minutes, 10)))

    def room(self, now: datetime, full: int) -> int:
        """How many mails may be under way where `full` may in good times: 1 for a probe, never 0 while ramping."""
        if self.state is not BreakerState.CLOSED:
            return 1 if self.may_send(now) else 0
        return max(1, int(full * self.share(now)))

    def to_json(self) -> dict[str, Any]:
        return {
            "state": self.state.value,
            "recent": list(self.recent),
            "probe_at": self.probe_at.isoformat() if self.probe_at else None,
            "pause": self.pause.total_seconds(),
            "ramp_from": self.ramp_from.isoformat() if self.ramp_from else None,
            "why": self.why,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Breaker:
        probe_at, ramp_from = plain.get("probe_at"), plain.get("ramp_from")
        return cls(
            state=BreakerState(plain["state"]),
            recent=tuple(bool(one) for one in plain["recent"]),
            probe_at=datetime.fromisoformat(probe_at) if probe_at else None,
            pause=timedelta(seconds=plain["pause"]),
            ramp_from=datetime.fromisoformat(ramp_from) if ramp_from else None,
            why=plain.get("why", ""),
        )


def _opened(now: datetime, pause: timedelta, why: str) -> Breaker:
    return Breaker(BreakerState.OPEN, probe_at=now + pause, pause=pause, why=why)


def _touched_the_relay(verdict: Verdict) -> bool:
    return verdict.scope is not None or verdict.uses_try


# --- pace per domain -------------------------------------------------------------------------------------------------

START_CONCURRENCY = 5
MAX_CONCURRENCY = 20


@dataclass(frozen=True, slots=True)
class Pace:
    """How many mails may be under way to one domain family: +1 after a clean cohort, halved when it asks for less."""

    limit: int = START_CONCURRENCY
    clean: int = 0
    maximum: int = MAX_CONCURRENCY

    def after(self, verdict: Verdict) -> Pace:
        if verdict.slow_down:
            return replace(self, limit=max(1, self.limit // 2), clean=0)
        if verdict.scope is not None:
            return self
        if self.clean + 1 < self.limit:
            return replace(self, clean=self.clean + 1)
        return replace(self, limit=min(self.limit + 1, self.maximum), clean=0)

"""The metronome: a few interval jobs in memory. No business time lives in it; it only says "look again"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

Job = Callable[[], Awaitable[object]]
LISTEN = 1.0  # seconds


class Beat(BaseTrigger):  # type: ignore[misc]
    """So many seconds after the last. The scheduler's own interval counts all that a clock set forward leaves out."""

    def __init__(self, seconds: float) -> None:
        self._after = timedelta(seconds=seconds)

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        return now + self._after


class Metronome:
    """Each job runs every so many seconds, never twice at once, and late rather than not at all."""

    def __init__(self) -> None:
        self._seen = datetime.now(UTC)
        self._listening: asyncio.TimerHandle | None = None
        # The defaults would drop a tick that comes more than a second late, and replay those that were missed.
        defaults: dict[str, Any] = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        self._scheduler = AsyncIOScheduler(timezone="UTC", job_defaults=defaults)

    def every(self, seconds: float, name: str, job: Job, *, at_once: bool = False) -> None:
        first = {"next_run_time": datetime.now(UTC)} if at_once else {}
        self._scheduler.add_job(job, Beat(seconds), id=name, name=name, replace_existing=True, **first)

    def start(self) -> None:
        self._scheduler.start()
        self._listen()

    def stop(self) -> None:
        """No further ticks. Running jobs are not waited for: the scheduler would cancel them; the service drains."""
        if self._listening is not None:
            self._listening.cancel()
        self._scheduler.pause()
        self._scheduler.shutdown(wait=False)

    def _listen(self) -> None:
        """The scheduler goes by the wall clock: set back by two hours, it would be silent for two hours."""
        now = datetime.now(UTC)
        if now < self._seen:
            for job in self._scheduler.get_jobs():
                job.modify(next_run_time=job.next_run_time - (self._seen - now))
        self._seen = now
        self._listening = asyncio.get_running_loop().call_later(LISTEN, self._listen)

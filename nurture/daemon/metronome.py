"""The metronome: a few interval jobs in memory. No business time lives in it; it only says "look again"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

Job = Callable[[], Awaitable[object]]


class Metronome:
    """Each job runs every so many seconds, never twice at once, and late rather than not at all."""

    def __init__(self) -> None:
        # The defaults would drop a tick that comes more than a second late, and replay those that were missed.
        defaults: dict[str, Any] = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        self._scheduler = AsyncIOScheduler(timezone="UTC", job_defaults=defaults)

    def every(self, seconds: float, name: str, job: Job) -> None:
        self._scheduler.add_job(job, "interval", seconds=seconds, id=name, name=name, replace_existing=True)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """No further ticks. Running jobs are not waited for: the scheduler would cancel them; the service drains."""
        self._scheduler.pause()
        self._scheduler.shutdown(wait=False)

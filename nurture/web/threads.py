"""Threads for the database: the loop never waits for a disk, and a queue that grows too long says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from nurture.web.problem import BUSY_SECONDS, Refusal

WORKERS = 4
WAITING = 500  # requests, before more are turned away

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Threads:
    """A few threads; `run` raises Refusal (503, with the time to wait) when too many wait already."""

    def __init__(self, workers: int = WORKERS, waiting: int = WAITING) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="web")
        self._most = waiting
        self._waiting = 0

    @property
    def executor(self) -> Executor:
        return self._pool

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The result of `work(...)`, done in a thread."""
        if self._waiting >= self._most:
            raise Refusal(503, "Too much at once. Try again.", headers={"Retry-After": str(BUSY_SECONDS)})
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, lambda: work(*args, **kwargs))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """What has begun ends; nothing new begins."""
        self._pool.shutdown(wait=True)

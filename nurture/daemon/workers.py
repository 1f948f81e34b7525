"""Several daemons on one host: a parent that starts them, starts again those that die, and ends when they have ended.

Model: the parent decides and sends nothing; each worker is a whole daemon, and the database keeps them apart.
Failure: a worker that dies is started again, each time after a longer pause; one that never lives long ends everything,
because somebody has to look. A parent that is killed takes its workers with it: their standard input ends.
"""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress

from nurture.engine.dispatch import Journal

LONGEST_PAUSE = 30.0  # seconds
LONG_LIFE = 60.0  # seconds; whoever lived so long was well when it started
MOST_DEATHS = 6  # in a row


class Workers:
    """A process for each command; `first_pause` is how long to wait, in seconds, before one is started again."""

    def __init__(self, commands: Sequence[Sequence[str]], journal: Journal, *, first_pause: float = 1.0) -> None:
        self._commands, self._journal, self._first_pause = commands, journal, first_pause
        self._running: dict[int, Process] = {}
        self._stop = asyncio.Event()
        self._failed = 0

    async def run(self) -> int:
        """Until SIGTERM or SIGINT, which every worker is told; 0 if all ended as they should, else what one said."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._pass_on)
        await asyncio.gather(*(self._keep(number) for number in range(len(self._commands))))
        self._journal.info("workers stopped", workers=len(self._commands))
        return self._failed

    def _pass_on(self) -> None:
        """The first signal lets them end in order, the second at once: as for a daemon alone."""
        self._stop.set()
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    async def _keep(self, number: int) -> None:
        """One worker after the other, until we are told to stop."""
        deaths = 0
        while not self._stop.is_set():
            begun = asyncio.get_running_loop().time()
            code = await self._live(number)
            if self._stop.is_set():
                self._failed = self._failed or abs(code)
                return
            deaths = deaths + 1 if asyncio.get_running_loop().time() - begun < LONG_LIFE else 1
            if deaths >= MOST_DEATHS:
                self._journal.error("worker given up", worker=number + 1, code=code, deaths=deaths)
                self._failed = self._failed or abs(code) or 1
                self._pass_on()
                return
            pause = min(self._first_pause * 2 ** (deaths - 1), LONGEST_PAUSE)
            self._journal.warning("worker died", worker=number + 1, code=code, again_in=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)

    async def _live(self, number: int) -> int:
        """From start to end; its exit code, negative for the signal that killed it."""
        # A group of its own: Ctrl-C on a terminal reaches us alone, or they would hear it twice and stop at once.
        process = await asyncio.create_subprocess_exec(
            *self._commands[number], stdin=PIPE, stdout=DEVNULL, process_group=0
        )
        self._running[number] = process
        if self._stop.is_set():  # asked while it was being started
            process.send_signal(signal.SIGTERM)
        self._journal.info("worker started", worker=number + 1, pid=process.pid)
        code = await process.wait()
        del self._running[number]
        return code

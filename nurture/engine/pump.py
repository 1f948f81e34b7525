"""The pump: turns for whoever is due, then mails for whatever is planned, until there is nothing left to do now.

`nurture run` works it at every tick, `nurture run --once` and the demo until it is dry. It holds no state but what is
in flight; everything else is in the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self, TypeVar

from nurture.engine.advance import BATCH, Advanced, advance
from nurture.engine.dispatch import Dispatcher, Journal
from nurture.engine.revisions import Applied
from nurture.storage.database import Database, Transaction
from nurture.storage.queue import Waiting, waiting

_Result = TypeVar("_Result")
GLANCE = 1.0  # seconds


class Role(StrEnum):
    """What a daemon does; on PostgreSQL they may specialise."""

    ADVANCE = "advance"
    DISPATCH = "dispatch"


EVERY_ROLE = frozenset(Role)


@dataclass(slots=True)
class Pumped:
    """What one tick, or one drain, has done. `mails` were claimed; their outcomes are in the dispatcher's counts.

    `calls`: there are webhooks or alerts to be made. `more`: something moved, so that there may be more to do. `full`:
    there certainly is, at once.
    """

    turns: int = 0
    mails: int = 0
    calls: bool = False
    more: bool = False
    full: bool = False
    failures: list[tuple[int, str]] = field(default_factory=list)

    def __iadd__(self, other: Pumped) -> Self:
        self.turns += other.turns
        self.mails += other.mails
        self.calls = self.calls or other.calls
        self.more, self.full = other.more, other.full
        self.failures += other.failures
        return self


class Pump:
    """`applied` gives the newest revision, compiled; it is asked in the database thread at every tick."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        applied: Callable[[Transaction], Applied],
        *,
        clock: Callable[[], datetime],
        executor: Executor,
        journal: Journal,
        roles: frozenset[Role] = EVERY_ROLE,
        batch: int = BATCH,
    ) -> None:
        self._database, self._dispatcher, self._applied = database, dispatcher, applied
        self._clock, self._executor, self._journal = clock, executor, journal
        self._roles, self._batch = roles, batch
        self._stopping = False
        self._newest_next = False

    async def tick(self) -> Pumped:
        """One round: a batch of due turns, and as many mails as there is room for."""
        done = Pumped()
        applied, waits = await self._in_thread(self._look)
        done.calls = waits.calls
        turns = Advanced()
        if Role.ADVANCE in self._roles and waits.turns and not self._stopping:
            turns = await self._advance(applied)
        if Role.DISPATCH in self._roles and (waits.mails or turns.planned) and not self._stopping:
            done.mails = await self._dispatcher.fill(applied)
        done.turns, done.failures = turns.turns, turns.failures
        done.more = turns.claimed > 0 or done.mails > 0
        done.full = turns.claimed >= self._batch
        for contact, error in done.failures:
            self._journal.error("turn failed", contact=contact, error=error)
        return done

    async def drain(self) -> Pumped:
        """Until nothing is due, nothing is planned for now, and nothing is in flight."""
        done = Pumped()
        while not self._stopping:
            ticked = await self.tick()
            done += ticked
            if ticked.more:
                await self.breathe(ticked)
            elif self._dispatcher.in_flight:
                await self._dispatcher.wait(at_most=GLANCE)  # a mail that hangs must not hold up the others
            else:
                break
        return done

    async def breathe(self, ticked: Pumped) -> None:
        """Between two rounds: let what is in flight end in groups, unless there is a whole batch to do already."""
        if not ticked.full:
            await self._dispatcher.gather()

    def halt(self) -> None:
        """No new turns and claims."""
        self._stopping = True

    async def stop(self, grace: float = 30.0) -> None:
        """No new turns and claims; what is on the wire may end."""
        self.halt()
        await self._dispatcher.stop(grace)

    def _look(self) -> tuple[Applied, Waiting]:
        with self._database.read() as tx:
            return self._applied(tx), waiting(tx, self._clock())

    async def _advance(self, applied: Applied) -> Advanced:
        newest = self._newest_next

        def work() -> Advanced:
            now = self._clock()
            return advance(self._database, applied.programme, applied.needs, now, self._batch, newest=newest)

        advanced = await self._in_thread(work)
        # Behind a backlog, whoever was told of just now would wait for all of it: every other batch is theirs.
        self._newest_next = not newest and advanced.claimed >= self._batch
        return advanced

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

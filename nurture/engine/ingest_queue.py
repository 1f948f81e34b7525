"""The front door for many at once: whoever tells us something at the same time shares one durable commit.

Model: while one transaction is under way, everything that comes is collected for the next. An answer means durable.
Failure: an event that cannot be stored is refused to its own caller; a database that is gone is everybody's error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime

from nurture.engine.group_commit import GroupCommit
from nurture.engine.ingest import IncomingEvent, Ingested, Request, ingest_together
from nurture.storage.database import Database


class IngestQueue:
    """`executor` runs the transactions, one at a time; at most `most` callers share one."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], executor: Executor, *, most: int = 500
    ) -> None:
        self._database, self._clock = database, clock
        self._group: GroupCommit[Request, Ingested] = GroupCommit(self._commit, executor, most)

    async def submit(self, incoming: Sequence[IncomingEvent], *, trusted: bool = False) -> Ingested:
        """Store one event or many; returns once they are durable. Raises DatabaseFault when nothing can be stored."""
        return await self._group.submit((incoming, trusted))

    def _commit(self, requests: Sequence[Request]) -> Sequence[Ingested]:
        return ingest_together(self._database, requests, self._clock())

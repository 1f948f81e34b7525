"""Group commit: many who wait for a durable write share one transaction.

While one commit is under way, everything that comes in the meantime is collected for the next, so durability costs one
commit for all connections that stand before their dot, however many they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class GroupCommit(Generic[Item, Answer]):
    """`commit(items) -> answers`, one for each, runs in `executor`; its error goes to everyone who waited for it."""

    def __init__(
        self, commit: Callable[[Sequence[Item]], Sequence[Answer]], executor: Executor, most: int = 500
    ) -> None:
        self._commit = commit
        self._executor = executor
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Answer:
        """Returns once the item is durable (or refused by the database's own judgement)."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, future))
        if self._flushing is None:
            self._flushing = loop.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(0)  # whoever is ready in this round of the loop comes along
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                items = [item for item, _ in batch]
                try:
                    answers = await loop.run_in_executor(self._executor, self._commit, items)
                except Exception as error:  # noqa: BLE001 - handed to those who asked
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                    continue
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
        finally:
            self._flushing = None

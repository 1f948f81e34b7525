"""How many mails are under way to one provider at once, in this process; providers ask for less, and get it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from nurture.domain.breaker import Pace
from nurture.domain.mailbox_providers import provider_of
from nurture.domain.retry import Attempt, classify


@dataclass(slots=True)
class _Lane:
    pace: Pace
    busy: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class DomainPaces:
    """`initial` is where every provider begins. First come, first served within one provider."""

    def __init__(self, initial: Pace | None = None) -> None:
        self._initial = initial or Pace()
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def slot(self, recipient: str) -> AsyncIterator[None]:
        provider = provider_of(recipient)
        lane = self._lanes.setdefault(provider, _Lane(self._initial))
        await self._enter(lane)
        try:
            yield
        finally:
            lane.busy -= 1
            self._admit(lane)
            if not lane.busy and not lane.waiting and lane.pace == self._initial:
                self._lanes.pop(provider, None)  # one lane for each domain ever seen would be a leak

    def learn(self, recipient: str, attempt: Attempt) -> None:
        """Within the slot: what the provider made of it."""
        lane = self._lanes.get(provider_of(recipient))
        if lane is not None:
            lane.pace = lane.pace.after(classify(attempt))

    def limit(self, recipient: str) -> int:
        lane = self._lanes.get(provider_of(recipient))
        return (lane.pace if lane is not None else self._initial).limit

    async def _enter(self, lane: _Lane) -> None:
        if lane.busy < lane.pace.limit and not lane.waiting:
            lane.busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was given to us in the very moment we went
                lane.busy -= 1
                self._admit(lane)
            raise

    def _admit(self, lane: _Lane) -> None:
        while lane.waiting and lane.busy < lane.pace.limit:
            turn = lane.waiting.popleft()
            if not turn.done():
                lane.busy += 1
                turn.set_result(None)

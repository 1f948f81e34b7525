"""How many mails are under way to one provider at once; providers ask for less, and get it.

The slots are those of this process. Whoever is asked for less by a provider tells the other daemons (`news`, `hear`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from nurture.domain.breaker import Pace
from nurture.domain.mailbox_providers import provider_of
from nurture.domain.retry import Attempt, classify


@dataclass(slots=True)
class _Lane:
    pace: Pace
    busy: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Slot:
    """A class and not a generator, as every mail has one."""

    __slots__ = ("_paces", "_provider")

    def __init__(self, paces: DomainPaces, provider: str) -> None:
        self._paces, self._provider = paces, provider

    async def __aenter__(self) -> None:
        await self._paces.enter(self._provider)

    async def __aexit__(self, *_: object) -> None:
        self._paces.leave(self._provider)


class DomainPaces:
    """`initial` is where every provider begins. First come, first served within one provider."""

    def __init__(self, initial: Pace | None = None) -> None:
        self._initial = initial or Pace()
        self._lanes: dict[str, _Lane] = {}
        self._changed: set[str] = set()

    def slot(self, recipient: str) -> Slot:
        """One of the provider's slots, for an `async with`."""
        return Slot(self, provider_of(recipient))

    def learn(self, recipient: str, attempt: Attempt) -> None:
        """Within the slot: what the provider made of it."""
        provider = provider_of(recipient)
        lane = self._lanes.get(provider)
        if lane is None:
            return
        before, lane.pace = lane.pace.limit, lane.pace.after(classify(attempt))
        if lane.pace.limit != before and min(before, lane.pace.limit) < self._initial.limit:
            self._changed.add(provider)

    def limit(self, recipient: str) -> int:
        lane = self._lanes.get(provider_of(recipient))
        return (lane.pace if lane is not None else self._initial).limit

    @property
    def slowed(self) -> dict[str, int]:
        """Provider -> limit, of those that asked for less than everybody is given at first."""
        usual = self._initial.limit
        return {provider: lane.pace.limit for provider, lane in self._lanes.items() if lane.pace.limit < usual}

    def news(self) -> dict[str, int | None]:
        """What has changed in `slowed` since the last time; None for a provider that is as usual again."""
        slowed, changed = self.slowed, self._changed
        self._changed = set()
        return {provider: slowed.get(provider) for provider in sorted(changed)}

    def tell_again(self, providers: Iterable[str]) -> None:
        """The news of these did not arrive."""
        self._changed.update(providers)

    def hear(self, slowed: Mapping[str, int]) -> None:
        """What is slowed for all daemons; what changed here meanwhile stands until it is told."""
        for provider in slowed.keys() | self.slowed.keys():
            limit = slowed.get(provider, self._initial.limit)
            lane = self._lanes.setdefault(provider, _Lane(self._initial))
            if provider not in self._changed and lane.pace.limit != limit:
                lane.pace = replace(lane.pace, limit=limit, clean=0)
                self._admit(lane)
            self._leave(provider, lane)

    async def enter(self, provider: str) -> None:
        """Wait for a slot."""
        lane = self._lanes.get(provider)
        if lane is None:
            lane = self._lanes[provider] = _Lane(self._initial)
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

    def leave(self, provider: str) -> None:
        """Give the slot back."""
        lane = self._lanes[provider]  # it stands as long as somebody is in it
        lane.busy -= 1
        self._admit(lane)
        self._leave(provider, lane)

    def _leave(self, provider: str, lane: _Lane) -> None:
        """One lane for each domain ever seen would be a leak."""
        if not lane.busy and not lane.waiting and lane.pace == self._initial:
            self._lanes.pop(provider, None)

    def _admit(self, lane: _Lane) -> None:
        while lane.waiting and lane.busy < lane.pace.limit:
            turn = lane.waiting.popleft()
            if not turn.done():
                lane.busy += 1
                turn.set_result(None)

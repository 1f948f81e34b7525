"""The ways a mail can leave: one attempt, and an `Attempt` that says how far it came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from nurture.domain.retry import Attempt
from nurture.sending.domain_pace import DomainPaces
from nurture.sending.health import Health, LocalHealth
from nurture.sending.mail import OutgoingMail
from nurture.sending.pool import Pool
from nurture.sending.relay import Relay
from nurture.sending.session import Gate


class Transport(Protocol):
    async def send(self, mail: OutgoingMail, gate: Gate) -> Attempt:
        """One attempt. `gate` is awaited right before the body would go: False means that nothing of it goes.

        Never raises for what the other side does. An exception of the gate is passed on; nothing was sent then.
        """

    def room(self, full: int) -> int:
        """How many mails may be under way now, where `full` may in good times: 0 while nothing can be delivered."""

    async def close(self, grace: float = 30.0) -> None:
        """Take no more, let what is on its way finish for `grace` seconds, hang up."""


class SmtpTransport:
    """Over a pool of connections to one relay. `paces` limits each provider, where the relay does not."""

    def __init__(
        self,
        relay: Relay,
        clock: Callable[[], datetime],
        *,
        health: Health | None = None,
        paces: DomainPaces | None = None,
    ) -> None:
        self.relay = relay
        self.health: Health = health or LocalHealth(clock)
        self._pool = Pool(relay, self.health)
        self._paces = paces

    async def send(self, mail: OutgoingMail, gate: Gate) -> Attempt:
        if self._paces is None:
            return await self._pool.send(mail, gate)
        async with self._paces.slot(mail.recipient):
            attempt = await self._pool.send(mail, gate)
            self._paces.learn(mail.recipient, attempt)
            return attempt

    def room(self, full: int) -> int:
        return self.health.room(full)

    async def close(self, grace: float = 30.0) -> None:
        await self._pool.close(grace)

"""Two daemons in one process, over one database and one real SMTP server, on a clock that is moved by hand.

Either may die in the midst of a mail: from then on nothing of it reaches the database, as after kill -9.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from nurture.app import Engine
from nurture.domain.retry import Attempt
from nurture.engine.pump import EVERY_ROLE
from nurture.sending.mail import OutgoingMail
from nurture.sending.session import Gate
from nurture.sending.transport import SmtpTransport
from nurture.testing.house import House
from nurture.testing.outgoing import relay_of
from nurture.testing.smtp import Act, ScriptedServer, drop, say


class AlwaysWell:
    """A breaker that never opens: what the relay says is part of the story."""

    is_flowing = True

    def admit(self) -> bool:
        return True

    def room(self, full: int) -> int:
        return min(full, 1)  # one mail after the other, in the order of claims

    def learn(self, attempt: Attempt) -> None:
        pass


class Wire:
    """The real way to the relay, on which something may happen to the first mail."""

    def __init__(self, daemons: Daemons) -> None:
        self.daemons = daemons
        relay = relay_of(daemons.server, connections=1)
        self.inner = SmtpTransport(relay, daemons.house.clock.now, health=AlwaysWell())

    async def send(self, mail: OutgoingMail, gate: Gate) -> Attempt:
        dies, self.daemons.dies = self.daemons.dies, None
        meanwhile, self.daemons.meanwhile = self.daemons.meanwhile, None

        async def happens(when: str) -> None:
            if dies == when:
                self.daemons.dead.set()
                await asyncio.Future()  # whoever is dead says no more
            if meanwhile is not None and meanwhile[0] == when:
                self.daemons.house.tell(meanwhile[1], mail.recipient)

        async def guarded() -> bool:
            await happens("before gate")
            passed = await gate()
            if passed:
                await happens("after gate")
            return passed

        attempt = await self.inner.send(mail, guarded)
        await happens("after dot")
        return attempt

    def room(self, full: int) -> int:
        return self.inner.room(full)

    async def close(self, grace: float = 30.0) -> None:
        await self.inner.close(grace)


class Daemons:
    """Two of them, over one database, on a clock that is moved by hand."""

    def __init__(self, house: House, server: ScriptedServer) -> None:
        self.house, self.server = house, server
        self.loop = asyncio.new_event_loop()
        self.dies: str | None = None
        self.meanwhile: tuple[str, str] | None = None
        self.dead = asyncio.Event()
        self.relay = "up"
        self.stamps: list[datetime] = []
        server.script = {"RCPT": self._at_rcpt, "DOT": self._at_dot}
        self.engines = [self._engine(), self._engine()]

    def _engine(self) -> Engine:
        engine = self.house.another_app().engine(EVERY_ROLE, Wire(self))
        engine.dispatcher.in_order = True
        return engine

    def _at_rcpt(self, _line: str) -> Act | None:
        return say("451 4.3.0 busy, come back later") if self.relay == "busy" else None

    def _at_dot(self, _line: str) -> Act | None:
        self.stamps.append(self.house.now)
        return {"refusing": say("554 5.6.0 not with these words"), "silent": drop()}.get(self.relay)

    def run(self, work: Callable[[], Awaitable[Any]]) -> None:
        self.loop.run_until_complete(work())

    def work(self, which: int) -> bool:
        """One of them, or both at once, until nothing is due. False: it died."""

        async def drain() -> None:
            chosen = self.engines if which == 2 else [self.engines[which]]
            work = asyncio.gather(*(engine.pump.drain() for engine in chosen))
            dead = asyncio.create_task(self.dead.wait())
            both: list[asyncio.Future[Any]] = [work, dead]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if self.dead.is_set():
                await self._bury(which)
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            else:
                dead.cancel()
                work.result()

        self.run(drain)
        died, self.dead = self.dead.is_set(), asyncio.Event()
        return not died

    async def _bury(self, which: int) -> None:
        """First the hand that writes, then the rest: nothing of it reaches the database any more."""
        engine = self.engines[which]
        engine.shut_down()
        inside = engine.dispatcher
        tasks = [*inside._senders, *([inside._heart] if inside._heart is not None else [])]  # noqa: SLF001
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await inside._transport.close(0)  # noqa: SLF001 - a kill asks nobody
        self.engines[which] = self._engine()

    def close(self) -> None:
        async def stop() -> None:
            for engine in self.engines:
                await engine.stop(5)
                engine.shut_down()

        self.run(stop)
        self.loop.close()

"""The long-running daemon: a metronome, the pump, and an orderly end.

Model: one event loop; one thread for the database; nothing in memory that a kill could lose, but what is on the wire.
Failure: a tick that fails is logged and the next one tries again; the database itself says what is left to do.
"""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta

from nurture.app import App
from nurture.daemon.metronome import Metronome
from nurture.engine.hold import NOTABLE_DOWNTIME, awaken, put_on_hold, release, sign_of_life, why_held
from nurture.engine.outgoing import call_out
from nurture.engine.pump import EVERY_ROLE, Pumped, Role
from nurture.engine.rescue import rescue_abandoned
from nurture.errors import ConfigurationError, NurtureError

TICK, RESCUE, STATUS, ALIVE = 1.0, 15.0, 60.0, 30.0
CLOCK_JUMP = 60.0  # seconds by which the wall clock may run away from the monotonic one


class Service:
    """`run` until a signal, or `once` until nothing is due."""

    def __init__(
        self, app: App, *, roles: frozenset[Role] = EVERY_ROLE, confirm: bool = False, grace: float = 30.0
    ) -> None:
        self._app, self._roles, self._confirm, self._grace = app, roles, confirm, grace
        self._journal = app.journal
        self._stop = asyncio.Event()
        self._signals = 0
        self._held: str | None = None
        self._total = Pumped()
        self._clocks = (app.clock.now().timestamp(), app.clock.monotonic())

    async def once(self) -> Pumped:
        """Everything that is due now, and nothing after it."""
        self._awaken()
        if self._held is not None:
            raise ConfigurationError(self._hold_message())
        engine = self._app.engine(self._roles)
        try:
            await engine.in_thread(rescue_abandoned, self._app.database, self._app.clock.now())
            done = await engine.pump.drain()
            await call_out(self._app.database, self._app.callers(), engine.in_thread, self._app.clock.now)
            return done
        finally:
            await engine.stop(self._grace)
            engine.shut_down()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT, then drain; a second signal stops at once."""
        self._awaken()
        self._engine = self._app.engine(self._roles)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        metronome = Metronome()
        metronome.every(TICK, "tick", self._tick)
        metronome.every(RESCUE, "rescue", self._rescue)
        metronome.every(STATUS, "status", self._tell)
        metronome.every(ALIVE, "alive", self._sign)
        metronome.start()
        self._journal.info("started", **self._app.summary(), roles=",".join(sorted(self._roles)))
        try:
            await self._tick()
            await self._stop.wait()
        finally:
            metronome.stop()
            self._journal.info("stopping", in_flight=self._engine.dispatcher.in_flight)
            await self._engine.stop(self._grace)
            await self._sign()
            self._engine.shut_down()
            self._journal.info("stopped", turns=self._total.turns, **self._engine.dispatcher.counts)

    # --- jobs of the metronome

    async def _tick(self) -> None:
        if self._stop.is_set():
            return
        try:
            await self._check_clock()
            self._held = await self._engine.in_thread(why_held, self._app.database)
            if self._held is None:
                ticked = await self._engine.pump.tick()
                self._total += ticked
                if ticked.calls:
                    clock = self._app.clock.now
                    await call_out(self._app.database, self._app.callers(), self._engine.in_thread, clock)
        except (NurtureError, ConfigurationError) as error:
            self._journal.error("tick failed", error=str(error))

    async def _rescue(self) -> None:
        try:
            rescued = await self._engine.in_thread(rescue_abandoned, self._app.database, self._app.clock.now())
        except NurtureError as error:
            self._journal.error("rescue failed", error=str(error))
            return
        if rescued.released or rescued.unknown or rescued.again:
            self._journal.warning(
                "rescued", released=len(rescued.released), unknown=len(rescued.unknown), again=len(rescued.again)
            )

    async def _tell(self) -> None:
        held = {"on_hold": self._held} if self._held else {}
        self._journal.info(
            "status", in_flight=self._engine.dispatcher.in_flight, turns=self._total.turns,
            **self._engine.dispatcher.counts, **held,
        )  # fmt: skip

    async def _sign(self) -> None:
        if self._held is None:
            try:
                await self._engine.in_thread(sign_of_life, self._app.database, self._app.clock.now())
            except NurtureError as error:
                self._journal.error("no sign of life left", error=str(error))

    # --- clocks and holds

    def _awaken(self) -> None:
        database, now = self._app.database, self._app.clock.now()
        if self._confirm:
            release(database, now)
        awakening = awaken(database, now)
        self._held = awakening.held
        if self._held is not None:
            self._journal.error("on hold", why=self._hold_message())
        elif awakening.down_for > NOTABLE_DOWNTIME:
            # Late steps are judged by their own late policies, one turn at a time; nothing here hurries them.
            self._journal.warning("was down", hours=round(awakening.down_for / timedelta(hours=1), 1))

    def _hold_message(self) -> str:
        return f"on hold: {self._held}. If all is well, `nurture run --confirm` goes on; what is too late is skipped"

    async def _check_clock(self) -> None:
        wall, steady = self._app.clock.now().timestamp(), self._app.clock.monotonic()
        drift = (wall - self._clocks[0]) - (steady - self._clocks[1])
        self._clocks = (wall, steady)
        if abs(drift) > CLOCK_JUMP:
            why = f"the clock jumped by {drift:+.0f} seconds"
            self._journal.error("clock jumped", seconds=round(drift))
            await self._engine.in_thread(put_on_hold, self._app.database, why, self._app.clock.now())

    def _on_signal(self) -> None:
        self._signals += 1
        if self._signals > 1:
            self._journal.warning("stopped at once")
            os._exit(1)  # whatever is on the wire is in the database as claimed or gated: the next start settles it
        self._stop.set()

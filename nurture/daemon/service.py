"""The long-running daemon: a metronome, the pump, and an orderly end.

Model: one event loop; one thread for the database; nothing in memory that a kill could lose, but what is on the wire.
Failure: a tick that fails is logged and the next one tries again; the database itself says what is left to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Protocol

from nurture.app import App
from nurture.daemon.complaints import Complaints
from nurture.daemon.lookout import Lookout
from nurture.daemon.memory import settle
from nurture.daemon.metronome import Metronome
from nurture.daemon.supervisor import Supervisor
from nurture.domain.ledger import FactKind
from nurture.domain.programme import Programme
from nurture.engine.hold import NOTABLE_DOWNTIME, awaken, put_on_hold, release, sign_of_life, why_held
from nurture.engine.hubspot import HUBSPOT, pull
from nurture.engine.mailbox import Emptied, empty_imap, empty_maildir
from nurture.engine.outgoing import call_out
from nurture.engine.pump import EVERY_ROLE, Pumped, Role
from nurture.engine.rescue import rescue_abandoned
from nurture.engine.retention import forget
from nurture.engine.sharing import RelaySharing
from nurture.engine.subscriptions import follow
from nurture.errors import ConfigurationError, NurtureError
from nurture.intake.imap import ImapAddress, MailboxError
from nurture.storage.duties import hold_duty

TICK, SHARE, RESCUE, STATUS, ALIVE, FORGET = 1.0, 1.0, 15.0, 60.0, 30.0, 3600.0
FEEDBACK, IMAP, FOLLOW = 10.0, 60.0, 2.0
CLOCK_JUMP = 60.0  # seconds by which the wall clock may run away from the monotonic one


class Companion(Protocol):
    """What lives in the daemon's loop beside the pump: the HTTP side. `wake` is to be called when somebody is due."""

    async def start(self, wake: Callable[[], None]) -> None: ...
    async def stop(self, grace: float) -> None: ...


class Service:
    """`run` until a signal, or `once` until nothing is due. `ends_with_stdin`: whoever started us is gone then."""

    def __init__(
        self,
        app: App,
        *,
        roles: frozenset[Role] = EVERY_ROLE,
        confirm: bool = False,
        grace: float = 30.0,
        companions: Sequence[Companion] = (),
        ends_with_stdin: bool = False,
    ) -> None:
        self._ends_with_stdin = ends_with_stdin
        self._app, self._roles, self._confirm, self._grace = app, roles, confirm, grace
        self._companions = companions
        self._journal, self._vitals = app.journal, app.vitals
        self._complaints = Complaints(app.journal, app.clock.monotonic)
        self._stop = asyncio.Event()
        self._look = asyncio.Event()
        self._calls: asyncio.Task[int] | None = None
        self._signals = 0
        self._jump: str | None = None
        self._sharing: RelaySharing | None = app.relay_sharing() if Role.DISPATCH in roles else None
        self._clocks = (app.clock.now().timestamp(), app.clock.monotonic())

    async def once(self) -> Pumped:
        """Everything that is due now, and nothing after it. A signal ends it early, in order."""
        self._awaken()
        if self._vitals.held is not None:
            raise ConfigurationError(self._hold_message())
        self._engine = engine = self._app.engine(self._roles)
        self._listen(then=engine.pump.halt)
        try:
            await engine.in_thread(rescue_abandoned, self._app.database, self._app.clock.now())
            await self._share()
            done = await engine.pump.drain()
            while await self._may_go_on():
                done += await engine.pump.drain()
            await self._follow()
            while not self._stop.is_set() and await self._call_out():
                pass
            return done
        finally:
            await engine.stop(self._grace)
            await self._share()
            await engine.in_thread(sign_of_life, self._app.database, self._app.clock.now(), self._app.relay_trouble)
            engine.shut_down()

    async def _may_go_on(self) -> bool:
        """After a drain: the rate limit has room again, or it is on us to see whether the relay is well again."""
        probes = await self._share()
        allowance = self._engine.dispatcher.allowance
        was_spent, allowance.is_spent = allowance.is_spent, False
        if was_spent:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), TICK)
            return not self._stop.is_set()
        return probes and not self._stop.is_set()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT, then drain; a second signal stops at once."""
        down_for = self._awaken()
        if self._vitals.held is None and down_for > NOTABLE_DOWNTIME:
            # Late steps are judged by their own late policies; what may still go is not poured out all at once.
            self._journal.warning("was down", hours=round(down_for / timedelta(hours=1), 1))
        self._engine = self._app.engine(self._roles)
        self._engine.dispatcher.allowance.halved = down_for > NOTABLE_DOWNTIME
        self._engine.dispatcher.on_end = self._look.set
        self._listen(then=self._look.set)
        metronome = Metronome()
        metronome.every(TICK, "tick", self._tick)
        metronome.every(SHARE, "share", self._share)
        metronome.every(RESCUE, "rescue", self._rescue)
        supervisor = Supervisor()
        lookout = Lookout(self._app, self._engine, self._roles, self._complaints, supervisor)
        metronome.every(STATUS, "status", lookout.tell)
        metronome.every(ALIVE, "alive", lookout.sign)
        if supervisor.watchdog is not None:
            metronome.every(supervisor.watchdog / 3, "watchdog", lookout.watch)
        metronome.every(FORGET, "forget", self._forget)
        metronome.every(FOLLOW, "follow", self._follow)
        if self._app.hubspot is not None:
            metronome.every(STATUS, "hubspot", self._pull, at_once=True)
        if self._app.settings.feedback_maildir is not None:
            metronome.every(FEEDBACK, "feedback", self._take_feedback)
        if self._app.settings.feedback_imap is not None:
            metronome.every(IMAP, "imap", self._take_imap)
        self._journal.info("started", **self._app.summary(), roles=",".join(sorted(self._roles)))
        settle()
        await self._share()
        metronome.start()
        self._vitals.came_round(self._app.clock.monotonic())
        try:
            for companion in self._companions:
                await companion.start(self._look.set)
            await lookout.begin()
            await self._work()
        finally:
            metronome.stop()
            supervisor.stopping()
            for companion in self._companions:  # nothing new comes in while the rest goes out
                await companion.stop(self._grace)
            self._journal.info("stopping", in_flight=self._engine.dispatcher.in_flight)
            await self._engine.stop(self._grace)
            await self._end_calls()
            await self._share()
            await lookout.end()
            self._engine.shut_down()
            self._journal.info("stopped", turns=self._vitals.turns, **self._vitals.mails)

    async def _work(self) -> None:
        """Round after round while something moves; else until the next tick, or until a mail in flight has ended."""
        while not self._stop.is_set():
            ticked = await self._round()
            if ticked.more:
                await self._engine.pump.breathe(ticked)
            else:
                await self._look.wait()
                await self._engine.dispatcher.gather()
                self._look.clear()

    async def _round(self) -> Pumped:
        try:
            await self._check_clock()
            self._vitals.held = await self._engine.in_thread(why_held, self._app.database)
            ticked = await self._engine.pump.tick() if self._vitals.held is None else Pumped()
            self._vitals.turns += ticked.turns
            self._vitals.failed_turns += len(ticked.failures)
            self._vitals.in_flight = self._engine.dispatcher.in_flight
            if not ticked.more and not self._engine.dispatcher.in_flight:
                self._engine.dispatcher.allowance.halved = False  # whatever waited for us has gone
            if ticked.calls and (self._calls is None or self._calls.done()):
                self._calls = asyncio.create_task(self._call_out())
        except Exception as error:  # noqa: BLE001 - the database says what is left to do: try again at the next tick
            self._complaints.of("tick failed", _told(error))
            self._vitals.came_round(self._app.clock.monotonic(), _told(error))
            return Pumped()
        self._complaints.over("tick failed")
        self._vitals.came_round(self._app.clock.monotonic())
        return ticked

    async def _call_out(self) -> int:
        """Beside the mail, not before it: a webhook may be slow."""
        try:
            taken = await call_out(self._app.database, self._app.callers(), self._engine.in_thread, self._app.clock.now)
        except NurtureError as error:  # they show again by themselves
            self._complaints.of("calls failed", str(error))
            return 0
        self._complaints.over("calls failed")
        self._vitals.calls += taken
        return taken

    async def _end_calls(self) -> None:
        if self._calls is not None and not self._calls.done():
            await asyncio.wait({self._calls}, timeout=self._grace)
            self._calls.cancel()

    # --- jobs of the metronome

    async def _tick(self) -> None:
        self._look.set()

    async def _share(self) -> bool:
        """Whether it is on us to probe the relay. If the database is away, the next round says so."""
        if self._sharing is None:
            return False
        try:
            return await self._sharing.exchange(self._engine.in_thread)
        except NurtureError:
            return False

    async def _rescue(self) -> None:
        try:
            await self._check_clock()
            if self._vitals.held is not None:  # leases mean nothing by a clock that nobody trusts
                return
            rescued = await self._engine.in_thread(rescue_abandoned, self._app.database, self._app.clock.now())
        except NurtureError as error:
            self._complaints.of("rescue failed", str(error))
            return
        self._complaints.over("rescue failed")
        self._vitals.released += len(rescued.released)
        self._vitals.unknown += len(rescued.unknown) + len(rescued.again)
        if rescued.released or rescued.unknown or rescued.again:
            self._journal.warning(
                "rescued", released=len(rescued.released), unknown=len(rescued.unknown), again=len(rescued.again)
            )

    async def _follow(self) -> None:
        """Whoever subscribes hears of what has happened."""
        app = self._app
        try:
            programme = app.applied().programme
            others = {HUBSPOT: frozenset({FactKind.STAGE_MOVED.value})} if app.hubspot is not None else {}
            if others or any(webhook.facts for webhook in programme.webhooks.values()):
                await self._engine.in_thread(follow, app.database, programme, app.clock.now(), others)
        except (NurtureError, ConfigurationError) as error:  # they are still in the ledger
            self._complaints.of("facts not told", str(error))
            return
        self._complaints.over("facts not told")

    async def _pull(self) -> None:
        """What has changed in HubSpot, taken in by one daemon; in a thread of its own, since it may be slow."""
        app, now = self._app, self._app.clock.now()
        lease = timedelta(seconds=5 * STATUS)
        try:
            held = await self._engine.in_thread(
                app.database.transact, lambda tx: hold_duty(tx, HUBSPOT, app.owner, now, lease)
            )
            if held and app.hubspot is not None:
                pulled = await asyncio.to_thread(pull, app.database, app.hubspot, now)
                if pulled.events:
                    self._journal.info("hubspot", contacts=pulled.contacts, events=pulled.events, odd=pulled.odd)
                    self._look.set()
        except NurtureError as error:
            self._complaints.of("hubspot not read", str(error))
            return
        self._complaints.over("hubspot not read")

    async def _forget(self) -> None:
        if self._vitals.held is not None:
            return
        app, keep = self._app, timedelta(days=self._app.settings.retention_days)
        try:
            programme = app.applied().programme
            gone = await self._engine.in_thread(forget, app.database, programme, keep, app.owner, app.clock.now())
        except (NurtureError, ConfigurationError) as error:
            self._journal.error("not forgotten", error=str(error))
            return
        if gone:
            self._journal.info("forgotten", rows=gone)

    async def _take_feedback(self) -> None:
        """Bounces and complaints are taken while mails may not move, too: they only ever stop some."""
        app, folder = self._app, self._app.settings.feedback_maildir
        assert folder is not None
        place = folder if folder.is_absolute() else app.root / folder

        async def empty(programme: Programme) -> Emptied:
            now = app.clock.now()
            return await self._engine.in_thread(
                partial(empty_maildir, storm=app.storm_rule),
                app.database, app.keyring, programme, place, app.owner, now,
            )  # fmt: skip

        await self._empty(empty, "feedback not read")

    async def _take_imap(self) -> None:
        """In a thread of its own: the server may be slow, and turns do not wait for it."""
        app, url = self._app, self._app.settings.feedback_imap
        assert url is not None
        address = ImapAddress.parse(url.get_secret_value())

        async def empty(programme: Programme) -> Emptied:
            now = app.clock.now()
            return await asyncio.to_thread(
                empty_imap, app.database, app.keyring, programme, address, app.owner, now, storm=app.storm_rule
            )

        await self._empty(empty, "mailbox not read")

    async def _empty(self, empty: Callable[[Programme], Awaitable[Emptied]], trouble: str) -> None:
        try:
            programme, emptied = self._app.applied().programme, Emptied(more=True)
            while emptied.more and not self._stop.is_set():
                emptied = await empty(programme)
                if emptied.effects:
                    self._journal.info("came back", **{k.replace(" ", "_"): n for k, n in emptied.effects.items()})
                    self._look.set()
        except (NurtureError, ConfigurationError, MailboxError, OSError) as error:
            self._complaints.of(trouble, _told(error))
            return
        self._complaints.over(trouble)

    # --- clocks, holds, signals

    def _awaken(self) -> timedelta:
        """For how long nobody was here; `_held` says whether anything may move."""
        database, now = self._app.database, self._app.clock.now()
        if self._confirm:
            release(database, now)
        awakening = awaken(database, now)
        self._vitals.held = awakening.held
        if self._vitals.held is not None:
            self._journal.error("on hold", why=self._hold_message())
        return awakening.down_for

    def _hold_message(self) -> str:
        why = self._vitals.held
        return f"on hold: {why}. If all is well, `nurture run --confirm` goes on; what is too late is skipped"

    async def _check_clock(self) -> None:
        wall, steady = self._app.clock.now().timestamp(), self._app.clock.monotonic()
        drift = (wall - self._clocks[0]) - (steady - self._clocks[1])
        self._clocks = (wall, steady)
        if abs(drift) > CLOCK_JUMP:
            self._jump = f"the clock jumped by {drift:+.0f} seconds"
            self._journal.error("clock jumped", seconds=round(drift))
        if self._jump is not None:  # until it is written down: a database that is busy now must not make us forget
            self._vitals.held = self._jump
            await self._engine.in_thread(put_on_hold, self._app.database, self._jump, self._app.clock.now())
            self._jump = None

    def _listen(self, then: Callable[[], None]) -> None:
        """SIGTERM and SIGINT ask for an orderly end, and `then` is told."""

        def on_signal() -> None:
            self._signals += 1
            if self._signals > 1:
                self._journal.warning("stopped at once")
                os._exit(1)  # what is on the wire is in the database as claimed or gated: the next start settles it
            self._stop.set()
            then()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)
        if self._ends_with_stdin:

            def on_end() -> None:
                loop.remove_reader(sys.stdin)
                on_signal()

            loop.add_reader(sys.stdin, on_end)


def _told(error: Exception) -> str:
    known = isinstance(error, NurtureError | ConfigurationError)
    return str(error) if known else f"{type(error).__name__}: {error}"

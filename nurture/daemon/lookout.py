"""What the daemon tells of itself: signs of life, the log's minute, systemd, and the dead man's switch."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from nurture import __version__
from nurture.app import App, Engine
from nurture.daemon.complaints import Complaints
from nurture.daemon.dead_man import DeadManSwitch
from nurture.daemon.supervisor import Supervisor
from nurture.engine.hold import sign_of_life
from nurture.engine.pump import Role
from nurture.engine.standing import Standing, findings, lag_in_words, look
from nurture.errors import NurtureError
from nurture.storage.heartbeats import leave

QUIET_MINUTES = 60  # an idle daemon says so once an hour


class Lookout:
    """Its methods are jobs of the metronome, but for `begin` and `end`. None of them raises."""

    def __init__(
        self, app: App, engine: Engine, roles: frozenset[Role], complaints: Complaints, supervisor: Supervisor
    ) -> None:
        self._app, self._engine, self._roles = app, engine, roles
        self._journal, self._complaints, self.supervisor = app.journal, complaints, supervisor
        url = app.settings.heartbeat_url
        self._switch = DeadManSwitch(url.get_secret_value()) if url is not None else None
        self._since = app.clock.now()
        self._told: Mapping[str, object] = {}
        self._quiet = 0
        self._open: set[str] = set()

    async def begin(self) -> None:
        """Work has begun."""
        await self.sign()
        self.supervisor.ready()
        self.supervisor.status("started")

    async def end(self) -> None:
        """An orderly end: the last sign of life, and no heart that beats no more."""
        await self.sign()
        try:
            await self._engine.in_thread(self._leave)
        except NurtureError as error:
            self._complaints.of("no sign of life left", str(error))

    async def sign(self) -> None:
        """A sign of life in the database. None on hold: the clock it would be stamped with is not trusted then."""
        if self._app.vitals.held is not None:
            return
        app = self._app
        try:
            await self._engine.in_thread(sign_of_life, app.database, app.clock.now(), app.relay_trouble, self._said())
        except NurtureError as error:
            self._complaints.of("no sign of life left", str(error))
        else:
            self._complaints.over("no sign of life left")

    async def watch(self) -> None:
        """Feed the watchdog, but only while the pump comes round: a daemon that merely exists is to be restarted."""
        still = self._app.vitals.since_round(self._app.clock.monotonic())
        if self.supervisor.watchdog is None or (still is not None and still < self.supervisor.watchdog):
            self.supervisor.alive()

    async def tell(self) -> None:
        """How things stand: to the log (when something moved, else once an hour), to systemd, to the outside."""
        try:
            standing = await self._engine.in_thread(look, self._app.database, self._app.clock.now())
        except NurtureError as error:
            self._complaints.of("no status", str(error))
            await self._press(well=False)
            return
        self._complaints.over("no status")
        await self._press(well=self._mind(standing))
        self._log(standing)
        shut = standing.hold or (standing.stopped and "sending is stopped")
        self.supervisor.status(f"on hold: {standing.hold}" if standing.hold else shut or lag_in_words(standing))

    def _mind(self, standing: Standing) -> bool:
        """Whether nothing needs a person. What newly does is said aloud, once; so is its end."""
        found = {one.code: one for one in findings(standing)}
        for code in sorted(found.keys() - self._open):
            self._journal.error("needs a person", what=code, found=found[code].found, fix=found[code].fix)
        for code in sorted(self._open - found.keys()):
            self._journal.info("needs nobody any more", what=code)
        self._open = set(found)
        return not found

    def _log(self, standing: Standing) -> None:
        vitals = self._app.vitals
        moved = {"turns": vitals.turns, **vitals.mails}
        self._quiet = 0 if moved != self._told else self._quiet + 1
        self._told = moved
        if self._quiet % QUIET_MINUTES == 0:
            queue = {
                "due": standing.queue.due,
                "ready": standing.queue.ready,
                "lag": round(standing.lag.total_seconds()),
            }
            relay = {"relay": self._app.relay_trouble} if self._app.relay_trouble is not None else {}
            held = {"on_hold": standing.hold} if standing.hold is not None else {}
            self._journal.info("status", in_flight=vitals.in_flight, **moved, **queue, **relay, **held)

    async def _press(self, *, well: bool) -> None:
        if self._switch is None:
            return
        deaf = await self._switch.tell(well=well)
        if deaf is not None:
            self._complaints.of("nobody heard the heartbeat", deaf)
        else:
            self._complaints.over("nobody heard the heartbeat")

    def _said(self) -> dict[str, Any]:
        return {
            "owner": self._app.owner,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": __version__,
            "roles": sorted(self._roles),
            "since": self._since.isoformat(),
            "in_flight": self._app.vitals.in_flight,
            "turns": self._app.vitals.turns,
            "mails": dict(self._app.vitals.mails),
        }

    def _leave(self) -> None:
        self._app.database.transact(lambda tx: leave(tx, self._app.owner, self._app.clock.now()))

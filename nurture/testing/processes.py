"""Real daemons for tests: child processes of `python -m nurture`, a relay that counts, and databases they share."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from nurture.app import App
from nurture.domain.delivery import DeliveryState
from nurture.engine.apply import apply, plan
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.settings import load
from nurture.storage.figures import outcomes
from nurture.testing.forks import Child, forks
from nurture.testing.house import SECRET, sources
from nurture.testing.invariants import hold
from nurture.testing.smtp import ScriptedServer

REPOSITORY = Path(__file__).parents[2]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE_MAIL = """\
start: {event: Signed Up}
steps:
  - {id: hello, send: hello}
"""


def pause(seconds: float) -> None:
    """Let real time pass: the daemon is another process, and has the clock of this machine."""
    threading.Event().wait(seconds)


def until(holds: Callable[[], bool], seconds: float, what: str = "") -> None:
    """Wait for what another process will bring about."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        pause(0.02)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


Process = Child | subprocess.Popen[bytes]


class Daemon:
    """One `nurture run`; its log is read when it has ended."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *arguments: str) -> None:
        self.log_path = folder / f"daemon-{time.monotonic_ns()}.log"
        self.log_path.touch()
        self.process = self._started(folder, environ, ["run", *arguments])

    def _started(
        self, folder: Path, environ: Mapping[str, str], arguments: list[str]
    ) -> Child | subprocess.Popen[bytes]:
        if "LD_PRELOAD" not in environ:
            return forks().start(folder, environ, arguments, self.log_path)
        with self.log_path.open("wb") as log:  # the library is for the loader, and a fork is loaded already
            command = [sys.executable, "-m", "nurture", *arguments]
            return subprocess.Popen(command, cwd=folder, env=dict(environ), stdout=subprocess.DEVNULL, stderr=log)

    @property
    def text(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == name]

    def until_started(self) -> None:
        until(lambda: '"event": "started"' in self.text or self.process.poll() is not None, 120, f"start: {self.text}")
        assert self.process.poll() is None, self.text

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()

    def wait(self, seconds: float = 90) -> int:
        return self.process.wait(seconds)

    def end(self) -> int:
        self.terminate()
        return self.wait()

    @property
    def sent(self) -> int:
        """How many it says it has sent, at its end."""
        return int(self.events("stopped")[-1].get("sent", 0))


class Shop:
    """A project folder and its database; `people` sign up in bulk."""

    def __init__(self, folder: Path, database_url: str, server: ScriptedServer, options: str = "") -> None:
        self.folder, self.server = folder, server
        self.daemons: list[Daemon] = []
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "NURTURE_DATABASE_URL": database_url,
            "NURTURE_SECRET_KEY": SECRET,
            "NURTURE_BASE_URL": "https://mail.northwind.example",
            "NURTURE_DELIVERY": "smtp",
            "NURTURE_SMTP_URL": f"smtp://{server.host}:{server.port}?{options or 'connections=8'}",
            "NURTURE_PER_DOMAIN": "100",
            "NURTURE_LOG_FORMAT": "json",
        }
        (folder / ".env").touch()
        self.app = App(load(folder / ".env", self.environ), root=folder)
        self.told = 0

    def apply(self, *campaigns: str, **options: Any) -> int:
        planned = plan(self.app.database, sources(*(campaigns or (ONE_MAIL,)), **options))
        number = apply(self.app.database, planned, self.now, "test", confirmed=planned.to_confirm)
        self.app.require_ready()
        return number

    @property
    def now(self) -> datetime:
        return self.app.clock.now()

    def people(self, number: int, event: str = "Signed Up") -> None:
        """So many new people who want mail sign up."""
        names = [f"p{self.told + n}@people.example" for n in range(number)]
        self.told += number
        told = [IncomingEvent(name=name, email=email) for email in names for name in ("Newsletter Subscribed", event)]
        ingest(self.app.database, told, self.now)

    def start(self, *arguments: str, **environ: str) -> Daemon:
        daemon = Daemon(self.folder, {**self.environ, **environ}, *arguments)
        self.daemons.append(daemon)
        return daemon

    def once(self, *arguments: str) -> Daemon:
        daemon = self.start("--once", *arguments)
        assert daemon.wait(90) == 0, daemon.text
        return daemon

    def let_leases_end(self, dead: Daemon | int) -> None:
        """As if a minute had passed since the dead (or its process number) was last heard of."""
        number = dead if isinstance(dead, int) else dead.process.pid
        with self.app.database.write() as tx:
            past = "now() - interval '1 second'" if tx.dialect == "postgresql" else "1"
            tx.execute(
                text(f"UPDATE deliveries SET lease_until = {past} WHERE owner LIKE :owner"),
                {"owner": f"%-{number}-%"},
            )

    def let_time_come(self) -> None:
        """As if what is put off had waited long enough."""
        with self.app.database.write() as tx:
            past = "now() - interval '1 second'" if tx.dialect == "postgresql" else "1"
            tx.execute(text(f"UPDATE deliveries SET not_before = {past} WHERE state IN ('planned', 'deferred')"))

    def states(self) -> Counter[str]:
        with self.app.database.read() as tx:
            rows = tx.execute(text("SELECT state, count(*) FROM deliveries GROUP BY state"))
            return Counter({row[0]: row[1] for row in rows})

    def until_sent(self, number: int, seconds: float = 60) -> None:
        until(lambda: self.server.taken >= number, seconds, f"{number} mails, {self.server.taken} went")

    def until_settled(self, number: int, seconds: float = 60) -> None:
        def settled() -> bool:
            with self.app.database.read() as tx:
                return outcomes(tx, EPOCH).get(DeliveryState.SENT, 0) >= number

        until(settled, seconds, f"{number} outcomes; {self.states()}")

    def check(self, unknown: int = 0, *, resent: int = 0) -> None:
        """One mail each, and the invariants, by what the relay counted; at most so many unknown, and so many resent."""
        states = self.states()
        assert states["sent"] + states["unknown"] == self.told, states
        assert states["unknown"] <= unknown, states
        copies = self.server.messages
        people = {copy.recipient for copy in copies}
        assert self.told - states["unknown"] <= len(people) <= self.told
        assert len(copies) <= len(people) + resent
        assert not self.server.violations
        logs = [daemon.text for daemon in self.daemons]
        hold(self.app.database, self.server.copies, self.app.applied().programme, now=self.now, logs=logs)

    def close(self) -> None:
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.kill()
                daemon.wait()
        self.app.close()

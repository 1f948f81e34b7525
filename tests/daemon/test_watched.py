"""What a daemon tells of itself: to systemd, to the dead man's switch, to the others, and to its log."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from nurture.daemon.complaints import Complaints
from nurture.daemon.dead_man import DeadManSwitch
from nurture.daemon.lookout import Lookout
from nurture.daemon.supervisor import Supervisor
from nurture.engine.pump import Role
from nurture.storage.controls import start_sending, stop_sending
from nurture.storage.database import Database
from nurture.storage.heartbeats import heartbeats
from nurture.testing.house import House, Journal, sources
from nurture.testing.listener import Listener
from nurture.testing.processes import ONE_MAIL, Shop, pause, until

Build = Callable[..., House]


class Systemd:
    """The socket of a service manager; `said` is all that came."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.said: list[str] = []

    def hear(self) -> list[str]:
        while True:
            try:
                self.said.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.said

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(tmp_path / "notify")
    yield listening
    listening.close()


def test_systemd_is_told_of_start_and_end_and_fed_while_the_pump_comes_round(file_shop: Shop, systemd: Systemd) -> None:
    daemon = file_shop.start(NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="1500000")
    until(lambda: "READY=1" in systemd.hear(), 40, "ready")
    until(lambda: systemd.hear().count("WATCHDOG=1") >= 3, 20, "fed")
    assert "STATUS=started" in systemd.said
    assert "STOPPING=1" not in systemd.said
    assert daemon.end() == 0
    assert systemd.hear()[-1] == "STOPPING=1"


def test_a_daemon_whose_pump_stands_still_is_not_fed(file_shop: Shop, systemd: Systemd) -> None:
    """Its database thread waits for a lock that nobody gives back; the loop itself is as lively as ever."""
    daemon = file_shop.start(NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="1500000")
    until(lambda: systemd.hear().count("WATCHDOG=1") >= 2, 40, "fed")
    file_shop.people(1)
    lock = sqlite3.connect(file_shop.app.database.path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    pause(3)
    before = len(systemd.hear())
    pause(2)
    assert "WATCHDOG=1" not in systemd.hear()[before:]
    lock.close()
    until(lambda: "WATCHDOG=1" in systemd.hear()[before:], 40, "fed again")
    assert daemon.end() == 0


def test_without_systemd_nothing_is_said_and_a_socket_that_is_gone_hurts_nobody(tmp_path: Path) -> None:
    assert Supervisor({}).watchdog is None
    Supervisor({}).ready()
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()
    assert Supervisor({"WATCHDOG_USEC": "30000000"}).watchdog is None
    assert Supervisor({"NOTIFY_SOCKET": "@abstract", "WATCHDOG_USEC": "30000000"}).watchdog == 30


def test_daemons_at_work_are_known_and_leave_in_order(shop: Shop) -> None:
    def known() -> list[int]:
        with shop.app.database.read() as tx:
            return sorted(one.said["pid"] for one in heartbeats(tx))

    first, second = shop.start(), shop.start("--roles", "dispatch")
    until(lambda: known() == sorted([first.process.pid, second.process.pid]), 40, "two heartbeats")
    with shop.app.database.read() as tx:
        roles = {one.said["pid"]: one.said["roles"] for one in heartbeats(tx)}
    assert roles == {first.process.pid: ["advance", "dispatch"], second.process.pid: ["dispatch"]}
    assert first.end() == 0
    assert known() == [second.process.pid]
    os.kill(second.process.pid, signal.SIGKILL)
    second.wait()
    assert known() == [second.process.pid], "one that died is missed"


class Outside(Listener):
    """Somebody who listens for the heartbeat; `code` is what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.code = 200
        self.url += "/secret-id"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.seen.append(request.path)
        request.send_response(self.code)
        request.end_headers()


@pytest.fixture
def outside() -> Iterator[Outside]:
    with Outside() as running:
        yield running


def told(url: str, *, well: bool) -> str | None:
    return asyncio.run(DeadManSwitch(url).tell(well=well))


def test_the_dead_mans_switch_is_pressed_by_the_convention_of_heartbeat_services(outside: Outside) -> None:
    assert told(outside.url, well=True) is None
    assert told(f"{outside.url}?create=1", well=False) is None
    assert outside.seen == ["/secret-id", "/secret-id/fail?create=1"]
    outside.code = 500
    assert told(outside.url, well=True) == "answered 500"
    assert told("http://127.0.0.1:1/secret-id", well=True) is not None


@pytest.fixture
def build(database: Database, tmp_path: Path, outside: Outside) -> Build:
    def make() -> House:
        house = House(database, tmp_path, sources(ONE_MAIL), heartbeat_url=outside.url)
        house.apply()
        return house

    return make


def lookout(build: Build, *minutes: Callable[[House], object]) -> House:
    """A daemon's lookout over a house: what happens, minute by minute, and the heartbeat after each."""
    house = build()

    async def work() -> None:
        async with house.engine() as engine:
            complaints = Complaints(house.journal, house.clock.monotonic)
            watching = Lookout(house.app, engine, frozenset(Role), complaints, Supervisor({}))
            await watching.begin()
            for happens in minutes:
                happens(house)
                await watching.sign()
                await watching.tell()
                house.clock.jump_to(house.now + timedelta(minutes=1))
            await watching.end()

    asyncio.run(work())
    return house


def test_the_heartbeat_says_whether_a_person_is_needed_and_the_log_says_it_once(build: Build, outside: Outside) -> None:
    house = lookout(
        build,
        lambda house: None,
        lambda house: house.database.transact(lambda tx: stop_sending(tx, house.now, "olga", "a wrong price")),
        lambda house: None,
        lambda house: house.database.transact(lambda tx: start_sending(tx, house.now)),
    )
    assert outside.seen == ["/secret-id", "/secret-id/fail", "/secret-id/fail", "/secret-id"]
    needed = [(event, fields["what"]) for _, event, fields in house.journal.lines if "what" in fields]
    assert needed == [("needs a person", "stopped"), ("needs nobody any more", "stopped")]
    assert "secret-id" not in str(house.journal.lines)


def test_a_heartbeat_that_nobody_hears_hurts_nobody_and_is_told_without_its_address(
    build: Build, outside: Outside
) -> None:
    outside.code = 404
    house = lookout(build, *[lambda house: None] * 3)
    assert house.journal.events.count("nobody heard the heartbeat") == 2
    assert "secret-id" not in str(house.journal.lines)


def test_an_idle_daemon_says_so_once_an_hour_and_a_busy_one_every_minute(build: Build) -> None:
    def busy(house: House) -> None:
        house.app.vitals.turns += 1

    quiet = lookout(build, *[lambda house: None] * 119)
    assert quiet.journal.events.count("status") == 2
    active = lookout(build, *[busy] * 5)
    assert active.journal.events.count("status") == 5


def test_the_log_says_trouble_at_once_then_ever_more_rarely_and_when_it_ends() -> None:
    now, journal = [0.0], Journal()
    complaints = Complaints(journal, lambda: now[0])
    for second in range(150):
        now[0] = float(second)
        complaints.of("tick failed", "the disk is full")
    complaints.over("tick failed")
    complaints.over("tick failed")
    told = [(level, event, fields.get("times")) for level, event, fields in journal.lines]
    assert told == [
        ("error", "tick failed", None),
        ("error", "tick failed", 60),
        ("info", "well again", None),
    ]

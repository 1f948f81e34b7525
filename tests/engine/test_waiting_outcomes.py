"""The relay has answered and the database is busy: the answer waits, and is not forgotten."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nurture.domain.delivery import DeliveryState
from nurture.engine import dispatch
from nurture.storage import sqlite
from nurture.storage.database import Database
from nurture.testing.house import House, sources
from nurture.testing.smtp import Act, ScriptedServer

ONE_MAIL = "start: {event: Signed Up}\nsteps:\n  - {id: hello, send: hello}\n"


@pytest.fixture
def path(tmp_path: Path, _sqlite_template: Path) -> Path:
    shutil.copy(_sqlite_template, tmp_path / "busy.db")
    return tmp_path / "busy.db"


@pytest.fixture
def impatient(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database that says "busy" soon."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)
    monkeypatch.setattr(dispatch, "DATABASE_PAUSE", 0.1)
    with Database(f"sqlite:///{path}", leases_by_server=False) as opened:
        yield opened


class Lock:
    """Takes the write lock when the server is handed a dot, and gives it back after `seconds`."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.seconds, self.taken = path, seconds, 0

    def __call__(self, _line: str) -> Act | None:
        self.taken += 1
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN IMMEDIATE")
        threading.Timer(self.seconds, lambda: (connection.execute("ROLLBACK"), connection.close())).start()
        return None


def test_an_answer_waits_for_a_database_that_is_busy(impatient: Database, path: Path, tmp_path: Path) -> None:
    lock = Lock(path, 1.0)
    with ScriptedServer() as server:
        house = House(impatient, tmp_path, sources(ONE_MAIL), server)
        house.apply()
        house.consenting()
        house.tell("Signed Up")
        server.script["DOT"] = lock

        async def live() -> None:
            async with house.engine() as engine:
                await engine.pump.tick()
                while engine.dispatcher.in_flight:
                    await engine.dispatcher.wait(0.1)
                await engine.pump.drain()

        asyncio.run(live())
        assert lock.taken == len(server.messages) == 1
        assert house.state() is DeliveryState.SENT
        assert "outcome waits for the database" in house.journal.events


def test_words_that_cannot_be_stored_do_not_lose_what_they_mean(
    impatient: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from nurture.engine import outcome as judge

    judged = judge.of_attempt

    def unstorable(*arguments: Any) -> Any:
        outcome = judged(*arguments)
        return replace(outcome, facts=tuple(replace(fact, detail={"text": "a\0b"}) for fact in outcome.facts))

    with ScriptedServer() as server:
        house = House(impatient, tmp_path, sources(ONE_MAIL), server)
        house.apply()
        house.consenting("ana@people.example", "ben@people.example")
        house.tell("Signed Up")
        house.tell("Signed Up", "ben@people.example")
        monkeypatch.setattr(judge, "of_attempt", unstorable)
        house.drain()
        assert house.state() is house.state("ben@people.example") is DeliveryState.SENT
        assert house.journal.events.count("outcome written without words") == 2

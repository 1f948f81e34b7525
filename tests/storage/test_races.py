"""Four processes over one database: everything is taken, and nothing twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from nurture.storage.events import Arrival, store_events
from nurture.storage.identities import Identity
from nurture.storage.queue import wake
from nurture.storage.tables import contacts, deliveries, due, events
from nurture.storage.types import sql

World = Any
WORKERS, PEOPLE, CROWD = 4, 400, 1200


def race(world: World, url: str, what: str) -> list[list[Any]]:
    """What each worker got. All of them must end well, without a word of complaint."""
    script = Path(__file__).with_name("race_worker.py")
    command = [sys.executable, "-W", "error", str(script), what, url]
    workers = [
        subprocess.Popen(
            [*command, f"worker-{n}", world.now.isoformat()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for n in range(WORKERS)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n", worker.communicate()
    got = []
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        said, complaint = worker.communicate(timeout=120)
        assert (worker.returncode, complaint) == (0, "")
        got.append([json.loads(line) for line in said.splitlines()])
    return got


def populate(world: World, people: int = PEOPLE) -> None:
    arrivals = [
        Arrival(who=Identity(email=f"p{n}@example.com"), name="Viewed", at=world.now, source="shop", message_id=str(n))
        for n in range(people)
    ]
    with world.database.write() as tx:
        store_events(tx, arrivals, world.now)


def count(world: World, query: Any) -> int:
    with world.database.read() as tx:
        return int(tx.execute(query).scalar_one())


def test_turns_are_taken_once_and_caps_hold(world: World, database_url: str) -> None:
    populate(world)
    with world.database.write() as tx:  # three wakes more for everyone, as from three sources at once
        for n in range(1, 4):
            wake(tx, range(1, PEOPLE + 1), world.now - timedelta(seconds=n))
    got = race(world, database_url, "turns")
    taken = Counter(contact_id for each in got for contact_id in each)
    assert set(taken) == set(range(1, PEOPLE + 1))
    assert count(world, select(func.count()).select_from(deliveries)) == PEOPLE
    assert count(world, select(func.count()).select_from(due)) == 0
    assert count(world, select(func.count()).select_from(events).where(sql("processed_at IS NULL"))) == 0


@pytest.mark.parametrize("people", [PEOPLE, pytest.param(CROWD, marks=pytest.mark.lab)])
def test_each_mail_is_gated_and_sent_by_one_of_them(world: World, database_url: str, people: int) -> None:
    populate(world, people)
    race(world, database_url, "turns")
    got = race(world, database_url, "mails")
    sent = Counter(tuple(key) for each in got for key in each)
    assert len(sent) == people
    assert set(sent.values()) == {1}
    assert world.states() == ["sent"] * people


def test_the_same_events_told_by_all_at_once_are_stored_once(world: World, database_url: str) -> None:
    race(world, database_url, "ingest")
    assert count(world, select(func.count()).select_from(events)) == 200
    assert count(world, select(func.count()).select_from(contacts)) == 200
    assert count(world, select(func.max(contacts.c.version))) <= 1

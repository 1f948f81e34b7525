"""A random population lives the same life in the simulator and in the real engine, on both databases and real SMTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nurture.engine.audit import audit
from nurture.engine.simulation.population import Population
from nurture.engine.simulation.rendered import rendering
from nurture.language.compile import compile_project
from nurture.language.source import read_project
from nurture.storage.database import Database
from nurture.testing.house import House
from nurture.testing.outgoing import brisk
from nurture.testing.populations import live_for_real, live_in_memory, settle_in
from nurture.testing.scenarios import comparable
from nurture.testing.smtp import ScriptedServer

BEGIN = datetime(2027, 4, 1, 6, tzinfo=UTC)
PATIENT = brisk(**dict.fromkeys(("tcp", "greeting", "mail", "rcpt", "data", "block", "dot"), 120.0))
STARTER = read_project(Path(__file__).parents[2])


def lives_alike(database: Database, folder: Path, people: int, days: int, seed: int) -> None:
    with ScriptedServer() as server:
        # The simulator has no slow relay: real seconds on a busy machine must not become one.
        house = House(database, folder, STARTER, server, start=BEGIN, relay={"timeouts": PATIENT})
        house.apply()
        programme, behaviour = house.app.applied().programme, compile_project(STARTER).behaviour
        assert behaviour is not None
        end = BEGIN + timedelta(days=days)
        population = Population(behaviour, people, seed, BEGIN, end)
        everybody = settle_in(house, population)
        lived = live_in_memory(programme, everybody, population, rendering(programme, STARTER))
        real = live_for_real(house, lived, end)
    mails = 0
    for beginning, life in lived:
        ledger = real[beginning.contact.id]
        assert comparable(ledger) == comparable(life.person.ledger), beginning.contact
        mails += len(life.person.sent)
    assert mails >= people / 2  # they are alive
    assert audit(database, programme, house.now).holds


def test_thirty_people_live_a_fortnight_as_simulated(database: Database, tmp_path: Path) -> None:
    lives_alike(database, tmp_path, people=30, days=14, seed=11)


@pytest.mark.lab
@pytest.mark.parametrize(("database_url", "seed"), [("sqlite", 1), ("postgres", 2)], indirect=["database_url"])
def test_a_hundred_and_fifty_people_live_a_month_as_simulated(database: Database, tmp_path: Path, seed: int) -> None:
    lives_alike(database, tmp_path, people=150, days=30, seed=seed)

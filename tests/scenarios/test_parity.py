"""Every story ends the same on SQLite, on PostgreSQL and in memory; and the audit finds nothing in any of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nurture.engine.audit import audit
from nurture.storage.database import Database
from nurture.testing.house import House, sources
from nurture.testing.scenarios import Scenario, comparable, live_for_real, live_in_memory, mailed
from nurture.testing.smtp import ScriptedServer
from nurture.testing.worlds import instant


def _stories() -> list[Scenario]:
    spec = importlib.util.spec_from_file_location("stories", Path(__file__).with_name("scenarios.py"))
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.SCENARIOS)


SCENARIOS = _stories()


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_story_has_one_end(scenario: Scenario, database: Database, tmp_path: Path, server: ScriptedServer) -> None:
    files = sources(*scenario.campaigns, project=scenario.project, segments=scenario.segments)
    begin = instant(scenario.start)
    house = House(database, tmp_path, files, server, start=begin)
    house.apply()
    real = live_for_real(house, scenario)
    programme = house.app.applied().programme
    ids = {who: house.id_of(f"{who}@people.example") for who in real}
    imagined = live_in_memory(programme, begin, scenario, ids)
    for who, ledger in real.items():
        assert comparable(ledger) == comparable(imagined[who])
    if scenario.sent != ("ana *",):
        assert mailed(real) == list(scenario.sent)
    assert [line for line in house.journal.lines if line[0] == "error"] == []
    found = audit(database, programme, house.now)
    assert found.holds, found.findings


def test_the_stories_are_many_and_no_two_are_called_alike() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) >= 50

"""Many daemons over one PostgreSQL: killed at random, their server restarted under them; all is done, nothing twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from nurture.testing.processes import Shop, until
from nurture.testing.smtp import ScriptedServer

CONNECTIONS = 8


@pytest.mark.parametrize(
    ("daemons", "people", "kills", "seconds"),
    [
        (2, 1_500, 2, 120),
        pytest.param(4, 50_000, 20, 800, marks=[pytest.mark.lab(first=True), pytest.mark.timeout(1200)]),
    ],
    ids=["small", "whole"],
)
def test_daemons_that_die_and_a_server_that_restarts_lose_nothing_and_repeat_nothing(
    open_shop: Callable[..., Shop],
    postgres_server: Any,
    server: ScriptedServer,
    daemons: int,
    people: int,
    kills: int,
    seconds: float,
) -> None:
    chance = random.Random(20261122)
    url = postgres_server.migrated()
    shop = open_shop(url, f"connections={CONNECTIONS}")
    shop.apply()
    for _ in range(0, people, 500):
        shop.people(500)
    fleet = [shop.start() for _ in range(daemons)]
    for daemon in fleet:
        daemon.until_started()
    for number in range(kills):
        until(lambda at=(number + 1) * people // (kills + 3): server.taken >= at, seconds, "so many mails")
        place = chance.randrange(daemons)
        fleet[place].kill()
        fleet[place].wait()
        shop.let_leases_end(fleet[place])
        fleet[place] = shop.start()
        fleet[place].until_started()  # with no database at its start it would say so and end
        if number == kills // 2:
            postgres_server.crash_and_restart()
    until(lambda: server.taken >= people - CONNECTIONS * kills, seconds, "nearly all mails")
    until(lambda: everything_is_settled(shop), seconds, str(shop.states()))
    assert [each.end() for each in fleet] == [0] * daemons
    for each in fleet:
        assert "Traceback" not in each.text
    shop.check(unknown=CONNECTIONS * kills)
    assert nobody_is_stuck(shop)
    shop.close()
    postgres_server.drop(url)


@pytest.mark.lab(first=True)
@pytest.mark.parametrize("rows", [100_000])
def test_a_large_import_beside_a_daemon_makes_nobody_wait(
    shop: Shop, server: ScriptedServer, tmp_path: Path, rows: int
) -> None:
    """One person after the other signs up while the command line takes in a file; each has her mail at once."""
    people = tmp_path / "people.csv"
    people.write_text("email,name\n" + "".join(f"row{n}@people.example,Name {n}\n" for n in range(rows)))
    daemon = shop.start()
    daemon.until_started()
    alone = [seconds_of_one_mail(shop) for _ in range(5)]
    command = [sys.executable, "-m", "nurture", "import", str(people), "--yes", "--consent", "a test"]
    importing = subprocess.Popen(
        command, cwd=shop.folder, env=shop.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    waited = []
    while importing.poll() is None:
        waited.append(seconds_of_one_mail(shop))
    said, _ = importing.communicate()
    assert importing.returncode == 0, said
    shop.until_settled(shop.told)
    assert daemon.end() == 0, daemon.text
    assert [line for line in daemon.lines if line["level"] in {"warning", "error"}] == []
    assert len(waited) >= 5, "the import was over too soon to be in the way"
    assert sorted(waited)[len(waited) * 99 // 100] < 2 + 5 * max(alone), (alone, waited)
    with shop.app.database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM contacts")).scalar_one() == rows + shop.told
    shop.check()


def seconds_of_one_mail(shop: Shop) -> float:
    """From the sign-up of one person to her mail."""
    shop.people(1)
    told = time.monotonic()
    shop.until_sent(shop.told)
    return time.monotonic() - told


def everything_is_settled(shop: Shop) -> bool:
    states = shop.states()
    return states["sent"] + states["unknown"] == shop.told


def nobody_is_stuck(shop: Shop) -> bool:
    with shop.app.database.read() as tx:
        left = tx.execute(text("SELECT count(*) FROM due")).scalar_one()
        held = tx.execute(text("SELECT count(*) FROM deliveries WHERE owner IS NOT NULL")).scalar_one()
        inside = tx.execute(text("SELECT count(*) FROM enrolments WHERE state = 'active'")).scalar_one()
    return bool(left == held == inside == 0)

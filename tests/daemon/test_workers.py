"""`nurture run --workers N`: several daemons on one host, and a parent that watches over them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nurture.daemon.workers import MOST_DEATHS, Workers
from nurture.testing.marks import FIRST_ON_SQLITE
from nurture.testing.processes import Daemon, Shop, until


def pids(parent: Daemon) -> list[int]:
    return [line["pid"] for line in parent.events("worker started")]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def start(shop: Shop, count: int) -> Daemon:
    """A parent whose workers are all at work."""
    parent = shop.start("--workers", str(count))
    until(lambda: len(parent.events("started")) >= count or parent.process.poll() is not None, 60, parent.text)
    return parent


@FIRST_ON_SQLITE
def test_workers_share_the_work_a_killed_one_is_replaced_and_sigterm_ends_all(shop: Shop) -> None:
    parent = start(shop, 2)
    first, second = pids(parent)
    shop.people(60)
    shop.until_settled(60)
    os.kill(first, signal.SIGKILL)
    until(lambda: len(parent.events("started")) == 3, 60, parent.text)
    assert parent.events("worker died")[0]["code"] == -signal.SIGKILL
    shop.people(40)
    shop.until_settled(100)
    assert parent.end() == 0, parent.text
    third = pids(parent)[2]
    assert not any(is_alive(pid) for pid in (first, second, third))
    assert len(parent.events("stopped")) == 2
    shop.check()


def test_workers_end_in_order_when_their_parent_is_killed(file_shop: Shop) -> None:
    parent = start(file_shop, 2)
    children = pids(parent)
    parent.kill()
    parent.wait()
    until(lambda: len(parent.events("stopped")) == 2, 40, parent.text)
    until(lambda: not any(is_alive(pid) for pid in children), 20, "the workers outlive their parent")


class Notes:
    """A journal that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, event: str, **_fields: object) -> None:
        self.said.append(event)

    warning = error = info


@pytest.mark.parametrize(("code", "told"), [(3, 3), (0, 1)])
def test_a_worker_that_never_lives_long_ends_everything_with_its_code(code: int, told: int) -> None:
    notes = Notes()
    workers = Workers([[sys.executable, "-S", "-c", f"raise SystemExit({code})"]], notes, first_pause=0.001)
    assert asyncio.run(workers.run()) == told
    assert notes.said.count("worker started") == MOST_DEATHS
    assert notes.said[-2:] == ["worker given up", "workers stopped"]


def test_one_worker_that_is_given_up_takes_the_others_with_it(tmp_path: Path) -> None:
    """The first to start claims the only place and lives on; whoever comes after it dies at once."""
    notes = Notes()
    script = """
import os, sys, time
try:
    os.close(os.open(sys.argv[1], os.O_CREAT | os.O_EXCL))
except FileExistsError:
    sys.exit(2)
time.sleep(60)
"""
    workers = Workers([[sys.executable, "-S", "-c", script, str(tmp_path / "place")]] * 2, notes, first_pause=0.001)
    assert asyncio.run(workers.run()) in {2, signal.SIGTERM}
    assert "worker given up" in notes.said


def test_once_is_for_one_daemon(open_shop: Callable[..., Shop]) -> None:
    daemon = open_shop("sqlite:///nurture.db").start("--once", "--workers", "2")
    assert daemon.wait() == 2
    assert "leave --workers out" in daemon.text

"""Three weeks of work on a stepped clock, with every job a daemon has: memory and descriptors stay as they were."""

from __future__ import annotations

import asyncio
import gc
import os
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from nurture.daemon.complaints import Complaints
from nurture.daemon.lookout import Lookout
from nurture.daemon.supervisor import Supervisor
from nurture.engine.ingest import IncomingEvent
from nurture.engine.pump import Role
from nurture.engine.rescue import rescue_abandoned
from nurture.engine.retention import forget
from nurture.storage.database import Database
from nurture.testing.house import House, sources
from nurture.testing.site import serving

CAMPAIGN = """\
start: {event: Signed Up, key: event.day}
steps:
  - {id: hello, send: hello}
  - {wait: 2 days}
  - {id: story, send: story, if: count('Signed Up') > 0}
  - webhook: crm
"""
PEOPLE, DAYS, SETTLED, STEP = 40, 21, 8, 6  # hours
MOST_GROWTH = 5.0  # MB in a fortnight


def memory() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def stretch(house: House, watching: Lookout, client: httpx.AsyncClient) -> None:
    """What a daemon does besides the mail."""
    await watching.sign()
    await watching.tell()
    rescue_abandoned(house.database, house.now)
    forget(house.database, house.app.applied().programme, timedelta(days=30), "me", house.now)
    for path in ("/readyz", "/metrics", "/nowhere"):
        await client.get(path)
    house.journal.lines.clear()


async def weeks(house: House, url: str) -> list[tuple[float, int]]:
    """Memory and descriptors at the end of each day."""
    found = []
    async with house.engine() as engine, httpx.AsyncClient(base_url=url, timeout=30) as client:
        complaints = Complaints(house.journal, house.clock.monotonic)
        watching = Lookout(house.app, engine, frozenset(Role), complaints, Supervisor({}))
        for day in range(DAYS):
            for clock in range(0, 24, STEP):
                if clock == 0:
                    people = [f"p{number}@people.example" for number in range(PEOPLE)]
                    told = (
                        [IncomingEvent(name="Newsletter Subscribed", email=email) for email in people]
                        if not day
                        else []
                    )
                    told += [IncomingEvent(name="Signed Up", email=email, properties={"day": day}) for email in people]
                    house.take(*told)
                await engine.pump.drain()
                await stretch(house, watching, client)
                house.clock.jump_to(house.now + timedelta(hours=STEP))
            found.append((memory(), descriptors()))
    return found


@pytest.mark.lab(first=True)
def test_memory_and_descriptors_are_flat_over_weeks(database: Database, tmp_path: Path) -> None:
    house = House(database, tmp_path, sources(CAMPAIGN))
    house.apply()
    with serving(house.app) as site:
        found = asyncio.run(weeks(house, site.url))
    sent = house.app.vitals.mails["sent"]
    assert sent >= PEOPLE * (DAYS - 3), "weeks of real work"
    early, late = found[SETTLED - 1], found[-1]
    assert late[0] - early[0] < MOST_GROWTH, [round(megabytes, 1) for megabytes, _ in found]
    assert late[1] <= early[1] + 2, [number for _, number in found]

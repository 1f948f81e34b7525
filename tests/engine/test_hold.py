"""When the clock or the database cannot be trusted, nothing moves until somebody says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from nurture.clock import SteppedClock
from nurture.daemon.service import Service
from nurture.engine.hold import awaken, put_on_hold, release, sign_of_life, why_held
from nurture.errors import ConfigurationError
from nurture.testing.house import House
from nurture.testing.smtp import ScriptedServer

Build = Callable[..., House]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def test_a_fresh_database_is_on_nobodys_hold(build: Build) -> None:
    house = build()
    found = awaken(house.database, house.now)
    assert (found.held, found.down_for) == (None, timedelta())


def test_how_long_nobody_was_here_is_told(build: Build) -> None:
    house = build()
    sign_of_life(house.database, house.now)
    assert awaken(house.database, house.now + timedelta(hours=3)).down_for == timedelta(hours=3)


@pytest.mark.parametrize(("ahead", "held"), [(30, False), (61, True), (7200, True)])
def test_a_sign_of_life_from_the_future_is_a_clock_set_back(build: Build, ahead: int, held: bool) -> None:
    house = build()
    sign_of_life(house.database, house.now + timedelta(seconds=ahead))
    assert (awaken(house.database, house.now).held is not None) is held
    assert (why_held(house.database) is not None) is held


def test_a_hold_lasts_until_it_is_released_and_then_is_forgotten(build: Build) -> None:
    house = build()
    put_on_hold(house.database, "a backup was put back", house.now)
    assert awaken(house.database, house.now + timedelta(days=2)).held == "a backup was put back"
    release(house.database, house.now)
    assert awaken(house.database, house.now).held is None


class DriftingClock(SteppedClock):
    """Its civil time can be set by hand; the steady one goes on."""

    def __init__(self, house: House) -> None:
        super().__init__(house.now)
        self.steady = 1000.0
        self.off = timedelta()

    def now(self):  # type: ignore[no-untyped-def]
        return super().now() + self.off

    def monotonic(self) -> float:
        return self.steady


@pytest.mark.parametrize("seconds", [3600, -3600, 90])
def test_a_clock_that_jumps_puts_everything_on_hold(build: Build, server: ScriptedServer, seconds: int) -> None:
    house = build(server=server)
    house.consenting()
    house.tell("Signed Up")
    clock = DriftingClock(house)
    house.app.clock = clock
    service = Service(house.app)

    async def live() -> None:
        async with house.engine() as engine:
            service._engine = engine
            clock.off = timedelta(seconds=seconds)
            assert not (await service._round()).more
            await service._rescue()

    asyncio.run(live())
    assert "jumped" in str(why_held(house.database))
    assert server.messages == []


def test_a_jump_that_cannot_be_written_down_is_not_forgotten(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    from nurture.daemon import service as module
    from nurture.storage.faults import DatabaseFault, Fault

    house = build()
    clock = DriftingClock(house)
    house.app.clock = clock
    service = Service(house.app)

    def busy(*_: object) -> None:
        raise DatabaseFault(Fault.BUSY, "busy")

    async def live() -> None:
        async with house.engine() as engine:
            service._engine = engine
            clock.off = timedelta(hours=1)
            monkeypatch.setattr(module, "put_on_hold", busy)
            assert not (await service._round()).more
            monkeypatch.undo()
            assert not (await service._round()).more

    asyncio.run(live())
    assert "jumped" in str(why_held(house.database))


def test_once_refuses_on_hold_and_goes_on_when_confirmed(build: Build, server: ScriptedServer) -> None:
    house = build(server=server, allow_list="*")
    house.consenting()
    house.tell("Signed Up")
    put_on_hold(house.database, "a backup was put back", house.now)
    with pytest.raises(ConfigurationError, match="nurture run --confirm"):
        asyncio.run(Service(house.app).once())
    assert asyncio.run(Service(house.app, confirm=True).once()).mails == 1
    assert why_held(house.database) is None


def test_once_leaves_a_sign_of_life(build: Build) -> None:
    house = build()
    asyncio.run(Service(house.app).once())
    assert awaken(house.database, house.now - timedelta(hours=1)).held is not None

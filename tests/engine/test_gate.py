"""The gate: whatever is committed before the last dot stops the mail, and whoever lost it writes no dot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from nurture.domain.contact import SuppressionReason
from nurture.domain.delivery import DeliveryState
from nurture.engine.ingest import IncomingEvent
from nurture.storage.contacts import erase
from nurture.storage.controls import pause
from nurture.storage.database import Database
from nurture.storage.suppressions import suppress
from nurture.testing.house import ANA, House
from nurture.testing.smtp import Act, ScriptedServer

Build = Callable[..., House]
Scripted = Callable[..., ScriptedServer]
D = DeliveryState
STOPPED = """\
start: {event: Signed Up}
stop: {event: Bought}
steps:
  - {id: hello, send: hello}
"""


class Stop:
    """Something that happens between the claim and the gate: it is done when the server is told DATA."""

    def __init__(self, do: Callable[[House], None]) -> None:
        self.do = do
        self.house: House | None = None

    def __call__(self, _line: str) -> Act | None:
        if self.house is not None:
            house, self.house = self.house, None
            self.do(house)
        return None


def other(house: House) -> Database:
    """Another process: its own connections to the same database."""
    url = house.database.url.render_as_string(hide_password=False)
    return Database(url, address_secret=house.database.address_secret, leases_by_server=False)


def elsewhere(work: Callable[[Any, House], Any]) -> Callable[[House], None]:
    def do(house: House) -> None:
        with other(house) as database, database.write() as tx:
            work(tx, house)

    return do


def told_elsewhere(event: IncomingEvent) -> Callable[[House], None]:
    def do(house: House) -> None:
        from nurture.engine.ingest import ingest

        with other(house) as database:
            ingest(database, [event], house.now, trusted=True)

    return do


STOPS: dict[str, tuple[Callable[[House], None], DeliveryState | None]] = {
    "an event that ends the campaign": (told_elsewhere(IncomingEvent(name="Bought", email=ANA)), D.CANCELLED),
    "an unsubscribe": (told_elsewhere(IncomingEvent(name="nurture.unsubscribed", email=ANA)), D.CANCELLED),
    "a suppression": (
        elsewhere(lambda tx, house: suppress(tx, [ANA], SuppressionReason.MANUAL, house.now, "hand")), D.SKIPPED
    ),
    "a pause by hand": (elsewhere(lambda tx, house: pause(tx, "c", house.now, "hand")), D.PLANNED),
    "an erasure": (elsewhere(lambda tx, house: erase(tx, house.id_of(), house.now)), None),
    "its time has passed": (lambda house: house.pass_time("+4 days"), D.EXPIRED),
}  # fmt: skip


@pytest.mark.parametrize("name", STOPS)
def test_a_stop_that_comes_before_the_dot_stops_it(build: Build, scripted: Scripted, name: str) -> None:
    do, state = STOPS[name]
    stop = Stop(do)
    server = scripted(DATA=stop)
    house = build(STOPPED, server=server)
    house.consenting()
    stop.house = house
    house.tell("Signed Up")
    contact = house.id_of()
    house.drain()
    house.live_until("+1 hour")
    assert stop.house is None, "the server was asked for DATA"
    assert server.bodies == 0
    if state is None:
        with house.database.read() as tx:
            from nurture.storage.contacts import get

            assert get(tx, contact) is None
        return
    assert house.state() is state


def test_a_lost_lease_is_a_shut_gate_and_another_daemon_sends_it_once(build: Build, scripted: Scripted) -> None:
    def lose(house: House) -> None:
        from nurture.engine.rescue import rescue_abandoned

        house.pass_time("+2 minutes")
        with other(house) as database:
            assert len(rescue_abandoned(database, house.now).released) == 1

    stop = Stop(lose)
    server = scripted(DATA=stop)
    house = build(server=server)
    house.consenting()
    stop.house = house
    house.tell("Signed Up")
    house.drain()
    house.live_until("+10 minutes")
    assert house.state() is D.SENT
    assert len(server.messages) == server.bodies == 1


def test_quiet_hours_that_begin_while_the_relay_is_slow_shut_the_gate(build: Build, scripted: Scripted) -> None:
    stop = Stop(lambda house: house.pass_time("+13 hours"))
    server = scripted(DATA=stop)
    house = build(server=server, project="quiet_hours: 21:00-08:00\n")
    house.consenting()
    stop.house = house
    house.tell("Signed Up")
    house.drain()
    house.live_until("+1 minute")
    assert stop.house is None, "the server was asked for DATA"
    assert (house.state(), server.bodies) == (D.PLANNED, 0)
    house.live_until("+12 hours")
    assert (house.state(), server.bodies) == (D.SENT, 1)


def test_a_daemon_that_stood_still_behind_its_gate_writes_no_dot(build: Build, scripted: Scripted) -> None:
    server = scripted()
    house = build(server=server)
    house.consenting()
    house.tell("Signed Up")
    house.advance()

    async def live() -> None:
        async with house.engine() as engine:
            write, stalls = engine.dispatcher.hand._write, iter(["+31 seconds"])

            def slow(gates: Any, outcomes: Any) -> Any:
                written = write(gates, outcomes)
                if gates and (stall := next(stalls, None)) is not None:
                    house.pass_time(stall)
                return written

            engine.dispatcher.hand._write = slow  # type: ignore[method-assign]
            await engine.pump.drain()
            assert server.bodies == 0
            house.pass_time("+1 minute")
            await engine.pump.drain()

    asyncio.run(live())
    assert len(server.messages) == 1
    assert house.state() is D.SENT


def test_an_event_that_stops_nothing_only_delays_the_mail(build: Build, scripted: Scripted) -> None:
    stop = Stop(told_elsewhere(IncomingEvent(name="Page Viewed", email=ANA)))
    server = scripted(DATA=stop)
    house = build(server=server)
    house.consenting()
    stop.house = house
    house.tell("Signed Up")
    house.drain()
    house.live_until("+1 minute")
    assert house.state() is D.SENT
    assert len(server.messages) == 1

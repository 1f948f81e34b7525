"""Limits of all daemons together, counted by the relay: mails in any second, and in each day of a warm-up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from nurture.engine.standing import LAG_ALLOWED, look
from nurture.testing.house import House
from nurture.testing.smtp import ScriptedServer

Build = Callable[..., House]
PEOPLE = [f"p{number}@people.example" for number in range(12)]
MAIL = "start: {event: Signed Up}\nsteps:\n  - {id: hello, send: hello, late: drop after 60 days}\n"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def drain_by_two(house: House) -> bool:
    """Two daemons do what may be done now; whether mails wait for nothing but a limit that ends soon."""

    async def work() -> bool:
        async with house.engine() as one, house.engine(app=house.another_app()) as other:
            await asyncio.gather(one.pump.drain(), other.pump.drain())
            return one.dispatcher.allowance.is_spent or other.dispatcher.allowance.is_spent

    return asyncio.run(work())


def test_no_second_sees_more_than_its_limit_however_many_daemons_send(build: Build, server: ScriptedServer) -> None:
    house = build(MAIL, server=server, environment={"NURTURE_MAILS_PER_SECOND": "4"})
    house.consenting(*PEOPLE)
    for each in PEOPLE:
        house.tell("Signed Up", each)
    house.advance()
    seen = []
    for _ in range(6):
        drain_by_two(house)
        seen.append(len(server.messages))
        house.pass_time(house.now + timedelta(seconds=0.5))
    assert seen == [4, 4, 8, 8, 12, 12]


def test_a_new_sender_begins_with_few_mails_and_half_as_many_again_each_day(
    build: Build, server: ScriptedServer
) -> None:
    environment = {"NURTURE_WARM_UP_SINCE": "2026-03-02", "NURTURE_WARM_UP_FIRST_DAY": "2"}
    house = build(MAIL, server=server, environment=environment)
    house.consenting(*PEOPLE)
    for each in PEOPLE:
        house.tell("Signed Up", each)
    house.advance()
    seen = []
    for _ in range(4):
        assert not drain_by_two(house), "nobody waits for tomorrow"
        seen.append(len(server.messages))
        house.pass_time("+1 hour")
        assert look(house.database, house.now).lag <= LAG_ALLOWED, "what waits for tomorrow is not late"
        house.pass_time("+23 hours")
    assert seen == [2, 5, 9, 12]
    assert max(sum(mail.recipient == each for mail in server.messages) for each in PEOPLE) == 1

"""Caps and stops where many hands reach for the same people at once; the relay counts."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import FactKind
from nurture.engine.ingest import IncomingEvent
from nurture.engine.people import erase
from nurture.engine.pump import EVERY_ROLE
from nurture.sending.transport import SmtpTransport
from nurture.storage.controls import pause, resume
from nurture.storage.database import Database
from nurture.testing.house import ANA, House, sources
from nurture.testing.invariants import hold
from nurture.testing.marks import FIRST_ON_POSTGRES, FIRST_ON_SQLITE
from nurture.testing.outgoing import relay_of
from nurture.testing.processes import ONE_MAIL, Shop, until
from nurture.testing.processes import pause as wait
from nurture.testing.smtp import Act, ScriptedServer, drop, hang, say
from nurture.testing.worlds import Life, programme

DAILY = "caps:\n  - {max: 1, per: 24 hours}\n"
WORKERS, PEOPLE = 8, 200


def a_house(database: Database, folder: Path, server: ScriptedServer, *campaigns: str, **options: str) -> House:
    house = House(database, folder, sources(*campaigns, **options), server)
    house.apply()
    return house


def mailed(server: ScriptedServer) -> Counter[str]:
    return Counter(copy.recipient for copy in server.messages)


def by_event(number: int) -> str:
    return (
        f"campaign: c{number}\npriority: {number}\nstart: {{event: E{number}}}\n"
        f"steps:\n  - {{id: m{number}, send: m{number}, late: drop after 9 days}}\n"
    )


# --- caps


@FIRST_ON_POSTGRES
def test_eight_workers_and_four_campaigns_leave_everybody_one_mail_a_day(
    database: Database, tmp_path: Path, server: ScriptedServer
) -> None:
    """The four starts of each come one after the other, from another connection, while all eight are at work."""
    house = a_house(database, tmp_path, server, *(by_event(n) for n in range(4)), project=DAILY)
    names = [f"p{number}@people.example" for number in range(PEOPLE)]
    house.take(*(IncomingEvent(name="Newsletter Subscribed", email=name) for name in names))

    async def one_day() -> None:
        engines = [
            house.another_app().engine(EVERY_ROLE, SmtpTransport(relay_of(server, connections=2), house.clock.now))
            for _ in range(WORKERS)
        ]
        telling = asyncio.create_task(asyncio.to_thread(tell)) if not server.copies else None
        for _ in range(2):  # a gate that an event has shut is asked again a second later
            moved = True
            while moved or (telling is not None and not telling.done()):
                done = await asyncio.gather(*(engine.pump.drain() for engine in engines))
                moved = any(each.turns or each.mails for each in done)
            house.pass_time("+2 seconds")
        if telling is not None:
            telling.result()
        for engine in engines:
            await engine.stop(5)
            engine.shut_down()

    def tell() -> None:
        dice = random.Random(45)
        told = [(number, name) for number in range(4) for name in names]
        dice.shuffle(told)
        for first in range(0, len(told), 80):
            house.take(*(IncomingEvent(name=f"E{number}", email=name) for number, name in told[first : first + 80]))

    for day in (1, 2):
        asyncio.run(one_day())
        assert set(mailed(server)) == set(names)
        assert set(mailed(server).values()) == {day}
        house.pass_time("+1 day")
    hold(database, server.copies, house.app.applied().programme, now=house.now)


FATES: dict[str, tuple[Act, DeliveryState, bool]] = {
    "unknown counts as sent": (drop(), DeliveryState.UNKNOWN, False),
    "rejected gives its slot back": (say("554 5.6.0 not with these words"), DeliveryState.REJECTED, True),
    "deferred keeps its slot": (say("451 4.3.0 later"), DeliveryState.DEFERRED, False),
    "in flight counts": (hang(), DeliveryState.GATED, False),
}


@pytest.mark.parametrize("fate", FATES)
def test_the_slot_of_a_mail_is_free_only_when_it_certainly_did_not_go(
    fate: str, database: Database, tmp_path: Path, server: ScriptedServer
) -> None:
    answer, state, free = FATES[fate]
    house = a_house(database, tmp_path, server, by_event(1), by_event(2), project=DAILY)
    house.consenting()
    server.script["DOT"] = [answer]
    house.tell("E2")

    async def work() -> None:
        async with house.engine(grace=0.1) as engine:
            await engine.pump.tick()
            await asyncio.to_thread(until, lambda: bool(server.copies), 20)
            while state is not DeliveryState.GATED and engine.dispatcher.in_flight:
                await engine.dispatcher.wait(at_most=1.0)
            house.tell("E1")
            for _ in range(4):
                await engine.pump.tick()
                await asyncio.sleep(0.02)
            first, *others = [each.delivery for each in house.mails()]
            assert first.state is state
            assert bool(others) is free

    asyncio.run(work())
    house.live_until("+4 days")
    went = [each.delivery.step for each in house.mails() if each.delivery.state is DeliveryState.SENT]
    lost = state in {DeliveryState.UNKNOWN, DeliveryState.REJECTED, DeliveryState.GATED}
    assert went == (["m1"] if lost else ["m2", "m1"])
    hold(database, server.copies, house.app.applied().programme, now=house.now)


def test_one_address_is_one_person_with_one_cap_and_one_suppression(
    database: Database, tmp_path: Path, server: ScriptedServer
) -> None:
    house = a_house(database, tmp_path, server, by_event(1), by_event(2), project=DAILY)
    one, other = ANA, "Ana@People.Example"
    house.take(
        IncomingEvent(name="Newsletter Subscribed", email=one, external_id="17"),
        IncomingEvent(name="E1", email=other),
        IncomingEvent(name="E2", external_id="18", email=other),
    )
    house.live_until("+2 hours")
    assert sum(mailed(server).values()) == 1
    house.tell("nurture.unsubscribed", other)
    house.live_until("+3 days")
    assert sum(mailed(server).values()) == 1


def test_events_of_one_moment_end_the_same_in_whatever_order_they_are_told() -> None:
    rules = programme(
        "start: {event: Cart, key: event.id}\nstop: {event: Bought, where: event.id == start.id}\n"
        "steps:\n  - wait: 1 hour\n  - {id: remind, send: a/a}\n"
    )
    told = [
        ("Cart", "-3 hours", "a"),
        ("Bought", "-2 hours", "a"),
        ("Cart", "-1 hour", "b"),
        ("Bought", "-90 minutes", "b"),
    ]
    ends = set()
    for order in permutations(told):
        life = Life(rules)
        for name, happened, key in order:
            life.world.post(1, name, life.world.now, {"id": key}, happened=life.when(happened))
        life.until("+1 day")
        ends.add((tuple(life.steps), tuple(sorted(life.left_by))))
    assert ends == {(("remind",), ("finished", "stop"))}


# --- stops


STOPPABLE = """\
campaign: {name}
start: {{event: Signed Up, if: "event.group == '{name}'"}}
stop:
  - event: Bought
  - stage: "* -> purchase"
steps:
  - {{id: {name}, send: {name}}}
"""
GROUPS = ("unsubscribe", "buy", "pause", "erase", "stage", "stay")
EACH, AT_ONCE = 8, 6


@FIRST_ON_SQLITE
def test_no_mail_leaves_after_a_stop_is_committed_while_a_slow_relay_keeps_a_daemon_busy(
    open_shop: Callable[..., Shop], database_url: str, server: ScriptedServer
) -> None:
    """The stops come while every connection waits for the reply to RCPT: none of those mails has its gate."""
    shop = open_shop(database_url, f"connections={AT_ONCE}")
    shop.apply(*(STOPPABLE.format(name=name) for name in GROUPS))
    waiting: list[str] = []
    stopped = threading.Event()

    def judge(line: str) -> Act | None:
        if len(server.copies) < 4:
            return None
        waiting.append(line)
        return Act(when=stopped.is_set)

    server.script["RCPT"] = judge
    people = {f"{name}{n}@people.example": name for n in range(EACH) for name in GROUPS}
    tell(shop, [("Newsletter Subscribed", who, {}) for who in people])
    tell(shop, [("Signed Up", who, {"group": name}) for who, name in people.items()])
    daemon = shop.start()
    until(lambda: len(waiting) >= AT_ONCE, 120, "all connections wait")
    words = {"unsubscribe": "nurture.unsubscribed", "buy": "Bought", "stage": "Order Completed"}
    tell(shop, [(words[name], who, {}) for who, name in people.items() if name in words])
    shop.app.database.transact(lambda tx: pause(tx, "pause", shop.now, "test"))
    for who, name in people.items():
        if name == "erase":
            erase(shop.app.database, who, shop.now)
    before, at = len(server.copies), shop.now
    assert {people[line[9:].partition(">")[0]] for line in waiting} != {"stay"}, "nobody was stopped in time"
    stopped.set()
    until(lambda: {who for who, name in people.items() if name == "stay"} <= set(mailed(server)), 120)
    wait(2)
    assert {people[copy.recipient] for copy in server.copies[before:]} == {"stay"}
    shop.app.database.transact(lambda tx: resume(tx, "pause", shop.now, "test"))
    until(lambda: {who for who, name in people.items() if name == "pause"} <= set(mailed(server)), 60)
    assert daemon.end() == 0, daemon.text
    assert set(mailed(server).values()) == {1}
    hold(
        shop.app.database, server.copies, shop.app.applied().programme, now=shop.now,
        stops={who: at for who, name in people.items() if name in words}, logs=[daemon.text],
    )  # fmt: skip


def tell(shop: Shop, told: list[tuple[str, str, dict[str, Any]]]) -> None:
    from nurture.engine.ingest import ingest

    events = [IncomingEvent(name=name, email=who, properties=data) for name, who, data in told]
    assert not ingest(shop.app.database, events, shop.now, trusted=True).rejected


# --- a backlog


OPT_IN = "campaign: opt-in\nstart: {event: Asked}\nsteps:\n  - {id: confirm, send: confirm, kind: transactional}\n"


@FIRST_ON_SQLITE
def test_whoever_asks_just_now_does_not_wait_for_the_backlog(
    database: Database, tmp_path: Path, server: ScriptedServer
) -> None:
    house = a_house(database, tmp_path, server, ONE_MAIL, OPT_IN)
    crowd = [f"p{number}@people.example" for number in range(900)]
    house.take(
        *(IncomingEvent(name=name, email=who) for who in crowd for name in ("Newsletter Subscribed", "Signed Up"))
    )
    house.pass_time("+10 minutes")
    house.tell("Asked")
    house.drain()
    assert len(server.messages) == 901
    place = next(n for n, copy in enumerate(server.messages) if copy.recipient == ANA)
    assert place < 500, f"{place} others went first"
    assert house.facts(ANA, FactKind.SENT)


@pytest.mark.lab(first=True)
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_an_opt_in_mail_leaves_within_a_minute_whatever_the_backlog(
    open_shop: Callable[..., Shop], database_url: str, server: ScriptedServer
) -> None:
    shop = open_shop(database_url)
    shop.apply(ONE_MAIL, OPT_IN)
    for _ in range(50):
        shop.people(2000)
    daemon = shop.start()
    until(lambda: server.taken > 100, 120)
    tell(shop, [("Asked", ANA, {})])
    asked = time.monotonic()
    until(lambda: mailed(server)[ANA] == 1, 60, "the opt-in mail")
    print(f"{time.monotonic() - asked:.1f} s, with {100_000 - len(server.messages):,} still to go")
    assert daemon.end() == 0

"""One breaker for all daemons: what one learns holds for all, and one of them probes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from nurture.domain.breaker import FIRST_PROBE, IN_A_ROW, BreakerState, Pace
from nurture.domain.retry import Attempt, Fault, Phase
from nurture.domain.shared_relay import MOST_PACES, News, SharedRelay
from nurture.sending.domain_pace import DomainPaces
from nurture.sending.health import SharedHealth

REFUSED = Attempt(Phase.CONNECT, fault=Fault.CLOSED, text="connection refused")
SENT = Attempt(Phase.DONE, 250, "2.0.0", "queued")
SLOWER = Attempt(Phase.RCPT, 450, "4.7.1", "too many messages, slow down")


class Fleet:
    """Daemons and the row they share."""

    def __init__(self, *names: str) -> None:
        self.now = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
        self.row = SharedRelay()
        self.turns: list[tuple[str, BreakerState]] = []
        self.daemons = [self.join(name) for name in names]
        self.exchange()

    def join(self, name: str) -> SharedHealth:
        return SharedHealth(
            lambda: self.now,
            name,
            DomainPaces(Pace(limit=8)),
            lambda breaker: self.turns.append((name, breaker.state)),
        )

    def exchange(self, *daemons: SharedHealth) -> None:
        for daemon in daemons or self.daemons:
            self.row = self.row.after(daemon.news(), daemon.owner, self.now)
            self.row = SharedRelay.from_json(json.loads(json.dumps(self.row.to_json())))
            daemon.hear(self.row)

    def after(self, **wait: float) -> None:
        self.now += timedelta(**wait)
        self.exchange()

    def open(self) -> None:
        for _ in range(IN_A_ROW):
            self.daemons[0].learn(REFUSED)
        self.exchange(), self.exchange()


def test_what_opens_for_one_opens_for_all_and_each_says_so_once() -> None:
    fleet = Fleet("a", "b", "c")
    assert [each.room(10) for each in fleet.daemons] == [10, 10, 10]
    fleet.open()
    assert [each.room(10) for each in fleet.daemons] == [0, 0, 0]
    assert not any(each.admit() for each in fleet.daemons)
    assert fleet.turns == [("a", BreakerState.OPEN), ("b", BreakerState.OPEN), ("c", BreakerState.OPEN)]


def test_one_of_those_that_have_mail_probes_and_what_it_finds_holds_for_all() -> None:
    fleet = Fleet("a", "b", "c")
    fleet.open()
    fleet.after(seconds=FIRST_PROBE.total_seconds())
    assert [each.may_probe for each in fleet.daemons] == [False, False, False], "nobody has mail"
    waiting = fleet.daemons[1:]
    assert [each.room(10) for each in waiting] == [0, 0]
    fleet.exchange()
    assert [each.may_probe for each in fleet.daemons] == [False, True, False]
    assert [each.room(10) for each in fleet.daemons] == [0, 1, 0]
    assert [each.admit() for each in fleet.daemons] == [False, True, False]
    assert not fleet.daemons[1].admit(), "one probe is one mail"
    fleet.daemons[2].learn(SENT)  # begun before it opened, answered only now
    fleet.exchange()
    assert not fleet.row.is_flowing
    fleet.daemons[1].learn(SENT)
    assert fleet.daemons[1].is_flowing, "at once"
    fleet.exchange(), fleet.exchange()
    assert all(each.is_flowing for each in fleet.daemons)
    assert [each.room(100) for each in fleet.daemons] == [25, 25, 25], "it comes back slowly, everywhere"
    assert sorted(turn for turn in fleet.turns if turn[1] is BreakerState.CLOSED) == [
        (name, BreakerState.CLOSED) for name in "abc"
    ]


def test_a_probe_that_fails_makes_all_wait_twice_as_long() -> None:
    fleet = Fleet("a", "b")
    fleet.open()
    fleet.now += FIRST_PROBE
    fleet.daemons[0].room(1)
    fleet.exchange()
    assert fleet.daemons[0].admit()
    fleet.daemons[0].learn(REFUSED)
    fleet.exchange(), fleet.exchange()
    for each in fleet.daemons:
        each.room(1)
    fleet.after(seconds=2 * FIRST_PROBE.total_seconds() - 1)
    assert not any(each.may_probe for each in fleet.daemons)
    for each in fleet.daemons:
        each.room(1)
    fleet.after(seconds=2)
    assert [each.may_probe for each in fleet.daemons] == [True, False]


def test_when_the_daemon_that_probes_dies_another_one_does() -> None:
    fleet = Fleet("a", "b")
    fleet.open()
    fleet.now += FIRST_PROBE
    fleet.daemons[0].room(1)
    fleet.exchange()
    assert fleet.daemons[0].may_probe
    fleet.daemons.pop(0)
    fleet.daemons[0].room(1)
    fleet.after(seconds=1)
    assert not fleet.daemons[0].may_probe
    fleet.now += FIRST_PROBE
    fleet.daemons[0].room(1)
    fleet.exchange()
    assert fleet.daemons[0].may_probe


def test_a_daemon_that_starts_may_try_at_once_but_only_when_it_has_mail_and_nobody_else_tries() -> None:
    fleet = Fleet("a")
    fleet.open()
    new = fleet.join("new")
    fleet.exchange(new)
    assert not new.may_probe
    assert new.room(10) == 0
    fleet.exchange(new)
    assert new.may_probe, "whoever starts a daemon may have repaired the relay"
    other = fleet.join("other")
    fleet.exchange(other)
    other.room(10)
    fleet.exchange(other)
    assert not other.may_probe
    assert new.admit()
    new.learn(REFUSED)
    fleet.exchange(new)
    new.room(10)
    fleet.exchange(new)
    assert not new.may_probe, "once"


def test_news_that_did_not_arrive_are_told_again() -> None:
    fleet = Fleet("a", "b")
    for _ in range(IN_A_ROW):
        fleet.daemons[0].learn(REFUSED)
    news = fleet.daemons[0].news()
    assert news.turned is not None
    assert not fleet.daemons[0].news()
    fleet.daemons[0].forgotten(news)
    fleet.exchange()
    assert not fleet.daemons[1].is_flowing


def test_alone_it_is_a_breaker_like_any_other() -> None:
    fleet = Fleet()
    alone = fleet.join("alone")
    for _ in range(IN_A_ROW):
        alone.learn(REFUSED)
    assert not alone.admit()
    fleet.now += FIRST_PROBE
    assert alone.room(10) == 1
    assert alone.admit()
    alone.learn(SENT)
    assert alone.is_flowing


def paces(health: SharedHealth) -> DomainPaces:
    assert health._paces is not None
    return health._paces


async def slowed(fleet: Fleet, daemon: int, *attempts: Attempt) -> None:
    lanes = paces(fleet.daemons[daemon])
    for attempt in attempts:
        async with lanes.slot("ana@gmail.com"):
            lanes.learn("ana@gmail.com", attempt)


def test_a_provider_that_asks_one_for_less_gets_less_from_all_until_it_takes_more_again() -> None:
    import asyncio

    fleet = Fleet("a", "b")
    asyncio.run(slowed(fleet, 0, SLOWER, SLOWER))
    fleet.exchange(), fleet.exchange()
    assert [paces(each).slowed for each in fleet.daemons] == [{"google": 2}, {"google": 2}]
    asyncio.run(slowed(fleet, 1, *[SENT] * (2 + 3 + 4 + 5 + 6 + 7)))
    fleet.exchange(), fleet.exchange()
    assert fleet.row.paces == {}
    assert [paces(each).slowed for each in fleet.daemons] == [{}, {}]


def test_the_row_does_not_grow_with_every_domain_that_was_ever_slow() -> None:
    row = SharedRelay()
    for number in range(MOST_PACES + 10):
        row = row.after(News(paces={f"d{number}.example": 1}), "a", datetime(2026, 5, 4, tzinfo=UTC))
    assert len(row.paces) == MOST_PACES
    assert "d0.example" not in row.paces

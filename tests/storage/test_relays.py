"""What daemons share about a relay, in the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from nurture.domain.breaker import Breaker, BreakerState
from nurture.domain.shared_relay import News
from nurture.storage import relays
from nurture.storage.database import Database

World = Any


def test_news_of_one_daemon_is_what_all_know_and_changes_the_version(world: World) -> None:
    opened = Breaker(BreakerState.OPEN, probe_at=world.now + timedelta(seconds=30), why="refused")
    with world.database.write() as tx:
        assert relays.version_of(tx, "smtp://relay") == 0
        assert relays.known_of(tx, "smtp://relay").is_flowing
        told = relays.tell(tx, "smtp://relay", News(turned=opened, paces={"google": 2}), "a", world.now)
    with world.database.read() as tx:
        assert relays.known_of(tx, "smtp://relay") == told
        assert (told.breaker, told.paces) == (opened, {"google": 2})
        version = relays.version_of(tx, "smtp://relay")
        assert relays.known_of(tx, "smtp://another").is_flowing
    with world.database.write() as tx:  # the same again is no news
        assert relays.tell(tx, "smtp://relay", News(turned=opened), "b", world.now) == told
        assert relays.version_of(tx, "smtp://relay") == version > 0


def test_four_who_ask_for_the_probe_at_once_get_one(database_url: str, world: World) -> None:
    with world.database.write() as tx:
        relays.tell(tx, "r", News(turned=Breaker(BreakerState.OPEN, probe_at=world.now)), "x", world.now)

    def ask(name: str) -> str:
        with Database(database_url) as own:
            return own.transact(lambda tx: relays.tell(tx, "r", News(wants_probe=True), name, world.now)).prober

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, "abcd"))) == 1


def test_a_ration_is_shared_out_among_all_who_take_at_once(database_url: str, world: World) -> None:
    def take(_: int) -> int:
        def work(tx: Any) -> int:
            book = relays.RationBook(tx, "r", 3_000, world.now)
            number = min(book.room, 7)
            book.take(number)
            return number

        with Database(database_url, leases_by_server=False) as own:
            return sum(own.transact(work) for _ in range(10))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(4))) == 100, "two seconds' worth"


def test_a_ration_goes_by_the_clock_of_the_server(postgres_server: Any, world: World) -> None:
    url = postgres_server.migrated()
    with Database(url) as database:
        for days in (0, 1, 2):  # three hosts with clocks of their own
            with database.write() as tx:
                book = relays.RationBook(tx, "r", 60, world.now + timedelta(days=days))
                assert book.room == (2 if days == 0 else 0)
                book.take(book.room)
    postgres_server.drop(url)


def test_mails_in_hand_count_by_provider_and_a_slowed_one_gets_fewer(world: World) -> None:
    for name in ("a@gmail.com", "b@googlemail.com", "c@gmail.com", "d@gmx.de", "e@web.de", "f@gmx.net"):
        world.plan(world.person(name))
    first = world.claim("one", per_domain=2)
    assert [claim.delivery.contact_id for claim in first] == [1, 2, 4, 5]
    assert world.claim("two", per_domain=2) == []
    assert [claim.delivery.contact_id for claim in world.claim("two", per_domain=3, slowed={"gmx": 2})] == [3]

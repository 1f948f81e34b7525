"""Time that is not what it seems: downtime, moves, month ends, hosts in other zones, clocks that lie."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nurture.domain.ledger import FactKind, Reason
from nurture.engine.advance import advance
from nurture.engine.hold import last_sign, why_held
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.storage.database import Database
from nurture.testing.house import ANA, SECRET, House, sources
from nurture.testing.invariants import hold, told
from nurture.testing.processes import Shop, pause, until
from nurture.testing.smtp import ScriptedServer
from nurture.testing.worlds import Life, programme

# --- one person's calendar


def test_a_month_after_the_31st_is_the_end_of_february_and_waits_count_from_where_they_began() -> None:
    life = Life(
        programme(
            "start: {event: X}\nsteps:\n  - {id: one, send: a/a}\n  - wait: 1 month\n  - {id: two, send: a/a}\n"
            "  - wait: 1 month\n  - {id: three, send: a/a}\n"
        ),
        start="2028-01-31 09:00",
        zone="Europe/Berlin",
    )
    life.event("X")
    life.until("+100 days")
    assert life.sent == ["2028-01-31 09:00 one", "2028-02-29 09:00 two", "2028-03-29 09:00 three"]


def test_months_counted_from_one_date_keep_its_day() -> None:
    """31 January, 29 February, 31 March: where the day matters, each wait names the date it counts from."""
    steps = "".join(f"  - wait_until: contact.since + {n} months\n  - {{id: m{n}, send: a/a}}\n" for n in (1, 2, 3))
    life = Life(
        programme(f"start: {{event: X}}\nsteps:\n{steps}"),
        start="2028-01-31 09:00", zone="Europe/Berlin", attributes={"since": "2028-01-31"},
    )  # fmt: skip
    life.event("X")
    life.until("+100 days")
    assert life.sent == ["2028-02-29 00:00 m1", "2028-03-31 00:00 m2", "2028-04-30 00:00 m3"]


@pytest.mark.parametrize(("year", "wished"), [(2027, ["2027-02-28"]), (2028, ["2028-02-29"]), (2100, ["2100-02-28"])])
def test_a_birthday_on_the_leap_day_has_one_wish_in_every_year(year: int, wished: list[str]) -> None:
    rules = programme("start: {date: contact.birthday}\nsteps:\n  - {id: wish, send: a/a}\n")
    life = Life(rules, start=f"{year}-02-01 12:00", attributes={"birthday": "2000-02-29"})
    life.until("+60 days")
    assert [line[:10] for line in life.sent] == wished


def test_the_year_ends_in_the_persons_zone() -> None:
    rules = programme('start: {event: X}\nsteps:\n  - wait: 1 day\n    until: "00:00"\n  - {id: new-year, send: a/a}\n')
    life = Life(rules, start="2026-12-31 00:00", zone="Pacific/Kiritimati")
    life.event("X")
    life.until("+3 days")
    assert life.sent == ["2027-01-01 00:00 new-year"]
    assert life.world.people[1].at[life.person.sent[0].seq] == datetime(2026, 12, 31, 10, tzinfo=UTC)


SEQUENCE = """\
start: {event: X}
steps:
  - {id: one, send: a/a}
  - wait: 1 day
    until: "09:30"
  - {id: two, send: a/a}
  - wait: 1 day
    until: "09:30"
  - {id: three, send: a/a}
"""


def test_who_moves_has_the_nights_and_the_next_waits_of_her_new_home() -> None:
    """The wait she is in keeps its instant, which is half past eleven at night there: quiet hours."""
    rules = programme(SEQUENCE, project="quiet_hours: 21:00-08:00\n")
    life = Life(rules, start="2026-05-04 12:00", zone="Europe/Helsinki")
    life.event("X")
    life.until("+23 hours")
    life.world.change(1, zone="America/Los_Angeles")
    life.zone = "America/Los_Angeles"
    life.until("+4 days")
    assert life.sent == ["2026-05-04 02:00 one", "2026-05-06 08:00 two", "2026-05-07 09:30 three"]


@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus", "Europe", "EET-99", "../../etc/localtime", "\0"])
def test_a_zone_that_is_none_is_that_of_the_project(zone: str | None) -> None:
    life = Life(
        programme(SEQUENCE, project="zone: Europe/Helsinki\n"), start="2026-05-04 12:00", zone="Europe/Helsinki"
    )
    life.world.change(1, zone=zone)
    life.event("X")
    life.until("+4 days")
    assert life.sent == ["2026-05-04 12:00 one", "2026-05-06 09:30 two", "2026-05-07 09:30 three"]


@pytest.mark.parametrize(
    ("start", "sent"),
    [
        ("2026-03-27 20:59", "2026-03-27 20:59"),
        ("2026-03-27 21:00", "2026-03-30 08:00"),  # Friday night, a weekend, and the night of the change
        ("2026-03-29 03:00", "2026-03-30 08:00"),
        ("2026-03-30 00:00", "2026-03-30 08:00"),
    ],
)
def test_quiet_hours_over_midnight_and_a_weekend_end_on_monday_morning(start: str, sent: str) -> None:
    rules = programme(
        "start: {event: X}\nsend_window: {days: weekdays}\nsteps:\n  - {id: one, send: a/a}\n",
        project="quiet_hours: 21:00-08:00\n",
    )
    life = Life(rules, start=start, zone="Europe/Berlin")
    life.event("X")
    life.until("+5 days")
    assert life.sent == [f"{sent} one"]


# --- daemons that were away


CART = (
    "campaign: cart\npriority: 90\nstart: {event: Cart}\nsteps:\n  - wait: 1 hour\n"
    "  - {id: remind, send: remind, late: drop after 2 hours}\n"
)
COURSE = (
    "campaign: course\nstart: {event: Joined}\nsteps:\n  - {id: hello, send: hello}\n  - wait: 1 day\n"
    "  - {id: lesson1, send: lesson1, late: drop after 5 days}\n  - wait: 1 day\n"
    "  - {id: lesson2, send: lesson2, late: drop after 5 days}\n"
)


def test_after_three_days_without_a_daemon_what_is_late_is_skipped_and_nothing_comes_in_heaps(
    database: Database, tmp_path: Path, server: ScriptedServer
) -> None:
    house = House(database, tmp_path, sources(CART, COURSE), server)
    house.apply()
    names = [f"p{number}@people.example" for number in range(20)]
    house.consenting(*names)
    for name in names:
        house.tell("Joined", name)
        house.tell("Cart", name)
    house.drain()
    assert len(server.messages) == 20
    house.pass_time("+3 days 5 hours")
    back = house.now
    house.live_until("+3 days")
    for name in names:
        sent = [(fact.step, fact.at) for fact in house.facts(name, FactKind.SENT)]
        assert [step for step, _ in sent] == ["hello", "lesson1", "lesson2"]
        assert sent[1][1] == back
        assert sent[2][1] - sent[1][1] == timedelta(days=1)
        (skipped,) = house.facts(name, FactKind.SKIPPED)
        assert (skipped.step, skipped.reason, skipped.at) == ("remind", Reason.LATE, back)
    assert set(Counter(copy.recipient for copy in server.messages).values()) == {3}
    hold(database, server.copies, house.app.applied().programme, now=house.now)


@pytest.fixture
def host_zone() -> Iterator[Callable[[str], None]]:
    before = os.environ.get("TZ")

    def live_in(zone: str) -> None:
        os.environ["TZ"] = zone
        time.tzset()

    yield live_in
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


def test_the_zone_of_the_host_changes_nothing(
    host_zone: Callable[[str], None], request: pytest.FixtureRequest, tmp_path: Path, server: ScriptedServer
) -> None:
    ledgers = []
    for zone in ("UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"):
        host_zone(zone)
        file = tmp_path / f"{zone.replace('/', '-')}.db"
        shutil.copy(request.getfixturevalue("_sqlite_template"), file)
        with Database(f"sqlite:///{file}", address_secret=SECRET, leases_by_server=False) as database:
            files = sources(CART, COURSE.replace("wait: 1 day", 'wait: 1 day\n    until: "09:30"'))
            house = House(database, tmp_path, files, server, start=datetime(2026, 3, 27, 20, tzinfo=UTC))
            house.apply()
            house.take(
                *(
                    IncomingEvent(name=name, email=who, zone=home)
                    for who, home in ((ANA, "Europe/Berlin"), ("ben@people.example", None))
                    for name in ("Newsletter Subscribed", "Joined", "Cart")
                )
            )
            house.live_until("+4 days")
            ledgers.append(told(database))
    assert len(ledgers[0]) > 20
    assert all(ledger == ledgers[0] for ledger in ledgers)


# --- clocks that lie


def lying(program: Callable[[str], str], **environ: str) -> dict[str, str]:
    """The environment of a daemon that sees another time than we do."""
    program("faketime")
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return {"LD_PRELOAD": str(library), "TZ": "UTC", **environ}


@pytest.mark.lab(first=True)
@pytest.mark.parametrize(
    ("begins", "clock", "instant"),
    [
        pytest.param("2026-11-01 05:15:00", "01:30", "2026-11-01 05:30", id="the hour that comes twice"),
        pytest.param("2027-03-14 06:15:00", "02:30", "2027-03-14 07:30", id="the hour that does not come"),
    ],
)
def test_a_daemon_crosses_the_night_the_clocks_change_without_loop_double_or_miss(
    file_shop: Shop, server: ScriptedServer, program: Callable[[str], str], begins: str, clock: str, instant: str
) -> None:
    """An hour and a half of that night in New York, 150 times as fast."""
    shop = file_shop
    shop.apply(f'start: {{event: Signed Up}}\nsteps:\n  - until: "{clock}"\n  - {{id: daily, send: daily}}\n'
               f'  - wait: 1 day\n    until: "{clock}"\n  - goto: {{step: daily, times: 9}}\n')  # fmt: skip
    start = datetime.fromisoformat(begins).replace(tzinfo=UTC)
    who = [f"p{number}@people.example" for number in range(5)]
    events = [
        IncomingEvent(name=name, email=each, zone="America/New_York")
        for each in who
        for name in ("Newsletter Subscribed", "Signed Up")
    ]
    before, applied = start - timedelta(hours=3), shop.app.applied()
    ingest(shop.app.database, events, before)
    advance(shop.app.database, applied.programme, applied.needs, before)  # she waits for that clock from then on
    fast = {"FAKETIME": f"@{begins} x150", "FAKETIME_NO_CACHE": "1"}
    daemon = shop.start(**lying(program, **fast))
    night_over = start + timedelta(minutes=90)
    until(lambda: (shop.app.database.transact(last_sign)[0] or start) > night_over, 300, "the end of the night")
    assert daemon.end() == 0, daemon.text
    assert Counter(copy.recipient for copy in server.messages) == dict.fromkeys(who, 1)
    sent = [at for at, kind in facts(shop) if kind == "sent"]
    wanted = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert all(wanted <= at < wanted + timedelta(minutes=55) for at in sent), sent  # 22 seconds of ours
    assert not daemon.events("clock jumped")
    assert int(daemon.events("stopped")[-1]["turns"]) <= 40, "people went round and round"


def facts(shop: Shop) -> list[tuple[datetime, str]]:
    return [(datetime.fromisoformat(line[1]), line[2]) for line in told(shop.app.database)]


@pytest.mark.lab
@pytest.mark.parametrize("jump", ["+2h", "-2h"])
def test_a_daemon_whose_clock_jumps_holds_everything_until_somebody_confirms(
    file_shop: Shop, server: ScriptedServer, program: Callable[[str], str], jump: str
) -> None:
    shop = file_shop
    offset = shop.folder / "offset"
    offset.write_text("+0")
    lies = {
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    daemon = shop.start(**lying(program, **lies))
    shop.people(2)
    shop.until_settled(2)
    pause(2)  # it has nothing to do: only its ticks can notice
    offset.write_text(jump)
    until(lambda: why_held(shop.app.database) is not None, 30, "the hold")
    shop.people(3)
    pause(3)
    assert len(server.messages) == 2
    offset.write_text("+0")
    pause(2)
    assert len(server.messages) == 2, "only somebody who looked may release it"
    assert "jumped" in str(why_held(shop.app.database))
    assert daemon.end() == 0
    shop.once("--confirm")
    shop.until_settled(5)
    shop.check()

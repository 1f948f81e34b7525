"""The mails of the next day, before and after an edit: what a plan expects is what then goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from nurture.engine import expected as expectation
from nurture.engine.apply import InFlight, plan
from nurture.engine.expected import Expected
from nurture.engine.ingest import IncomingEvent
from nurture.storage.upcoming import one_of
from nurture.testing.house import House, sources
from nurture.testing.smtp import ScriptedServer

Build = Callable[..., House]
TEXT = """\
start: {event: Signed Up}
steps:
  - wait: 12 hours
  - {id: a, send: a}
  - wait: 2 days
  - {id: b, send: b}
"""
PEOPLE = 12


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def crowd(build: Build, server: ScriptedServer) -> House:
    house = build(TEXT, server=server)
    for number in range(PEOPLE):
        email = f"p{number}@people.example"
        house.take(IncomingEvent(name="Newsletter Subscribed", email=email))
        house.take(IncomingEvent(name="Signed Up", email=email))
    house.drain()
    return house


def foreseen(house: House, text: str, in_flight: InFlight = InFlight.KEEP) -> Expected:
    found = plan(house.database, sources(text), house.now, in_flight)
    assert found.expected is not None
    return found.expected


def test_the_mails_of_the_next_day_are_played_before_and_after(build: Build, server: ScriptedServer) -> None:
    house = crowd(build, server)
    same = foreseen(house, TEXT)
    assert same.before == same.after == {("c", "a"): PEOPLE}
    assert (same.people, same.played, same.margin) == (PEOPLE, PEOPLE, 0)
    held = foreseen(house, TEXT.replace("send: a}", "send: a, if: contact.vip}"))
    assert (held.before, held.after) == ({("c", "a"): PEOPLE}, {})
    longer = TEXT.replace("12 hours", "30 hours")
    assert foreseen(house, longer).after == {("c", "a"): PEOPLE}, "those who wait keep their time"
    assert foreseen(house, longer, InFlight.RESCHEDULE).after == {}
    archived = "status: archived\n" + TEXT
    assert foreseen(house, archived).after == {("c", "a"): PEOPLE}
    assert foreseen(house, archived, InFlight.EXIT).after == {}


def test_what_is_expected_goes(build: Build, server: ScriptedServer) -> None:
    house = crowd(build, server)
    edited = TEXT.replace("id: a, send: a", "id: first, was: a, send: a")
    expected = foreseen(house, edited)
    house.apply(sources(edited))
    house.live_until("+24 hours")
    assert expected.after == {("c", "first"): PEOPLE}
    assert len(server.messages) == PEOPLE


def test_of_very_many_people_a_sample_is_played(
    build: Build, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expectation, "SAMPLE", 4)
    house = crowd(build, server)
    found = foreseen(house, TEXT)
    assert found.people == PEOPLE
    assert 0 < found.played < PEOPLE
    assert found.after == {("c", "a"): PEOPLE}
    assert found.margin == 0, "all of them get one"


def test_a_sample_does_not_follow_the_order_of_ids(build: Build, server: ScriptedServer) -> None:
    """Where every fifth person is due, a sample of one in five must not be all of them, nor nobody."""
    house = build(server=server)
    people = [IncomingEvent(name="Newsletter Subscribed", email=f"p{number}@people.example") for number in range(1500)]
    house.take(*people)
    with house.database.read() as tx:
        chosen = one_of(tx, house.now, 5, everybody=True)
    for rest in range(5):
        assert 30 < sum(each % 5 == rest for each in chosen) < 90


def test_a_reschedule_that_mails_many_within_the_hour_is_asked_for_by_the_plan(
    build: Build, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nurture.engine.apply.MANY", PEOPLE - 1)
    house = crowd(build, server)
    house.live_until("+6 hours")
    shorter = sources(TEXT.replace("12 hours", "1 hour"))
    assert plan(house.database, shorter, house.now).to_confirm == ()
    found = plan(house.database, shorter, house.now, InFlight.RESCHEDULE)
    assert (found.soon, found.to_confirm) == ({"c": PEOPLE}, ("c",))

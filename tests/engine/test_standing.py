"""How things stand, judged: what needs a person, in which words, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import insert

from nurture.domain.breaker import Breaker, BreakerState
from nurture.domain.shared_relay import SharedRelay
from nurture.engine.hold import sign_of_life
from nurture.engine.standing import Standing, findings, in_words, lag_in_words, look, look_closer, troubles_as_findings
from nurture.storage.controls import pause, stop_sending
from nurture.storage.heartbeats import FORGOTTEN_AFTER, beat, heartbeats
from nurture.storage.outbox import claim_calls, fail_call
from nurture.storage.quarantine import Held, keep
from nurture.storage.tables import relay_state
from nurture.testing.house import House

Build = Callable[..., House]


def standing(house: House) -> Standing:
    """As a daemon at work would see it."""
    sign_of_life(house.database, house.now, None, {"owner": "a-1"})
    return look(house.database, house.now)


def codes(house: House) -> list[str]:
    return [one.code for one in findings(standing(house))]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 seconds"), (1, "1 second"), (3, "3 seconds"), (60, "1 minute"), (90, "90 seconds"), (150, "2 minutes"),
        (3600, "60 minutes"), (7199, "119 minutes"), (7200, "2 hours"), (86400, "24 hours"), (172800, "2 days"),
    ],
)  # fmt: skip
def test_spans_are_told_in_words(seconds: int, told: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == told


def test_lag_is_told_by_what_waits_longest(build: Build) -> None:
    house = build()
    assert lag_in_words(standing(house)) == "nothing is due"
    house.tell("Newsletter Subscribed")
    house.tell("Signed Up")
    house.pass_time("+3 seconds")
    assert lag_in_words(standing(house)) == "the oldest due turn is 3 seconds old"
    house.advance()
    house.pass_time("+1 minute")
    assert lag_in_words(standing(house)) == "the oldest due mail is 1 minute old"


def test_nothing_needs_a_person_in_a_house_that_is_well(build: Build) -> None:
    assert codes(build()) == []


def test_mails_of_a_paused_campaign_are_held_and_do_not_wait(build: Build) -> None:
    house = build()
    house.tell("Newsletter Subscribed")
    house.tell("Signed Up")
    house.advance()
    house.database.transact(lambda tx: pause(tx, "c", house.now, "olga"))
    house.pass_time("+1 hour")
    assert standing(house).lag == timedelta()
    assert list(standing(house).paused) == ["c"]


def test_what_waits_because_sending_was_stopped_is_one_thing_to_do_not_two(build: Build) -> None:
    house = build()
    house.tell("Newsletter Subscribed")
    house.tell("Signed Up")
    house.advance()
    house.pass_time("+1 hour")
    assert codes(house) == ["lag"]
    house.database.transact(lambda tx: stop_sending(tx, house.now, "olga", "a wrong price"))
    assert codes(house) == ["stopped"]


def test_the_breaker_that_daemons_share_is_seen(build: Build) -> None:
    house = build()
    opened = Breaker(BreakerState.OPEN, probe_at=house.now, why="421 not now")
    row = {
        "relay": "smtp://relay",
        "state": SharedRelay(breaker=opened).to_json(),
        "version": 1,
        "updated_at": house.now,
    }
    house.database.transact(lambda tx: tx.execute(insert(relay_state), row))
    assert [one.found for one in findings(standing(house))] == ["the relay smtp://relay takes no mail: 421 not now"]


def test_daemons_are_missed_after_two_minutes_and_forgotten_after_an_hour(build: Build) -> None:
    house = build()
    house.database.transact(lambda tx: beat(tx, "a-1", {"owner": "a-1"}, house.now))
    assert [one.owner for one in look(house.database, house.now).alive] == ["a-1"]
    later = look(house.database, house.now + timedelta(minutes=3))
    assert ([one.owner for one in later.daemons], later.alive) == (["a-1"], ())
    end = house.now + FORGOTTEN_AFTER + timedelta(seconds=1)
    house.database.transact(lambda tx: beat(tx, "b-2", {"owner": "b-2"}, end))
    with house.database.read() as tx:
        assert [one.owner for one in heartbeats(tx)] == ["b-2"]


def test_troubles_are_grouped_with_a_count_and_the_newest_example(build: Build) -> None:
    house = build("start: {event: Bought}\nsteps:\n  - webhook: crm\n")
    for person in ("a", "b"):
        house.tell("Bought", f"{person}@people.example")
    house.advance()

    def fail(tx: object) -> None:
        for call in claim_calls(tx, house.now, 10, timedelta(minutes=5)):  # type: ignore[arg-type]
            fail_call(tx, call.id, "answered 500", None)  # type: ignore[arg-type]

    house.database.transact(fail)
    refused = [Held("key web", reason, "{}") for reason in ("no email", "an address that is none")]
    house.database.transact(lambda tx: keep(tx, refused, house.now))
    closer = look_closer(house.database, house.now, house.now)
    assert [(one.code, one.found) for one in troubles_as_findings(closer.troubles)] == [
        ("webhook_failed", "webhook crm was not taken, 2 times today; the last answer: answered 500"),
        ("events_refused", "2 events from key web could not be taken today; for instance: an address that is none"),
    ]
    tomorrow = look_closer(house.database, house.now + timedelta(days=2), house.now)
    assert tomorrow.troubles == ()

"""A turn reads what it may ask for, and no more."""

from __future__ import annotations

from datetime import timedelta

from nurture.domain.needs import LATE, SLACK, needs_of
from nurture.testing.worlds import Life, programme

CONSENT = {"nurture.unsubscribed", "nurture.complained", "Newsletter Unsubscribed"}
IDLE = "lifecycle:\n  stages: [a]\n"


def events(text: str, **more: object) -> dict[str, timedelta | None]:
    found = dict(needs_of(programme(text, lifecycle=IDLE, **more)).events)
    assert set(found) >= CONSENT
    assert all(found.pop(name) is None for name in CONSENT)
    return found


SEND = "start: {event: X}\nsteps:\n  - {id: one, send: a/one}\n"


def test_a_programme_that_asks_nothing_reads_nothing_but_what_she_said_no_to() -> None:
    assert events(SEND) == {}


def test_every_place_an_expression_may_stand_is_read() -> None:
    text = """\
offers:
  o:
    expires: 5 days
    tiers: [{name: t, if: "did('Tier', last='1 day')", discount: 5%, code: "fixed:A"}]
start: {event: X, if: "did('If', last='2 days')", key: "last('Key').id"}
stop: {event: Stop, where: "count('Where', last='3 days') > 1"}
goal: {event: Goal, within: 9 days, value: "last('Worth').total"}
steps:
  - {id: one, send: a/one, if: "did('Send', last='4 days')", offer: o}
  - branch: [{if: "did('Branch', last='5 days')", do: []}]
  - wait_for: {event: Answer, up_to: 10 days, where: "did('Inner', last='6 days')"}
  - wait_quiet: 1 hour
    after: [Noise]
  - wait_until: last('Booked').at
  - {id: two, send: a/two, if: "received('one') and opened('other/three')"}
"""
    other = "campaign: other\n" + SEND.replace("one", "three")
    found = needs_of(programme(text, other, lifecycle=IDLE, segments={"s": "did('Segment', last='7 days')"}))
    days = {name: back and back / timedelta(days=1) for name, back in found.events.items() if name not in CONSENT}
    assert days == {
        "Tier": 1, "If": 2, "Key": None, "Stop": LATE / timedelta(days=1), "Where": 3,
        "Goal": LATE / timedelta(days=1), "Worth": None, "Send": 4, "Branch": 5,
        "Answer": 11 + SLACK / timedelta(days=1), "Inner": 6,
        "Noise": (1.1 * timedelta(hours=1) + SLACK) / timedelta(days=1), "Booked": None, "Segment": 7,
        "Email Opened": None,
    }  # fmt: skip
    assert found.received == {("c", "one"), ("other", "three")}


def test_of_two_reaches_into_the_past_the_longer_is_read() -> None:
    both = SEND + "  - {id: two, send: a/two, if: \"did('E', last='9 days') or did('E', last='2 days')\"}\n"
    assert events(both) == {"E": timedelta(days=9)}
    ever = both + "  - {id: three, send: a/three, if: \"did('E')\"}\n"
    assert events(ever) == {"E": None}


def test_caps_are_read_as_far_back_as_the_longest_of_them() -> None:
    caps = "caps: [{max: 1, per: 20 hours}, {max: 4, per: 90 days}]\n"
    assert needs_of(programme(SEND, project=caps)).caps == timedelta(days=90)
    assert needs_of(programme(SEND)).caps == timedelta(days=30), "a person may ask for one a month"


def test_a_world_hands_over_only_what_is_needed() -> None:
    life = Life(programme(SEND + "  - {id: two, send: a/two, if: \"did('E', last='2 days')\"}\n", lifecycle=IDLE))
    life.event("Other")
    life.event("E", "-3 days")
    life.event("E", "-1 day")
    needs = needs_of(life.world.programme)
    history = life.person.snapshot(needs, life.world.now, frozenset()).history
    assert {name: len(seen) for name, seen in history.items()} == {"E": 1}

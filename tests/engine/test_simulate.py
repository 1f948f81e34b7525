"""The world on a virtual clock: it does what storage and dispatch would, in order, and always the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import FactKind
from nurture.engine.simulate import Answer, World, relay_down, sent_at_once
from nurture.testing.worlds import Life, contact, programme

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
STEPS = "start: {event: X}\nsteps:\n  - {id: one, send: a/one}\n  - wait: 1 day\n  - {id: two, send: a/two}\n"
RULES = programme(STEPS)


def test_time_jumps_from_one_due_instant_to_the_next() -> None:
    world = World(RULES, START)
    world.add(contact(created=START))
    world.post(1, "X", START + timedelta(days=400))
    world.run_until(START + timedelta(days=399))
    assert (world.now, world.turns) == (START + timedelta(days=399), 1)
    assert world.next_at == START + timedelta(days=400)
    world.run_until(START + timedelta(days=500))
    assert [delivery.step for delivery in world.people[1].sent] == ["one", "two"]
    assert world.next_at is None


def test_events_of_an_instant_are_judged_before_the_mail_of_that_instant() -> None:
    life = Life(programme(STEPS.replace("steps:", "stop: {event: Stop}\nsteps:")))
    life.event("X")
    life.world.post(1, "Stop", START + timedelta(days=1))
    life.until("+3 days")
    assert life.steps == ["one"]


def lived(post: Callable[..., Answer]) -> list[tuple[object, ...]]:
    world = World(RULES, START, post)
    for number in range(1, 21):
        world.add(contact(number, created=START, zone="Asia/Tokyo" if number % 2 else None))
        world.post(number, "X", START + timedelta(minutes=7 * number))
    world.run_until(START + timedelta(days=9))
    return [(number, fact.at, fact.kind, fact.step) for number, each in world.people.items() for fact in each.ledger]


@pytest.mark.parametrize("post", [sent_at_once, relay_down(START + timedelta(hours=30))])
def test_the_same_world_lives_the_same_life(post: Callable[..., Answer]) -> None:
    assert lived(post) == lived(post)


@pytest.mark.parametrize(
    ("state", "kind", "reason"),
    [
        (DeliveryState.SENT, FactKind.SENT, "accepted"),
        (DeliveryState.REJECTED, FactKind.REJECTED, "address"),
        (DeliveryState.UNKNOWN, FactKind.UNKNOWN, "no_reply"),
    ],
)
def test_however_a_mail_ends_it_is_told_and_the_person_goes_on(
    state: DeliveryState, kind: FactKind, reason: str
) -> None:
    answers = iter([Answer(state, reply=timedelta(hours=2))])
    life = Life(RULES, post=lambda *_: next(answers, Answer()))
    life.event("X")
    life.until("+1 hour")
    assert life.person.deliveries[2].state is DeliveryState.GATED
    life.until("+5 days")
    assert life.reasons(kind, "one") == [reason]
    assert life.sent[-1] == "2026-03-03 11:00 two"


def test_a_deferred_mail_is_tried_again_until_it_goes_or_is_too_late() -> None:
    tries: list[datetime] = []

    def refuse(_delivery: object, now: datetime) -> Answer:
        tries.append(now)
        return Answer(DeliveryState.DEFERRED, retry=timedelta(hours=10)) if len(tries) < 4 else Answer()

    life = Life(RULES, post=refuse)
    life.event("X")
    life.until("+2 days")
    assert [(at - START) / timedelta(hours=1) for at in tries[:4]] == [0, 10, 20, 30]
    assert life.sent[0] == "2026-03-03 15:00 one"
    assert life.reasons(FactKind.DEFERRED) == ["relay"] * 3


def test_a_mail_judged_on_an_older_version_of_her_is_judged_again() -> None:
    looks: list[datetime] = []

    def slow(_delivery: object, now: datetime) -> Answer:
        looks.append(now)
        return Answer(gate=timedelta(minutes=5))

    life = Life(programme(STEPS.replace("a/one}", "a/one, if: not did('Other')}")), post=slow)
    life.event("X")
    life.until("+2 minutes")
    life.event("Other")
    life.until("+1 hour")
    assert (life.steps, len(looks)) == ([], 1)
    assert life.reasons(FactKind.SKIPPED) == ["condition_false"]


def test_a_gate_that_would_open_in_quiet_hours_stays_shut_till_morning() -> None:
    quiet = programme(STEPS, project="quiet_hours: 21:00-08:00\n")
    life = Life(quiet, "2026-03-02 20:58", post=lambda *_: Answer(gate=timedelta(minutes=5)))
    life.event("X")
    life.until("+13 hours")
    assert life.sent == ["2026-03-03 08:05 one"]


def test_a_circle_of_events_runs_through_time_and_not_for_ever() -> None:
    circle = "start: {event: X}\nsteps:\n  - record: X\n"
    life = Life(programme(circle))
    life.event("X")
    life.until("+1 minute")
    assert len(life.enrolments) == 61


def test_what_others_write_to_her_row_is_seen_at_once() -> None:
    rules = programme(
        "start: {segment: vip}\nsteps: [{id: one, send: a/one}]\n", segments={"vip": "contact.vip == True"}
    )
    life = Life(rules)
    life.world.change(1, attributes={"vip": True})
    life.until("+1 minute")
    assert life.steps == ["one"]

"""Stages: forward, back and again, by events, by time and by conditions; the history only grows."""

from __future__ import annotations

from itertools import pairwise

from nurture.domain.ledger import FactKind
from nurture.testing.worlds import Life, contact, programme

NOTHING = programme("start: {manual: true}\nsteps:\n  - {id: one, send: a/one}\n")


def when(life: Life) -> list[str]:
    return [f"{life.local(change.at)} {change.to_stage}" for change in life.person.stages]


def test_somebody_new_stands_in_the_first_stage() -> None:
    life = Life(NOTHING)
    assert when(life) == ["2026-03-02 09:00 awareness"]
    assert life.reasons(FactKind.STAGE_MOVED) == ["first_stage"]


def test_the_whole_journey_and_back() -> None:
    life = Life(NOTHING)
    life.event("Newsletter Subscribed")
    life.until("+1 day")
    life.event("Order Completed", total=9)
    life.until("+20 days")
    life.event("Referral Made")
    life.until("+200 days")
    assert when(life) == [
        "2026-03-02 09:00 awareness",
        "2026-03-02 09:00 consideration",
        "2026-03-03 09:00 purchase",
        "2026-03-17 09:00 retention",
        "2026-03-23 09:00 advocacy",
        "2026-08-30 09:00 lapsed",
    ]
    life.event("Order Completed", total=9)
    assert life.stages[-1] == "purchase"


def test_dwelling_counts_calendar_days_on_her_clock() -> None:
    life = Life(NOTHING, "2026-03-20 09:00", zone="Europe/Berlin")
    life.event("Order Completed", total=9)
    life.until("+20 days")
    assert when(life)[-1] == "2026-04-03 09:00 retention"


def test_a_condition_moves_on_the_event_that_makes_it_true() -> None:
    life = Life(NOTHING)
    life.event("Order Completed", total=9)
    life.until("+20 days")
    for _ in range(4):
        life.event("Order Completed", total=9)
    assert life.stages[-1] == "advocacy"
    assert life.reasons(FactKind.STAGE_MOVED)[-1] == "condition_held"


def test_one_event_moves_once() -> None:
    rules = (
        "lifecycle:\n  stages: [a, b, d]\n  moves:\n    - {to: b, from: a, on: Go}\n    - {to: d, from: b, on: Go}\n"
    )
    life = Life(programme("start: {manual: true}\nsteps: [{id: one, send: a/one}]\n", lifecycle=rules))
    life.event("Go")
    assert life.stages == ["a", "b"]
    life.event("Go")
    assert life.stages == ["a", "b", "d"]


def test_an_event_may_be_narrowed_by_a_condition() -> None:
    rules = "lifecycle:\n  stages: [a, b]\n  moves:\n    - {to: b, from: a, on: Go, if: event.size > 3}\n"
    life = Life(programme("start: {manual: true}\nsteps: [{id: one, send: a/one}]\n", lifecycle=rules))
    for properties in ({}, {"size": 3}, {"size": "4"}):
        life.event("Go", **properties)
    assert life.stages == ["a"]
    life.event("Go", size=4)
    assert life.stages == ["a", "b"]


def test_what_was_over_before_an_event_is_counted_before_it_also_after_an_outage() -> None:
    """Retention was reached on day 14, the referral was on day 15, and nothing ran until day 20."""
    life = Life(NOTHING)
    life.event("Order Completed", total=9)
    life.world.post(1, "Referral Made", life.when("+20 days"), happened=life.when("+15 days"))
    life.world._queue = [entry for entry in life.world._queue if entry[1] == 0]  # the turn of day 14 never ran
    life.person.turn_at = None
    life.until("+20 days")
    assert when(life)[-2:] == ["2026-03-16 09:00 retention", "2026-03-17 09:00 advocacy"]


def test_a_late_event_never_turns_the_history_back() -> None:
    life = Life(NOTHING)
    life.event("Newsletter Subscribed")
    life.until("+2 days")
    life.event("Order Completed", "-9 days", total=9)
    times = [change.at for change in life.person.stages]
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert life.person.contact.stage_since == times[-1]


def test_somebody_known_by_an_old_event_has_been_here_since_then() -> None:
    life = Life(NOTHING)
    life.person = life.world.add(contact(created=life.start))
    life.event("Order Completed", "-20 days", total=9)
    assert when(life) == ["2026-02-10 09:00 awareness", "2026-02-10 09:00 purchase", "2026-02-24 09:00 retention"]


CHASE = """\
lifecycle:
  stages: [a, b]
  moves:
    - {to: b, from: a, if: contact.x == 1}
    - {to: a, from: b, if: contact.x == 1}
"""


def test_rules_that_chase_each_other_come_to_rest_and_say_so() -> None:
    idle = programme("start: {manual: true}\nsteps: [{id: one, send: a/one}]\n", lifecycle=CHASE)
    life = Life(idle, attributes={"x": 1})
    assert life.reasons(FactKind.FAILED) == ["loop_bound"]


def test_a_step_moves_her_and_rules_of_the_new_stage_hold_at_once() -> None:
    rule = "campaign: b\nstart: {stage: '* -> advocacy'}\nsteps:\n  - {id: thanks, send: a/thanks}\n"
    life = Life(
        programme(
            "start: {event: X}\nsteps:\n  - move: advocacy\n  - {id: one, send: a/one, if: in_stage('advocacy')}\n",
            rule,
        )
    )
    life.event("X")
    assert life.stages == ["awareness", "advocacy"]
    assert sorted(life.steps) == ["one", "thanks"]
    assert life.reasons(FactKind.STAGE_MOVED)[-1] == "by_step"

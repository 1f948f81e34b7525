"""Stops and goals: at once, wherever the person stands, and only for the thing they are about."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import FactKind
from nurture.engine.simulate import Answer
from nurture.testing.worlds import Life, programme

STEPS = "steps:\n  - wait: 1 day\n  - {id: one, send: a/one}\n  - wait: 1 day\n  - {id: two, send: a/two}\n"
CART = "start: {event: Checkout Started, key: event.id}\n"


def test_a_stop_ends_the_campaign_in_a_wait() -> None:
    life = Life(programme(CART + "stop: {event: Cart Emptied}\n" + STEPS))
    life.event("Checkout Started", id="c1")
    life.until("+1 day 12 hours")
    life.event("Cart Emptied")
    life.until("+10 days")
    assert (life.steps, life.left_by) == (["one"], ["stop"])
    assert life.reasons(FactKind.LEFT) == ["stop_event"]


def test_where_stops_only_the_passage_it_is_about() -> None:
    life = Life(programme(CART + "stop: {event: Order Completed, where: event.id == start.id}\n" + STEPS))
    for key in ("c1", "c2"):
        life.event("Checkout Started", id=key)
    life.event("Order Completed", id="c2", total=9)
    life.event("Order Completed", total=9)
    assert life.left_by == ["inside", "stop"]


def test_an_event_of_before_the_start_stops_nothing() -> None:
    life = Life(programme(CART + "stop: {event: Cart Emptied}\n" + STEPS))
    life.event("Checkout Started", id="c1")
    life.event("Cart Emptied", "-1 hour")
    assert life.left_by == ["inside"]


def test_an_event_may_stop_one_passage_and_start_the_next() -> None:
    life = Life(programme("start: {event: X}\nstop: {event: X}\n" + STEPS))
    life.event("X")
    life.until("+1 hour")
    life.event("X")
    assert life.left_by == ["stop", "inside"]


@pytest.mark.parametrize(("rule", "left"), [("* -> purchase", "stop"), ("retention -> purchase", "inside")])
def test_a_change_of_stage_stops(rule: str, left: str) -> None:
    life = Life(programme(CART + f'stop: {{stage: "{rule}"}}\n' + STEPS))
    life.event("Checkout Started", id="c1")
    life.event("Order Completed", total=9)
    assert life.left_by == [left]


def test_being_in_a_segment_stops_also_when_time_alone_brings_her_in() -> None:
    rule = CART + "stop: {segment: cold}\nsteps:\n  - wait: 9 days\n  - {id: one, send: a/one}\n"
    life = Life(programme(rule, segments={"cold": "days_since(last('Checkout Started')) >= 5"}))
    life.event("Checkout Started", id="c1")
    life.until("+20 days")
    assert life.left_by == ["stop"]
    assert life.local(life.enrolments[0].ended_at or life.start) == "2026-03-07 09:00"


def test_who_starts_inside_the_segment_that_stops_is_never_mailed() -> None:
    rule = "start: {event: X}\nstop: {segment: vip}\nsteps:\n  - {id: one, send: a/one}\n"
    life = Life(programme(rule, segments={"vip": "contact.vip == True"}), attributes={"vip": True})
    life.event("X")
    assert (life.steps, life.left_by) == ([], ["stop"])


def test_who_enters_by_a_segment_and_is_in_the_one_that_stops_is_never_mailed() -> None:
    rule = "start: {segment: big}\nstop: {segment: vip}\nsteps:\n  - {id: one, send: a/one}\n"
    segments = {"big": "spent() > 100", "vip": "spent() > 50"}
    life = Life(programme(rule, segments=segments))
    life.event("Order Completed", total=200)
    assert (life.steps, life.left_by) == ([], ["stop"])


def test_a_step_that_changes_her_stops_others_before_their_mail_of_the_same_turn() -> None:
    setter = "campaign: a\nstart: {event: X}\nsteps:\n  - set: {contact.vip: true}\n"
    other = "campaign: b\nstart: {event: X}\nstop: {segment: vip}\nsteps:\n  - {id: one, send: a/one}\n"
    for texts in ((setter, other), (other, setter)):
        life = Life(programme(*texts, segments={"vip": "contact.vip == True"}))
        life.event("X")
        assert (life.steps, life.left_by[0 if texts[0] is other else 1]) == ([], "stop")


def test_a_pending_mail_of_whoever_leaves_is_cancelled() -> None:
    life = Life(
        programme(CART + "stop: {event: Cart Emptied}\n" + STEPS), post=lambda *_: Answer(DeliveryState.DEFERRED)
    )
    life.event("Checkout Started", id="c1")
    life.until("+1 day 5 minutes")
    life.event("Cart Emptied")
    life.until("+10 days")
    assert [each.state for each in life.person.deliveries.values()] == ["cancelled"]
    assert life.reasons(FactKind.CANCELLED) == ["left_campaign"]


def test_a_mail_past_its_gate_goes_out_and_the_campaign_still_ends() -> None:
    slow = Answer(reply=timedelta(minutes=2))
    life = Life(programme(CART + "stop: {event: Cart Emptied}\n" + STEPS), post=lambda *_: slow)
    life.event("Checkout Started", id="c1")
    life.until("+1 day 1 minute")
    life.event("Cart Emptied")
    life.until("+10 days")
    assert (life.steps, life.left_by) == (["one"], ["stop"])


def test_no_mail_is_gated_after_a_stop_is_known() -> None:
    slow = Answer(gate=timedelta(minutes=2))
    life = Life(programme(CART + "stop: {event: Cart Emptied}\n" + STEPS), post=lambda *_: slow)
    life.event("Checkout Started", id="c1")
    life.until("+1 day 1 minute")
    life.event("Cart Emptied")
    life.until("+10 days")
    assert (life.steps, life.left_by) == ([], ["stop"])


# --- goals -----------------------------------------------------------------------------------------------------------

GOAL = "goal: {event: Order Completed, within: 5 days, value: event.total, where: event.total > 5%s}\n"


def test_a_goal_ends_the_campaign_and_its_worth_is_kept() -> None:
    life = Life(programme(CART + GOAL % "" + STEPS))
    life.event("Checkout Started", id="c1")
    life.event("Order Completed", total=80)
    assert life.left_by == ["goal"]
    assert life.enrolments[0].goal_value == 80.0


def test_a_goal_may_let_her_stay() -> None:
    life = Life(programme(CART + GOAL % ", then: stay" + STEPS))
    life.event("Checkout Started", id="c1")
    life.event("Order Completed", total=80)
    life.until("+10 days")
    assert (life.steps, life.left_by) == (["one", "two"], ["finished"])
    assert len(life.facts(FactKind.GOAL_REACHED)) == 1


@pytest.mark.parametrize(
    ("event", "total", "hours", "reached"),
    [
        ("Order Completed", 80, 119, True),
        ("Order Completed", 80, 121, False),
        ("Order Completed", 5, 1, False),
        ("Order Completed", None, 1, False),
        ("Cart Emptied", 80, 1, False),
    ],
)
def test_a_goal_counts_within_its_time_and_terms(event: str, total: int | None, hours: int, reached: bool) -> None:
    life = Life(programme(CART + GOAL % "" + STEPS))
    life.event("Checkout Started", id="c1")
    life.until(f"+{hours} hours")
    life.event(event, total=total)
    assert (life.enrolments[0].goal_at is not None) is reached


def test_a_goal_counts_once_and_also_after_the_last_step() -> None:
    life = Life(programme(CART + GOAL % "" + "steps:\n  - {id: one, send: a/one}\n"))
    life.event("Checkout Started", id="c1")
    life.until("+2 days")
    for total in (80, 90):
        life.event("Order Completed", total=total)
    assert life.left_by == ["finished"]
    assert [each.goal_value for each in life.enrolments] == [80.0]


def test_a_purchase_that_stops_is_counted_as_the_goal_first() -> None:
    life = Life(programme(CART + "stop: {event: Order Completed}\n" + GOAL % "" + STEPS))
    life.event("Checkout Started", id="c1")
    life.event("Order Completed", total=80)
    assert life.left_by == ["stop"]
    assert life.enrolments[0].goal_at is not None


@pytest.mark.parametrize("worth", ["80", True, None, 10**400, float("inf"), float("nan"), [80]])
def test_odd_worth_is_no_worth(worth: object) -> None:
    life = Life(programme(CART + "goal: {event: Order Completed, within: 5 days, value: event.worth}\n" + STEPS))
    life.event("Checkout Started", id="c1")
    life.event("Order Completed", worth=worth)
    assert (life.left_by, life.enrolments[0].goal_value) == (["goal"], None)


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_an_operator_can_take_her_out_of_one_campaign_or_of_all() -> None:
    both = programme("start: {event: X}\n" + STEPS, "campaign: d\nstart: {event: X}\n" + STEPS)
    life = Life(both)
    life.event("X")
    life.event("nurture.eject", campaign="d")
    assert life.left_by == ["inside", "ejected"]
    life.event("nurture.eject")
    assert life.left_by == ["ejected", "ejected"]
    assert set(life.reasons(FactKind.LEFT)) == {"by_hand"}


def test_a_campaign_that_is_gone_ends_for_everybody_inside() -> None:
    life = Life(programme("start: {event: X}\n" + STEPS, "campaign: d\nstart: {event: Y}\n" + STEPS))
    life.event("X")
    life.apply(programme("campaign: d\nstart: {event: Y}\n" + STEPS))
    assert (life.left_by, life.reasons(FactKind.LEFT)) == (["archived"], ["campaign_gone"])


@pytest.mark.parametrize(("happened", "counted"), [("-6 days", [9.0]), ("-4 days", [])])
def test_a_goal_told_after_its_days_are_over_counts_by_when_it_happened(happened: str, counted: list[float]) -> None:
    goal = "goal: {event: Order Completed, within: 2 days, value: event.total}\n"
    life = Life(programme("start: {event: X}\n" + goal + "steps:\n  - {id: one, send: a/one}\n"))
    life.event("X")
    life.until("+7 days")
    life.event("Nothing to do with it")
    life.event("Order Completed", happened, total=9)
    assert [fact.detail["value"] for fact in life.facts(FactKind.GOAL_REACHED)] == counted
    assert [each.goal_value for each in life.enrolments] == (counted or [None])

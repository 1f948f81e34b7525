"""Editing what people are inside: every row of the table in the language's description, lived through."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import FactKind
from nurture.domain.programme import Programme
from nurture.engine.simulate import Answer, relay_down
from nurture.testing.worlds import Life, programme

START = "start: {event: X, again: always}\nsteps:\n"
A, B, C, D = (f"  - {{id: {name}, send: a/{name}}}\n" for name in "abcd")
WAIT = "  - wait: 4 days\n"


def edited(before: str, after: str, *, head: str = "") -> tuple[Programme, Programme]:
    first = programme(START + before)
    return first, programme(head + START + after, previous=first)


def lived(before: str, after: str, days: int, *, head: str = "") -> Life:
    """She starts on 2 March, the edit is applied after `days`, and a long time passes."""
    first, second = edited(before, after, head=head)
    life = Life(first)
    life.event("X")
    life.until(f"+{days} days")
    life.apply(second)
    life.until("+60 days")
    return life


def sent(life: Life) -> list[str]:
    return [f"{line[8:10]} {line[17:]}" for line in life.sent]


# --- wait longer or shorter ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", ["2 days", "1 day", "9 days"])
def test_people_in_a_wait_that_is_edited_keep_their_time(wait: str) -> None:
    assert sent(lived(WAIT + A, f"  - wait: {wait}\n" + A, 1)) == ["06 a"]


@pytest.mark.parametrize(("wait", "day"), [("2 days", "06"), ("9 days", "13")])
def test_people_who_reach_an_edited_wait_later_get_the_new_time(wait: str, day: str) -> None:
    life = lived("  - wait: 2 days\n" + A + WAIT + B, f"  - wait: 2 days\n{A}  - wait: {wait}\n{B}", 1)
    assert sent(life) == ["04 a", f"{day} b"]


# --- step added ------------------------------------------------------------------------------------------------------


def test_an_added_step_is_for_people_who_have_not_come_to_its_place() -> None:
    assert sent(lived("  - wait: 1 day\n" + A + WAIT + C, "  - wait: 1 day\n" + A + WAIT + B + WAIT + C, 0)) == [
        "03 a", "07 b", "11 c",
    ]  # fmt: skip


def test_an_added_step_is_never_for_people_who_are_past_its_place() -> None:
    assert sent(lived(A + WAIT + C, B + "  - wait: 1 day\n" + A + WAIT + C, 1)) == ["02 a", "06 c"]


def test_a_step_added_at_the_end_is_for_people_who_are_still_inside() -> None:
    assert sent(lived(A + WAIT + B, A + WAIT + B + WAIT + C, 1)) == ["02 a", "06 b", "10 c"]
    assert sent(lived(A + WAIT + B, A + WAIT + B + WAIT + C, 5)) == ["02 a", "06 b"]


# --- step removed ----------------------------------------------------------------------------------------------------


def test_a_removed_step_is_never_got_by_people_before_it() -> None:
    assert sent(lived(A + WAIT + B + WAIT + C, A + WAIT + C, 1)) == ["02 a", "06 c"]


def test_people_who_stand_at_a_removed_step_move_to_the_next_that_survives() -> None:
    """B waits for the relay, with its mail planned, when it is taken out."""
    first, second = edited(A + WAIT + B + WAIT + C, A + WAIT + C)
    life = Life(first, post=lambda delivery, now: Answer(DeliveryState.DEFERRED) if delivery.step == "b" else Answer())
    life.event("X")
    life.until("+5 days")
    life.apply(second)
    life.until("+60 days")
    assert life.steps == ["a", "c"]
    assert life.reasons(FactKind.CANCELLED) == ["moved_by_edit"]
    assert life.left_by == ["finished"]


def test_people_who_wait_for_a_removed_step_wait_for_the_next_one_and_are_not_rushed() -> None:
    life = lived(A + "  - wait: 20 days\n" + B + WAIT + C, A + WAIT + C, 10)
    assert life.steps == ["a", "c"]
    assert life.person.sent[1].due_at >= datetime(2026, 3, 12, 9, tzinfo=UTC)


def test_a_removed_wait_makes_its_mail_due_now_and_not_late() -> None:
    """The limit of being late counts from now on: she could not have had it before."""
    assert sent(lived(A + "  - wait: 20 days\n" + B, A + B, 10)) == ["02 a", "12 b"]


def test_people_at_the_last_step_leave_when_it_is_removed() -> None:
    life = lived(A + WAIT + B, A, 1)
    assert (life.steps, life.left_by) == (["a"], ["finished"])
    assert life.reasons(FactKind.WENT_ON)[-1] == "moved_by_edit"


# --- step moved ------------------------------------------------------------------------------------------------------


def test_people_before_a_moved_step_get_the_new_order() -> None:
    days = "  - wait: 1 day\n"
    assert lived(days + A + days + B + days + C, days + A + days + C + days + B, 0).steps == ["a", "c", "b"]


def test_people_go_with_their_step_and_what_was_received_is_never_sent_again() -> None:
    """She had A and waits for B; then A is put behind B."""
    life = lived(A + WAIT + B, "  - wait: 1 day\n" + B + WAIT + A, 1)
    assert life.steps == ["a", "b"]
    assert life.reasons(FactKind.SKIPPED, "a") == ["already_received"]


# --- step renamed ----------------------------------------------------------------------------------------------------


def test_a_renamed_step_is_the_same_step_for_people_before_it_at_its_time() -> None:
    renamed = "  - {id: bee, send: a/bee, was: b}\n"
    assert sent(lived(A + WAIT + B, A + "  - wait: 9 days\n" + renamed, 1)) == ["02 a", "06 bee"]


def test_a_renamed_step_is_not_sent_again_to_people_past_it() -> None:
    renamed = "  - {id: bee, send: a/bee, was: a}\n"
    life = lived(A + WAIT + B, "  - wait: 1 day\n" + B + "  - wait: 1 day\n" + renamed, 1)
    assert life.steps == ["a", "b"]
    assert life.reasons(FactKind.SKIPPED, "bee") == ["already_received"]


def test_a_mail_that_is_on_its_way_while_its_step_is_renamed_goes_once_and_she_goes_on() -> None:
    first, second = edited(A + WAIT + B, "  - {id: ay, send: a/ay, was: a}\n" + WAIT + B)
    life = Life(first, post=relay_down(datetime(2026, 3, 3, 9, tzinfo=UTC)))
    life.event("X")
    life.until("+1 hour")
    life.apply(second)
    life.until("+60 days")
    assert sent(life) == ["03 a", "07 b"]
    assert life.facts(FactKind.SKIPPED) == []


def test_a_postponed_step_that_is_renamed_keeps_its_place_in_time() -> None:
    caps = "caps:\n  - {max: 1, per: 3 days}\n"
    first = programme(START + A + "  - wait: 1 day\n" + B, project=caps)
    life = Life(first)
    life.event("X")
    life.until("+2 days")
    renamed = START + A + "  - wait: 1 day\n  - {id: bee, send: a/bee, was: b}\n"
    life.apply(programme(renamed, project=caps, previous=first))
    life.until("+20 days")
    assert sent(life) == ["02 a", "05 bee"]


# --- template, start, status -----------------------------------------------------------------------------------------


def test_a_new_template_is_for_everybody_who_has_not_had_the_old_one() -> None:
    life = lived(A + WAIT + B, A.replace("a/a", "new/a") + WAIT + B.replace("a/b", "new/b"), 1)
    assert [life.world.programme.campaigns["c"].nodes[each.step].template for each in life.person.sent] == [
        "new/a",
        "new/b",
    ]
    assert [each.template for each in life.person.sent] == ["a/a", "new/b"]


def test_a_changed_start_lets_people_inside_stay() -> None:
    first = programme(START + WAIT + A)
    life = Life(first)
    life.event("X")
    life.apply(programme((START + WAIT + A).replace("{event: X, again: always}", "{event: Y}"), previous=first))
    life.event("X")
    life.until("+60 days")
    assert (life.steps, life.left_by) == (["a"], ["finished"])


def test_people_finish_an_archived_campaign_and_nobody_enters_it() -> None:
    life = lived(A + WAIT + B, A + WAIT + B, 1, head="status: archived\n")
    life.event("X")
    assert (life.steps, life.left_by) == (["a", "b"], ["finished"])


def test_two_edits_one_after_the_other_lead_to_the_same_place() -> None:
    first = programme(START + A + WAIT + B + WAIT + C)
    second = programme(START + A + WAIT + C, previous=first)
    third = programme(START + A + WAIT + "  - {id: sea, send: a/sea, was: c}\n", previous=second)
    life = Life(first)
    life.event("X")
    life.until("+1 day")
    life.apply(second)
    life.apply(third)
    life.until("+60 days")
    assert sent(life) == ["02 a", "06 sea"]


def test_somebody_who_had_no_turn_between_two_edits_gets_there_too() -> None:
    first = programme(START + A + WAIT + B + WAIT + C)
    second = programme(START + A + WAIT + C, previous=first)
    third = programme(START + A + WAIT + "  - {id: sea, send: a/sea, was: c}\n", previous=second)
    life = Life(first)
    life.event("X")
    life.until("+1 day")
    life.apply(third)
    life.until("+60 days")
    assert sent(life) == ["02 a", "06 sea"]


def test_a_goal_that_is_added_counts_for_people_inside() -> None:
    first = programme(START + WAIT + A)
    life = Life(first)
    life.event("X")
    life.apply(programme("goal: {event: Y, within: 3 days}\n" + START + WAIT + A, previous=first))
    life.event("Y")
    assert life.left_by == ["goal"]

"""Starts: who comes in, under which key, how often, and what a second start does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nurture.domain.entry import as_key
from nurture.domain.ledger import FactKind
from nurture.domain.programme import Programme
from nurture.testing.worlds import Life, contact, programme

MAIL = "steps:\n  - {id: hello, send: a/hello}\n"
SLOW = "steps:\n  - wait: 3 days\n  - {id: hello, send: a/hello}\n"
CART = "start: {event: Checkout Started, key: event.id, if: event.value >= 15}\n"


def refusals(life: Life) -> list[str]:
    return life.reasons(FactKind.NOT_ENROLLED)


def test_an_event_starts_at_the_instant_it_happened() -> None:
    life = Life(programme(CART + SLOW))
    life.event("Checkout Started", "-2 hours", id="c1", value=20)
    assert [each.started_at for each in life.enrolments] == [life.start - timedelta(hours=2)]
    assert life.enrolments[0].start == {"id": "c1", "value": 20}
    assert life.enrolments[0].key == "c1"


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"id": "c1", "value": 14}, "condition_false"),
        ({"id": "c1"}, "condition_unknown"),
        ({"id": "c1", "value": "20"}, "condition_unknown"),
        ({"value": 20}, "key_unknown"),
        ({"id": ["c1"], "value": 20}, "key_unknown"),
    ],
)
def test_who_does_not_fit_stays_out_and_the_ledger_says_why(properties: dict[str, object], reason: str) -> None:
    life = Life(programme(CART + SLOW))
    life.event("Checkout Started", **properties)
    assert (life.enrolments, refusals(life)) == ([], [reason])


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("c1", "c1"),
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (True, "True"),
        (None, None),
        ({}, None),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_key_is_text_and_the_same_for_the_same_thing(value: object, key: str | None) -> None:
    assert as_key(value) == key


@pytest.mark.parametrize(
    ("rule", "moves", "entered"),
    [
        ("awareness -> consideration", ["Newsletter Subscribed"], 1),
        ("* -> consideration", ["Newsletter Subscribed"], 1),
        ("purchase -> consideration", ["Newsletter Subscribed"], 0),
        ("* -> purchase", ["Newsletter Subscribed", "Order Completed"], 1),
        ("consideration -> purchase", ["Order Completed"], 0),
    ],
)
def test_a_change_of_stage_starts(rule: str, moves: list[str], entered: int) -> None:
    life = Life(programme(f'start: {{stage: "{rule}"}}\n' + SLOW))
    for name in moves:
        life.event(name)
    assert len(life.enrolments) == entered


def test_a_stage_starts_again_for_whoever_drifts_back() -> None:
    life = Life(programme('start: {stage: "* -> consideration"}\n' + MAIL))
    life.event("Newsletter Subscribed")
    life.event("Order Completed")
    life.until("+20 days")
    life.event("Quote Requested")
    assert life.stages == ["awareness", "consideration", "purchase", "retention", "consideration"]
    assert life.steps == ["hello", "hello"]


BIG = {"big": "spent() >= 100"}
SEGMENT = "start: {segment: big}\n" + MAIL


def test_entering_a_segment_starts_and_staying_in_it_does_not() -> None:
    life = Life(programme(SEGMENT, segments=BIG))
    for _ in range(3):
        life.event("Order Completed", total=60)
        life.until("+1 day")
    assert life.sent == ["2026-03-03 09:00 hello"]


def test_a_segment_that_time_alone_opens_starts_on_time() -> None:
    quiet = {"quiet": "days_since(last('Order Completed')) > 30"}
    life = Life(programme("start: {segment: quiet}\n" + MAIL, segments=quiet))
    life.event("Order Completed", total=60)
    life.until("+40 days")
    assert life.sent == ["2026-04-01 09:00 hello"]


def test_leaving_and_entering_again_starts_again() -> None:
    recent = {"recent": "orders(last='10 days') >= 1"}
    life = Life(programme("start: {segment: recent}\n" + MAIL, segments=recent))
    for _ in range(2):
        life.event("Order Completed", total=60)
        life.until("+20 days")
    assert life.steps == ["hello", "hello"]


def member_since_before(applied_after: timedelta, **columns: object) -> Life:
    plain = programme("start: {event: X}\n" + MAIL, segments={"finns": "contact.country == 'FI'"})
    life = Life(plain, attributes={"country": "FI"}, **columns)
    life.until("+10 days")
    applied = life.start + applied_after
    life.apply(
        programme("start: {segment: finns}\n" + MAIL, segments={"finns": "contact.country == 'FI'"}, since=applied)
    )
    life.until("+10 days")
    return life


def test_members_of_before_the_campaign_do_not_enter() -> None:
    assert member_since_before(timedelta(days=10)).enrolments == []


def test_people_newer_than_the_campaign_enter_with_what_they_already_are() -> None:
    assert member_since_before(timedelta(days=-1)).steps == ["hello"]


def test_an_old_contact_enters_by_the_first_event_after_apply() -> None:
    """Nobody had looked at her for this segment yet, and she is inside at the end of her turn: by what she just did."""
    life = Life(
        programme(SEGMENT, segments=BIG, since=Life(programme(SEGMENT, segments=BIG)).start + timedelta(days=1))
    )
    life.person.contact = contact(created=life.start)  # whose memberships nobody knows
    life.until("+2 days")
    life.event("Order Completed", total=200)
    assert life.steps == ["hello"]


def test_what_an_imported_person_already_is_starts_nothing() -> None:
    rules = [
        "campaign: by-segment\nstart: {segment: big}\n" + MAIL,
        'campaign: by-stage\nstart: {stage: "* -> awareness"}\n' + MAIL,
    ]
    life = Life(programme(*rules, segments={"big": "contact.size == 'big'"}), attributes={"size": "big"}, enrols=False)
    life.until("+5 days")
    assert life.enrolments == []
    assert "imported" in refusals(life)
    assert life.person.contact.enrols


def test_what_an_imported_person_does_later_starts_campaigns() -> None:
    life = Life(programme(SEGMENT, segments=BIG), enrols=False)
    life.event("Order Completed", total=200)
    assert life.steps == ["hello"]


BIRTHDAY = 'start: {date: contact.birthday, at: "09:00"}\n' + MAIL


def test_an_anniversary_comes_each_year_on_the_local_day() -> None:
    life = Life(programme(BIRTHDAY), zone="Asia/Tokyo", attributes={"birthday": "1990-05-14"})
    life.until("2028-12-31 00:00")
    assert life.sent == ["2026-05-14 09:00 hello", "2027-05-14 09:00 hello", "2028-05-14 09:00 hello"]


def test_a_leap_day_is_kept_on_the_28th_in_common_years() -> None:
    life = Life(programme(BIRTHDAY), "2027-01-01 00:00", attributes={"birthday": "1992-02-29"})
    life.until("2029-12-31 00:00")
    assert life.sent == ["2027-02-28 09:00 hello", "2028-02-29 09:00 hello", "2029-02-28 09:00 hello"]


def test_no_birthday_or_an_odd_one_starts_nothing() -> None:
    for attributes in ({}, {"birthday": "soon"}, {"birthday": 19900514}, {"birthday": ["1990-05-14"]}):
        life = Life(programme(BIRTHDAY), attributes=attributes)
        life.until("+400 days")
        assert life.enrolments == []


@pytest.mark.parametrize(
    "change",
    [
        {"zone": "Pacific/Honolulu"},
        {"attributes": {"birthday": "1990-05-15"}},
        {"attributes": {"birthday": "1990-05-12"}},
    ],
)
def test_a_correction_does_not_wish_twice(change: dict[str, object]) -> None:
    life = Life(programme(BIRTHDAY), "2026-05-14 08:00", attributes={"birthday": "1990-05-14"})
    life.until("+2 hours")
    life.world.change(1, **change)
    life.until("+10 days")
    assert life.steps == ["hello"]


def test_an_edited_hour_does_not_wish_twice() -> None:
    life = Life(programme(BIRTHDAY), "2026-05-14 08:00", attributes={"birthday": "1990-05-14"})
    life.until("+2 hours")
    life.apply(programme(BIRTHDAY.replace("09:00", "11:00")))
    life.until("+10 days")
    assert life.steps == ["hello"]


def test_an_anniversary_of_before_she_was_known_or_the_campaign_was_is_over() -> None:
    new = Life(programme(BIRTHDAY), "2026-05-14 12:00", attributes={"birthday": "1990-05-14"})
    new.until("+10 days")
    assert new.steps == []
    since = new.start
    known = Life(
        programme(BIRTHDAY, since=since), "2026-05-14 12:00", created=since - timedelta(days=99),
        attributes={"birthday": "1990-05-14"},
    )  # fmt: skip
    known.until("+10 days")
    assert known.steps == []


def test_an_anniversary_missed_while_nothing_ran_still_starts_within_a_week() -> None:
    quick = BIRTHDAY.replace("send: a/hello", "send: a/hello, late: drop after 10 days")
    life = Life(
        programme(quick),
        "2026-05-18 12:00",
        created=Life(programme(quick)).start,
        attributes={"birthday": "1990-05-14"},
    )
    assert life.steps == ["hello"]


# --- again and meanwhile ---------------------------------------------------------------------------------------------


def again(rule: str) -> Programme:
    return programme(f"start: {{event: X, again: {rule}}}\n" + MAIL)


@pytest.mark.parametrize(
    ("rule", "days", "steps"),
    [
        ("never", [1, 100], 1),
        ("always", [1, 100], 3),
        ("after 7 days", [6], 1),
        ("after 7 days", [7], 2),
        ("after 1 month", [28], 1),
        ("after 1 month", [31], 2),
    ],
)
def test_re_entry_counts_from_the_last_start(rule: str, days: list[int], steps: int) -> None:
    life = Life(again(rule))
    life.event("X")
    for day in days:
        life.world.post(1, "X", life.start + timedelta(days=day))
    life.until("+200 days")
    assert len(life.steps) == steps


def test_too_soon_and_never_are_written_down() -> None:
    life = Life(again("after 7 days"))
    life.event("X")
    life.event("X")
    assert refusals(life) == ["again_too_soon"]
    life = Life(again("never"))
    life.event("X")
    life.event("X")
    assert refusals(life) == ["again_never"]


def test_two_starts_in_one_turn_obey_again() -> None:
    life = Life(again("never"))
    life.world.post(1, "X", life.world.now)
    life.event("X")
    assert len(life.enrolments) == 1


def meanwhile(rule: str) -> Programme:
    return programme(f"start: {{event: X, key: event.id, meanwhile: {rule}}}\n" + SLOW)


def test_the_same_key_inside_is_ignored() -> None:
    life = Life(meanwhile("ignore"))
    life.event("X", id=1, colour="red")
    life.until("+1 day")
    life.event("X", id=1, colour="blue")
    assert refusals(life) == ["same_key_inside"]
    assert [each.start["colour"] for each in life.enrolments] == ["red"]


def test_the_same_key_inside_refreshes_the_data_and_nothing_else() -> None:
    life = Life(meanwhile("refresh"))
    life.event("X", id=1, colour="red", size=2)
    life.until("+1 day")
    life.event("X", id=1, colour="blue")
    life.until("+10 days")
    assert life.enrolments[0].start == {"id": 1, "colour": "blue", "size": 2}
    assert life.sent == ["2026-03-05 09:00 hello"]


def test_the_same_key_inside_begins_again() -> None:
    life = Life(meanwhile("restart"))
    life.event("X", id=1)
    life.until("+1 day")
    life.event("X", id=1)
    life.until("+10 days")
    assert life.left_by == ["restarted", "finished"]
    assert life.sent == ["2026-03-06 09:00 hello"]


@pytest.mark.parametrize("rule", ["refresh", "restart"])
def test_an_older_start_that_is_reported_late_changes_nothing(rule: str) -> None:
    life = Life(meanwhile(rule))
    life.event("X", id=1, colour="new")
    life.event("X", "-5 hours", id=1, colour="old")
    assert [each.start["colour"] for each in life.enrolments] == ["new"]
    assert life.left_by == ["inside"]


def test_different_keys_are_inside_side_by_side() -> None:
    life = Life(meanwhile("ignore"))
    life.event("X", id=1)
    life.event("X", id=2)
    life.until("+10 days")
    assert life.steps == ["hello", "hello"]
    assert [each.key for each in life.enrolments] == ["1", "2"]


# --- by hand, and campaigns that do not run --------------------------------------------------------------------------


def enrol(life: Life, **more: object) -> None:
    life.event("nurture.enrol", campaign="c", **more)


def test_by_hand_the_operator_decides() -> None:
    life = Life(programme("start: {event: X, key: event.id, if: event.value > 3, again: never}\n" + SLOW))
    enrol(life, key="k", **{"with": {"value": 1}})
    assert [(each.key, each.start) for each in life.enrolments] == [("k", {"value": 1})]
    enrol(life, key="k")
    assert refusals(life) == ["same_key_inside"]


def test_a_manual_start_needs_nothing_else() -> None:
    life = Life(programme("start: {manual: true}\n" + MAIL))
    enrol(life)
    assert life.steps == ["hello"]


@pytest.mark.parametrize(
    "odd", [{"key": None}, {"with": [1]}, {"with": None}, {"campaign": ["c"]}, {"campaign": "nobody"}]
)
def test_odd_enrolments_by_hand_harm_nobody(odd: dict[str, object]) -> None:
    life = Life(programme("start: {manual: true}\n" + SLOW))
    life.event("nurture.enrol", **{"campaign": "c", **odd})
    assert all(each.key == "" for each in life.enrolments)


@pytest.mark.parametrize("status", ["draft", "archived"])
def test_nobody_enters_a_campaign_that_is_not_live(status: str) -> None:
    life = Life(programme(f"status: {status}\nstart: {{event: X}}\n" + MAIL))
    life.event("X")
    enrol(life)
    assert (life.enrolments, refusals(life)) == ([], ["not_live", "not_live"])


def test_nobody_enters_a_campaign_that_was_paused_by_hand() -> None:
    life = Life(programme("start: {event: X}\n" + MAIL))
    life.world.pause("c")
    life.event("X")
    assert refusals(life) == ["campaign_paused"]


# --- what is reported late, twice, or in the wrong order -------------------------------------------------------------


def test_a_start_reported_after_the_event_that_stops_it_is_over_at_once() -> None:
    cart = CART + "stop: {event: Order Completed, where: event.id == start.id}\n" + SLOW
    life = Life(programme(cart))
    life.until("+1 day")
    life.event("Order Completed", id="c1", total=20)
    life.event("Checkout Started", "-1 hour", id="c1", value=20)
    assert life.left_by == ["stop"]
    life.event("Checkout Started", "-1 hour", id="c2", value=20)
    assert life.left_by == ["stop", "inside"]


def test_a_goal_reached_before_its_start_was_reported_counts() -> None:
    life = Life(programme(CART + "goal: {event: Order Completed, within: 5 days, value: event.total}\n" + SLOW))
    life.until("+1 day")
    life.event("Order Completed", total=20)
    life.event("Checkout Started", "-1 hour", id="c1", value=20)
    assert (life.left_by, life.enrolments[0].goal_value) == (["goal"], 20.0)


def test_a_start_of_long_ago_is_walked_through_but_late_mail_is_dropped() -> None:
    life = Life(
        programme(
            "start: {event: X}\nsteps:\n  - {id: one, send: a/one}\n  - wait: 12 days\n  - {id: two, send: a/two}\n"
        )
    )
    life.event("X", "-10 days")
    life.until("+20 days")
    assert life.reasons(FactKind.SKIPPED, "one") == ["late"]
    assert life.steps == ["two"]


def test_an_event_from_the_future_is_judged_now() -> None:
    life = Life(programme(CART + MAIL))
    life.world.post(
        1, "Checkout Started", life.start, {"id": "c", "value": 20}, happened=life.start + timedelta(hours=1)
    )
    life.until("+3 hours")
    assert life.steps == ["hello"]


# --- hold-outs -------------------------------------------------------------------------------------------------------


def test_a_held_out_person_passes_through_without_mail_and_goals_count() -> None:
    text = "hold_out: 100%\nstart: {event: X}\ngoal: {event: Y, within: 9 days, then: stay}\n" + MAIL
    life = Life(programme(text))
    life.event("X")
    life.event("Y")
    assert life.steps == []
    assert life.reasons(FactKind.GHOSTED) == ["held_out"]
    assert life.enrolments[0].held_out
    assert life.enrolments[0].goal_at is not None


def test_a_hold_out_of_one_campaign_leaves_the_others_alone() -> None:
    life = Life(
        programme(
            "hold_out: 100%\nstart: {event: X}\n" + MAIL,
            "campaign: d\nstart: {event: X}\nsteps:\n  - {id: hi, send: a/hi}\n",
        )
    )
    life.event("X")
    assert life.steps == ["hi"]


def test_the_global_hold_out_holds_everywhere_but_for_transactional_mail() -> None:
    receipt = "campaign: receipt\nstart: {event: X}\nsteps:\n  - {id: receipt, send: a/receipt, kind: transactional}\n"
    life = Life(programme("start: {event: X}\n" + MAIL, receipt, project="hold_out: 100%\n"))
    life.event("X")
    assert life.steps == ["receipt"]


def test_a_share_is_held_out_and_it_is_the_same_people_for_ever() -> None:
    life = Life(programme("hold_out: 30%\nstart: {event: X, again: always}\n" + MAIL))
    for number in range(2, 402):
        life.world.add(contact(number, created=life.start))
        for day in range(2):
            life.world.post(number, "X", life.start + timedelta(days=day))
    life.until("+3 days")
    held = []
    for person in life.world.people.values():
        if person.all_enrolments:
            (is_held,) = {each.held_out for each in person.all_enrolments}
            held.append(is_held)
    assert len(held) == 400
    assert 80 <= sum(held) <= 160

"""Who gets the slot, and when a mail may go: priority, hours, windows, and what is written down about the losers."""

from __future__ import annotations

import pytest

from nurture.domain.ledger import FactKind
from nurture.testing.worlds import Life, programme

ONE_A_DAY = "caps:\n  - {max: 1, per: 20 hours}\n"


def rival(name: str, priority: int, wait: str = "", extra: str = "") -> str:
    waits = f"  - wait: {wait}\n" if wait else ""
    step = f"  - {{id: {name}, send: a/{name}{extra}}}\n"
    return f"campaign: {name}\npriority: {priority}\nstart: {{event: X}}\nsteps:\n" + waits + step


def winners(*rivals: str, project: str = ONE_A_DAY) -> list[str]:
    life = Life(programme(*rivals, project=project))
    life.event("X")
    life.until("+30 days")
    return life.steps


def test_the_higher_priority_goes_first_whatever_the_order_of_files() -> None:
    for texts in ((rival("a", 10), rival("b", 90)), (rival("b", 90), rival("a", 10))):
        assert winners(*texts) == ["b", "a"]


def test_at_equal_priority_who_was_due_first_goes_first_and_then_the_name_decides() -> None:
    quiet = "quiet_hours: 08:00-20:00\n"
    assert winners(rival("b", 50), rival("a", 50)) == ["a", "b"]
    assert winners(rival("a", 50, "3 hours"), rival("b", 50, "2 hours"), project=ONE_A_DAY + quiet) == ["a", "b"]


def test_the_loser_is_postponed_with_the_rule_that_blocked_it_or_skipped_if_it_says_so() -> None:
    life = Life(programme(rival("a", 90), rival("b", 50), rival("d", 40, extra=", on_cap: skip"), project=ONE_A_DAY))
    life.event("X")
    assert life.steps == ["a"]
    assert life.facts(FactKind.POSTPONED, "b")[0].detail["filled_by"] == [
        {"campaign": "a", "step": "a", "at": "pending"}
    ]
    assert life.reasons(FactKind.SKIPPED, "d") == ["cap"]


def test_the_postponed_ask_again_when_there_is_room_and_again_by_priority() -> None:
    assert winners(rival("a", 10), rival("b", 90), rival("d", 50)) == ["b", "d", "a"]


QUIET = "zone: UTC\nquiet_hours: 21:00-08:00\n"


def at(hour: str, extra: str = "", head: str = "", zone: str = "UTC", project: str = QUIET) -> Life:
    text = f"{head}start: {{event: X}}\nsteps:\n  - {{id: one, send: a/one{extra}}}\n"
    life = Life(programme(text, project=project), f"2026-03-06 {hour}", zone)
    life.event("X")
    life.until("+9 days")
    return life


@pytest.mark.parametrize(
    ("hour", "extra", "head", "sent"),
    [
        ("20:59", "", "", "2026-03-06 20:59"),
        ("21:00", "", "", "2026-03-07 08:00"),
        ("03:00", "", "", "2026-03-06 08:00"),
        ("03:00", ", kind: transactional", "", "2026-03-06 03:00"),
        ("03:00", ", urgent: true", "", "2026-03-06 08:00"),
        ("19:00", "", "send_window: {between: 10:00-18:00, days: weekdays}\n", "2026-03-09 10:00"),
        ("19:00", ", urgent: true", "send_window: {between: 10:00-18:00, days: weekdays}\n", "2026-03-06 19:00"),
        ("19:00", ", kind: transactional", "send_window: {between: 10:00-18:00}\n", "2026-03-06 19:00"),
        ("09:00", "", "send_window: {days: [sun]}\n", "2026-03-08 08:00"),
    ],
)
def test_marketing_mail_waits_for_its_hours_and_transactional_mail_does_not(
    hour: str, extra: str, head: str, sent: str
) -> None:
    assert at(hour, extra, head).sent == [f"{sent} one"]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])
def test_quiet_hours_are_hers(zone: str) -> None:
    assert at("22:00", zone=zone).sent == ["2026-03-07 08:00 one"]


def test_somebody_without_a_zone_or_with_an_odd_one_has_the_project_s() -> None:
    for zone in (None, "Mars/Olympus"):
        life = Life(
            programme(
                "start: {event: X}\nsteps: [{id: one, send: a/one}]\n", project=QUIET.replace("UTC", "Asia/Tokyo")
            )
        )
        life.world.change(1, zone=zone)
        life.until("2026-03-02 13:00")
        life.event("X")
        life.until("+2 days")
        assert life.sent == ["2026-03-02 23:00 one"]


def test_lateness_counts_from_the_first_instant_it_was_allowed_to_go() -> None:
    """Due on Friday evening, allowed on Monday: three days of waiting are not lateness."""
    life = at("19:00", ", late: drop after 1 hour", "send_window: {between: 10:00-18:00, days: weekdays}\n")
    assert life.sent == ["2026-03-09 10:00 one"]
    assert life.reasons(FactKind.POSTPONED) == ["send_window"]


def test_waiting_for_the_morning_is_written_down_once() -> None:
    life = at("22:00")
    assert life.reasons(FactKind.POSTPONED) == ["quiet_hours"]
    assert life.facts(FactKind.POSTPONED)[0].detail["until"] == "2026-03-07T08:00:00+00:00"


def test_a_cap_that_opens_at_night_opens_in_the_morning() -> None:
    rules = programme(
        "start: {event: X}\nsteps: [{id: one, send: a/one}]\n", project=QUIET + "caps: [{max: 1, per: 14 hours}]\n"
    )
    life = Life(rules)
    for _ in range(2):
        life.event("X")
    life.until("+3 days")
    assert life.sent == ["2026-03-02 09:00 one", "2026-03-03 08:00 one"]


def test_an_hour_that_only_opens_past_the_limit_is_a_skip_with_its_reason() -> None:
    rules = programme(
        "start: {event: X}\nsteps: [{id: one, send: a/one, late: drop after 15 hours}]\n",
        project=QUIET + "caps: [{max: 1, per: 14 hours}]\n",
    )
    life = Life(rules, "2026-03-02 08:30")
    life.event("X")
    life.until("+1 hour")
    life.event("X")
    life.until("+3 days")
    assert (len(life.steps), life.reasons(FactKind.SKIPPED)) == (1, ["cap"])

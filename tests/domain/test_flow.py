"""Steps: what each of them waits for, decides and does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nurture.domain.ledger import FactKind
from nurture.engine.simulate import relay_down
from nurture.testing.worlds import Life, contact, programme

X = "start: {event: X}\nsteps:\n"
ONE = "  - {id: one, send: a/one}\n"
TWO = "  - {id: two, send: a/two}\n"


def lived(steps: str, days: int = 30, start: str = "2026-03-02 09:00", zone: str = "UTC", **properties: object) -> Life:
    life = Life(programme(X + steps), start, zone)
    life.event("X", **properties)
    life.until(f"+{days} days")
    return life


# --- waits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wait", "sent"),
    [
        ("wait: 90 minutes", "2026-03-06 17:30"),
        ("wait: 2 days", "2026-03-08 16:00"),
        ("wait: 3 business days", "2026-03-11 16:00"),
        ("wait: 1 month", "2026-04-06 16:00"),
        ("wait: 1 day\n    until: '09:30'", "2026-03-08 09:30"),
        ("until: '09:30'", "2026-03-07 09:30"),
        ("until: '16:00'", "2026-03-06 16:00"),
        ("until: '09:30'\n    on: [mon, tue]", "2026-03-09 09:30"),
        ("on: [mon]", "2026-03-09 16:00"),
        ("wait: 1 day\n    on: weekdays", "2026-03-09 16:00"),
    ],
)
def test_a_wait_ends_when_it_says(wait: str, sent: str) -> None:
    """From Friday 6 March 2026 at 16:00 in Berlin."""
    life = lived(f"  - {wait}\n" + ONE, 40, "2026-03-06 16:00", "Europe/Berlin")
    assert life.sent == [f"{sent} one"]


@pytest.mark.parametrize(
    ("minutes", "second"),
    [(0, "03 10:00"), (1, "03 10:00"), (90, "03 10:00"), (91, "04 10:00"), (600, "04 10:00")],
)
def test_a_mail_that_left_a_little_late_does_not_cost_a_day(minutes: int, second: str) -> None:
    steps = '  - until: "10:00"\n' + ONE + '  - wait: 1 day\n    until: "10:00"\n' + TWO
    life = Life(
        programme(X + steps), post=relay_down(datetime(2026, 3, 2, 10, tzinfo=UTC) + timedelta(minutes=minutes))
    )
    life.event("X")
    life.until("+5 days")
    assert life.sent[1] == f"2026-03-{second} two"


def test_elapsed_hours_are_never_cut_short_by_a_time_of_day() -> None:
    life = lived('  - wait: 24 hours\n    until: "08:30"\n' + ONE, 9)
    assert life.sent == ["2026-03-04 08:30 one"]


def test_waits_count_from_when_the_mail_really_left() -> None:
    steps = "  - {id: one, send: a/one}\n  - wait: 1 day\n" + TWO
    life = Life(programme(X + steps), post=relay_down(datetime(2026, 3, 2, 15, tzinfo=UTC)))
    life.event("X")
    life.until("+5 days")
    assert life.sent == ["2026-03-02 15:00 one", "2026-03-03 15:00 two"]


def test_a_wait_that_was_begun_keeps_its_time_when_she_moves_to_another_zone() -> None:
    life = Life(programme(X + "  - wait: 1 day\n    until: '09:30'\n" + ONE), zone="UTC")
    life.event("X")
    life.world.change(1, zone="Asia/Tokyo")
    life.until("+5 days")
    assert life.sent == ["2026-03-03 09:30 one"]


@pytest.mark.parametrize(
    ("rule", "renews", "sent"),
    [
        ("contact.renews_at - 14 days", "2026-04-20", "2026-04-06 00:00"),
        ("contact.renews_at + 1 day", "2026-04-20T15:00:00+02:00", "2026-04-21 13:00"),
        ("contact.renews_at - 3 business days", "2026-04-20", "2026-04-15 00:00"),
        ("contact.renews_at", "2026-04-20T15:00", "2026-04-20 15:00"),
        ("contact.renews_at", "2020-01-01", "2026-03-02 09:00"),
        ("contact.renews_at", "soon", "2026-03-02 09:00"),
        ("contact.renews_at", None, "2026-03-02 09:00"),
        ("contact.renews_at", 17, "2026-03-02 09:00"),
        ("contact.renews_at - 14 days", "0001-01-01", "2026-03-02 09:00"),
    ],
)
def test_wait_until_goes_on_at_the_instant_and_at_once_when_it_is_unknown_or_past(
    rule: str, renews: object, sent: str
) -> None:
    life = Life(programme(X + f"  - wait_until: {rule}\n" + ONE), attributes={"renews_at": renews})
    life.event("X")
    life.until("+90 days")
    assert life.sent == [f"{sent} one"]


def test_never_in_the_year_9999_is_far_ahead_and_not_at_once() -> None:
    life = Life(
        programme(X + "  - wait_until: contact.renews_at + 1 year\n" + ONE), attributes={"renews_at": "9999-12-31"}
    )
    life.event("X")
    life.until("+900 days")
    assert (life.sent, life.left_by) == ([], ["inside"])


def test_wait_until_follows_the_date_when_it_changes() -> None:
    life = Life(
        programme(X + "  - wait_until: contact.renews_at\n    until: '10:00'\n" + ONE),
        attributes={"renews_at": "2026-04-20"},
    )
    life.event("X")
    life.world.change(1, attributes={"renews_at": "2026-03-10"})
    life.until("+90 days")
    assert life.sent == ["2026-03-10 10:00 one"]


WAIT_FOR = """\
  - wait_for: {event: Answered, up_to: 3 days, where: event.score > 3}
    then:
      - {id: yes, send: a/yes}
    otherwise:
      - {id: no-answer, send: a/no}
  - {id: last, send: a/last}
"""


def test_wait_for_goes_one_way_when_it_is_seen() -> None:
    life = Life(programme(X + WAIT_FOR.replace("yes,", "yea,")))
    life.event("X")
    life.until("+1 day")
    life.event("Answered", score=3)
    life.until("+1 day")
    life.event("Answered", score=4)
    assert life.sent == ["2026-03-04 09:00 yea", "2026-03-04 09:00 last"]
    assert life.reasons(FactKind.WENT_ON) == ["event_seen"]


def test_wait_for_goes_the_other_way_when_it_is_not() -> None:
    life = Life(programme(X + WAIT_FOR.replace("yes,", "yea,")))
    life.event("X")
    life.until("+5 days")
    life.event("Answered", score=4)
    assert life.sent == ["2026-03-05 09:00 no-answer", "2026-03-05 09:00 last"]
    assert life.reasons(FactKind.WENT_ON) == ["timed_out"]


def test_the_event_that_starts_is_not_the_one_that_is_waited_for() -> None:
    life = Life(
        programme(X + "  - wait_for: {event: X, up_to: 3 days}\n    then:\n" + "    " + ONE + "    otherwise: []\n")
    )
    life.event("X")
    assert life.steps == []
    life.until("+1 hour")
    life.event("X")
    assert life.steps == ["one"]


def test_an_answer_that_is_reported_after_the_deadline_is_no_answer() -> None:
    life = Life(programme(X + WAIT_FOR.replace("yes,", "yea,")))
    life.event("X")
    life.world.post(1, "Answered", life.when("+4 days"), {"score": 5}, happened=life.when("+1 day"))
    life.until("+5 days")
    assert life.steps == ["no-answer", "last"]


QUIET = "  - wait_quiet: 1 hour\n    after: [Product Added, X]\n"


def test_wait_quiet_begins_again_with_every_event() -> None:
    life = Life(programme("start: {event: X, key: event.id}\nsteps:\n" + QUIET + ONE))
    life.event("X", id=1)
    for _ in range(3):
        life.until("+50 minutes")
        life.event("Product Added")
    life.until("+5 hours")
    assert life.sent == ["2026-03-02 12:30 one"]


def test_wait_quiet_ignores_what_happened_before_it_began() -> None:
    life = Life(programme(X + QUIET + ONE))
    life.event("Product Added")
    life.until("+50 minutes")
    life.event("X")
    life.event("Product Added", "-10 minutes")
    life.until("+5 hours")
    assert life.sent == ["2026-03-02 10:50 one"]


# --- ways ------------------------------------------------------------------------------------------------------------

BRANCH = """\
  - branch:
      - if: start.size > 10
        do:
          - {id: big, send: a/big}
      - if: start.size > 5
        do: []
      - else: true
        do:
          - {id: small, send: a/small}
  - {id: last, send: a/last}
"""


@pytest.mark.parametrize(
    ("size", "steps"),
    [
        (11, ["big", "last"]),
        (6, ["last"]),
        (1, ["small", "last"]),
        (None, ["small", "last"]),
        ("11", ["small", "last"]),
    ],
)
def test_a_branch_takes_the_first_way_that_is_true_and_unknown_is_not(size: object, steps: list[str]) -> None:
    assert lived(BRANCH, size=size).steps == steps


SPLIT = """\
  - split: tone
    arms:
      - {name: warm, share: 50, do: [{id: warm, send: a/warm}]}
      - {name: plain, share: 30, do: [{id: plain, send: a/plain}]}
      - {name: nothing, share: 20, do: []}
"""


def test_a_split_deals_by_its_shares_and_the_same_person_the_same_way() -> None:
    rules = programme("start: {event: X, again: always}\nsteps:\n" + SPLIT)
    life = Life(rules)
    dealt = []
    for number in range(2, 602):
        person = life.world.add(contact(number, created=life.start))
        for day in range(2):
            life.world.post(number, "X", life.start + timedelta(days=day))
        dealt.append(person)
    life.until("+3 days")
    arms = [[str(fact.detail["arm"]) for fact in person.ledger if fact.kind is FactKind.SPLIT] for person in dealt]
    assert all(len(each) == 2 and len(set(each)) == 1 for each in arms)
    counts = [sum(each[0] == arm for each in arms) for arm in ("warm", "plain", "nothing")]
    assert [abs(count - share) < 50 for count, share in zip(counts, (300, 180, 120), strict=True)] == [True] * 3


def test_goto_goes_back_so_often_and_then_on() -> None:
    life = lived(ONE + "  - wait: 1 day\n  - goto: {step: one, times: 2}\n" + TWO)
    assert life.steps == ["one", "one", "one", "two"]
    assert [each.visit for each in life.person.deliveries.values()] == [1, 2, 3, 3]


def test_goto_is_bounded_where_every_mail_is_skipped_too() -> None:
    steps = "  - {id: one, send: a/one, if: start.no == 1}\n  - wait: 1 minute\n  - goto: {step: one, times: 100}\n"
    life = lived(steps + TWO, 1)
    assert life.steps == ["two"]
    assert len(life.facts(FactKind.SKIPPED, "one")) == 101


def test_end_ends() -> None:
    life = lived("  - branch:\n      - if: start.done == True\n        do: [end]\n" + ONE, done=True)
    assert (life.steps, life.left_by, life.reasons(FactKind.LEFT)) == ([], ["finished"], ["end_step"])


def test_sixty_skips_in_a_row_leave_nobody_behind() -> None:
    steps = "".join(f"  - {{id: s{number}, send: a/s, if: start.no == 1}}\n" for number in range(60))
    life = lived(steps + "  - {id: last, send: a/last}\n", 1)
    assert (life.steps, life.left_by) == (["last"], ["finished"])


# --- deeds -----------------------------------------------------------------------------------------------------------


def test_set_writes_values_and_leaves_what_is_unknown_as_it_was() -> None:
    steps = "  - set: {contact.vip: true, contact.size: start.size}\n"
    life = Life(programme(X + steps), attributes={"size": 3})
    life.event("X")
    assert life.person.contact.attributes == {"vip": True, "size": 3}
    life.event("X", size=9)
    assert life.person.contact.attributes == {"vip": True, "size": 9}


def test_what_a_step_sets_the_next_steps_see_in_the_same_turn() -> None:
    assert lived("  - set: {contact.vip: true}\n  - {id: one, send: a/one, if: contact.vip == True}\n").steps == ["one"]


def test_record_is_an_event_of_our_own_that_starts_and_stops_like_any_other() -> None:
    first = (
        X.replace("{event: X}", "{event: X}")
        + "  - record: {event: Passed, with: {size: start.size}}\n  - wait: 5 days\n"
        + ONE
    )
    second = "campaign: d\nstart: {event: Passed, if: event.size == 7}\nsteps:\n" + TWO
    life = Life(programme(first.replace("steps:", "stop: {event: Passed}\nsteps:"), second))
    life.event("X", size=7)
    life.until("+1 minute")
    assert (life.steps, life.left_by) == (["two"], ["stop", "finished"])


def test_webhooks_and_alerts_go_out_with_what_they_are_about() -> None:
    life = lived(
        "  - webhook: crm\n  - alert: {team: care, text: Call her}\n", size=7, at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert [(each.kind, each.name) for each in life.person.outgoing] == [("webhook", "crm"), ("alert", "care")]
    payload = life.person.outgoing[1].payload
    assert (payload["text"], payload["start"]["size"]) == ("Call her", 7)
    assert payload["start"]["at"] == "2026-01-01T00:00:00+00:00"
    assert payload["contact"]["email"] == "p1@people.example"
    assert [life.reasons(kind) for kind in (FactKind.CALLED, FactKind.ALERTED)] == [["None"], ["None"]]


# --- sends -----------------------------------------------------------------------------------------------------------


def test_a_condition_is_judged_when_the_step_is_due_and_false_skips_the_step_only() -> None:
    steps = "  - wait: 1 day\n  - {id: one, send: a/one, if: orders() == 0}\n" + TWO
    life = Life(programme(X + steps))
    life.event("X")
    life.event("Order Completed", total=9)
    life.until("+2 days")
    assert (life.steps, life.reasons(FactKind.SKIPPED, "one")) == (["two"], ["condition_false"])
    assert life.facts(FactKind.SKIPPED)[0].detail["condition"][0]["value"] is False


def test_unknown_data_never_sends() -> None:
    life = lived(
        "  - {id: one, send: a/one, if: start.missing > 3}\n  - {id: two, send: a/two, if: not start.missing > 3}\n"
    )
    assert life.reasons(FactKind.SKIPPED) == ["condition_unknown", "condition_unknown"]
    assert life.steps == []


@pytest.mark.parametrize(
    ("late", "hours", "steps"),
    [("drop after 6 hours", 5, ["one"]), ("drop after 6 hours", 7, []), ("drop after 1 day", 23, ["one"])],
)
def test_a_late_mail_goes_inside_its_window_or_not_at_all(late: str, hours: int, steps: list[str]) -> None:
    down = relay_down(datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(hours=hours))
    life = Life(programme(X + f"  - {{id: one, send: a/one, late: {late}}}\n" + "  - wait: 1 hour\n"), post=down)
    life.event("X")
    life.until("+3 days")
    assert (life.steps, life.left_by) == (steps, ["finished"])
    assert life.reasons(FactKind.EXPIRED) == ([] if steps else ["late"])


@pytest.mark.parametrize(("kind", "days", "steps"), [("marketing", 2, 1), ("marketing", 4, 0), ("transactional", 2, 0)])
def test_lateness_is_finite_by_default(kind: str, days: int, steps: int) -> None:
    down = relay_down(datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(days=days))
    life = Life(programme(X + f"  - {{id: one, send: a/one, kind: {kind}}}\n"), post=down)
    life.event("X")
    life.until("+9 days")
    assert len(life.steps) == steps


# --- pauses ----------------------------------------------------------------------------------------------------------


def test_mails_of_a_paused_campaign_wait_where_they_are_and_time_goes_on() -> None:
    life = Life(programme(X + "  - wait: 1 day\n" + ONE + "  - wait: 1 day\n" + TWO))
    life.event("X")
    life.world.pause("c")
    life.until("+2 days")
    assert (life.steps, life.left_by) == ([], ["inside"])
    life.world.resume("c")
    life.until("+5 days")
    assert life.sent == ["2026-03-04 09:00 one", "2026-03-05 09:00 two"]


def test_a_pause_longer_than_the_late_limit_drops_the_mail() -> None:
    life = Life(programme(X + ONE + "  - wait: 10 days\n" + TWO))
    life.world.pause("c")
    life.event("nurture.enrol", campaign="c")
    life.until("+4 days")
    life.world.resume("c")
    life.until("+20 days")
    assert (life.steps, life.reasons(FactKind.SKIPPED, "one")) == (["two"], ["late"])


def test_a_mail_that_was_planned_before_the_pause_waits_as_well() -> None:
    down = relay_down(datetime(2026, 3, 2, 10, tzinfo=UTC))
    life = Life(programme(X + ONE), post=down)
    life.event("X")
    life.world.pause("c")
    life.until("+5 hours")
    assert life.steps == []
    life.world.resume("c")
    life.until("+1 hour")
    assert life.steps == ["one"]


@pytest.mark.parametrize(("status", "steps"), [("paused", []), ("draft", []), ("archived", ["one"]), ("live", ["one"])])
def test_the_status_in_the_file_holds_mail_back_or_lets_people_finish(status: str, steps: list[str]) -> None:
    text = X + "  - wait: 1 day\n" + ONE
    life = Life(programme(text))
    life.event("X")
    life.apply(programme(f"status: {status}\n" + text))
    life.until("+2 days")
    assert life.steps == steps

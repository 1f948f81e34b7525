"""Frequency caps: counted in rolling windows, over all campaigns, pending mail as if it went now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nurture.domain.caps import first_full
from nurture.domain.delivery import CountedMail, DeliveryState
from nurture.domain.ledger import FactKind
from nurture.domain.programme import Cap
from nurture.engine.simulate import Answer, relay_down
from nurture.testing.worlds import Life, programme

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ONE_A_DAY = Cap(1, DAY)


def mail(hours_ago: float | None, category: str | None = None, *, ghost: bool = False) -> CountedMail:
    at = None if hours_ago is None else NOON - timedelta(hours=hours_ago)
    return CountedMail(at, category, "c", "s", ghost)


@pytest.mark.parametrize(
    ("caps", "mails", "category", "opens_in_hours"),
    [
        pytest.param([ONE_A_DAY], [], None, None, id="nothing-yet"),
        pytest.param([ONE_A_DAY], [mail(23)], None, 1, id="one-inside"),
        pytest.param([ONE_A_DAY], [mail(24)], None, None, id="a-window-later-to-the-instant"),
        pytest.param([ONE_A_DAY], [mail(None)], None, 24, id="pending-counts-as-if-it-went-now"),
        pytest.param([Cap(3, DAY)], [mail(1), mail(2)], None, None, id="room-for-the-third"),
        pytest.param([Cap(3, DAY)], [mail(1), mail(2), mail(3)], None, 21, id="opens-when-the-oldest-leaves"),
        pytest.param([Cap(2, DAY)], [mail(1), mail(2), mail(3)], None, 22, id="opens-when-enough-have-left"),
        pytest.param([Cap(1, DAY, "discount")], [mail(1)], "discount", None, id="another-category-does-not-count"),
        pytest.param([Cap(1, DAY, "discount")], [mail(1, "discount")], "discount", 23, id="the-same-category-counts"),
        pytest.param([Cap(1, DAY, "discount")], [mail(1, "discount")], "value", None, id="and-binds-only-its-own"),
        pytest.param([Cap(1, DAY, "discount")], [mail(1, "discount")], None, None, id="nor-mail-without-one"),
        pytest.param([ONE_A_DAY], [mail(1, "discount")], "value", 23, id="a-cap-without-category-counts-all"),
        pytest.param([Cap(9, DAY), ONE_A_DAY], [mail(1)], None, 23, id="all-caps-hold"),
        pytest.param([ONE_A_DAY], [mail(1, ghost=True)], None, None, id="a-ghost-takes-no-room-from-real-mail"),
    ],
)
def test_room_under_caps(
    caps: list[Cap], mails: list[CountedMail], category: str | None, opens_in_hours: int | None
) -> None:
    full = first_full(caps, mails, category, NOON, NOON)
    assert (full and full.opens_at) == (None if opens_in_hours is None else NOON + timedelta(hours=opens_in_hours))


def test_a_ghost_counts_real_mail_and_other_ghosts() -> None:
    assert first_full([Cap(2, DAY)], [mail(1), mail(2, ghost=True)], None, NOON, NOON, ghost=True) is not None
    assert first_full([Cap(2, DAY)], [mail(1), mail(2, ghost=True)], None, NOON, NOON) is None


def test_looking_ahead_a_pending_mail_goes_now_and_leaves_the_window_in_time() -> None:
    later = NOON + DAY
    assert first_full([ONE_A_DAY], [mail(None)], None, later, NOON) is None
    assert first_full([ONE_A_DAY], [mail(None)], None, later - timedelta(seconds=1), NOON) is not None


def test_a_full_cap_names_the_mails_that_fill_it() -> None:
    full = first_full([Cap(2, DAY)], [mail(1), mail(30), mail(None)], None, NOON, NOON)
    assert full is not None
    assert full.by == (mail(1), mail(None))
    assert (str(Cap(3, 7 * DAY)), str(Cap(1, 20 * DAY / 24, "discount"))) == (
        "3 per 7 days",
        "1 per 20 hours of discount",
    )


# --- lived through ---------------------------------------------------------------------------------------------------

CAPS = "caps:\n  - {max: 1, per: 20 hours}\n  - {max: 2, per: 7 days}\n"
X = "start: {event: X, key: event.id}\nsteps:\n"


def send(extra: str = "", project: str = CAPS) -> Life:
    return Life(programme(X + f"  - {{id: one, send: a/one{extra}}}\n", project=project))


def test_a_mail_without_room_is_postponed_until_there_is_and_says_by_what() -> None:
    life = send()
    for number in range(3):
        life.event("X", id=number)
        life.until("+1 hour")
    assert life.reasons(FactKind.POSTPONED) == ["cap", "cap"]
    detail = life.facts(FactKind.POSTPONED)[0].detail
    assert (detail["cap"], detail["room_opens"]) == ("1 per 20 hours", "2026-03-03T05:00:00+00:00")
    assert detail["filled_by"] == [{"campaign": "c", "step": "one", "at": "2026-03-02T09:00:00+00:00"}]
    life.until("+10 days")
    assert life.sent == ["2026-03-02 09:00 one", "2026-03-03 05:00 one"]
    assert life.reasons(FactKind.SKIPPED) == ["cap"]


@pytest.mark.parametrize(
    ("extra", "second"),
    [
        (", on_cap: skip", None),
        (", on_cap: postpone up to 2 hours", None),
        (", on_cap: postpone up to 2 days", "2026-03-03 05:00 one"),
        (", late: drop after 6 hours", None),
        (", late: drop after 21 hours", "2026-03-03 05:00 one"),
        (", kind: transactional", "2026-03-02 10:00 one"),
        (", urgent: true", "2026-03-03 05:00 one"),
    ],
)
def test_what_a_full_cap_does_is_for_the_step_to_say(extra: str, second: str | None) -> None:
    life = send(extra)
    life.event("X", id=2)
    life.until("+1 hour")
    life.event("X", id=3)
    life.until("+10 days")
    assert life.sent[1:] == ([second] if second else [])
    assert life.reasons(FactKind.SKIPPED) == ([] if second else ["cap"])


def test_transactional_mail_takes_no_room() -> None:
    receipt = "campaign: r\nstart: {event: R}\nsteps:\n  - {id: receipt, send: a/r, kind: transactional}\n"
    life = Life(programme(X + "  - {id: one, send: a/one}\n", receipt, project=CAPS))
    for name in ("R", "R", "X"):
        life.event(name, id=1)
    assert life.steps == ["receipt", "receipt", "one"]


def test_caps_hold_over_all_campaigns_and_each_category_has_its_own() -> None:
    text = "campaign: {0}\nstart: {{event: {0}}}\nsteps:\n  - {{id: {0}, send: a/a, category: {0}, on_cap: skip}}\n"
    caps = "caps:\n  - {max: 1, per: 7 days, category: discount}\n  - {max: 2, per: 7 days}\n"
    life = Life(programme(text.format("discount"), text.format("value"), project=caps))
    for name in ("discount", "discount", "value", "value"):
        life.event(name)
    assert life.steps == ["discount", "value"]


def test_a_mail_that_waits_for_the_relay_holds_its_slot_and_its_real_hour_counts() -> None:
    life = Life(
        programme(X + "  - {id: one, send: a/one}\n", project="caps:\n  - {max: 1, per: 20 hours}\n"),
        post=relay_down(NOON + timedelta(hours=12)),
    )
    life.event("X", id=4)
    life.until("+2 hours")
    life.event("X", id=5)
    life.until("+10 days")
    assert life.sent == ["2026-03-03 00:00 one", "2026-03-03 20:00 one"]


@pytest.mark.parametrize(("state", "second"), [("rejected", "2026-03-02 11:00"), ("unknown", "2026-03-03 06:00")])
def test_a_mail_that_did_not_go_gives_its_slot_back_and_one_of_unknown_fate_does_not(state: str, second: str) -> None:
    answers = iter([Answer(DeliveryState(state), reply=timedelta(hours=1))])
    life = Life(
        programme(X + "  - {id: one, send: a/one}\n", project="caps:\n  - {max: 1, per: 20 hours}\n"),
        post=lambda *_: next(answers, Answer()),
    )
    life.event("X", id=6)
    life.event("X", id=7)
    life.until("+30 minutes")
    assert life.reasons(FactKind.POSTPONED) == ["cap"]
    life.until("+5 days")
    assert [line[:16] for line in life.sent] == [second if state == "unknown" else "2026-03-02 10:00"]


def test_a_mail_cancelled_by_an_exit_gives_its_slot_back_at_once() -> None:
    first = "campaign: a\npriority: 90\nstart: {event: X}\nstop: {event: Stop}\nsteps:\n  - {id: one, send: a/one}\n"
    second = "campaign: b\nstart: {event: X}\nsteps:\n  - {id: two, send: a/two}\n"
    down = relay_down(NOON)
    life = Life(programme(first, second, project="caps:\n  - {max: 1, per: 20 hours}\n"), post=down)
    life.event("X", id=8)
    life.until("+1 hour")
    life.event("Stop")
    life.until("+5 hours")
    assert life.sent == ["2026-03-02 12:00 two"]


@pytest.mark.parametrize(
    ("days", "second"), [(7, "2026-03-09 09:00"), (14, "2026-03-16 09:00"), (8, "2026-03-03 05:00")]
)
def test_a_person_may_ask_for_fewer_mails_than_the_project_sends(days: int, second: str) -> None:
    life = send(", late: drop after 30 days")
    life.event("X", id=11)
    life.event("nurture.fewer_mails", days=days)
    life.until("+1 hour")
    life.event("X", id=12)
    life.until("+20 days")
    assert life.sent[1:] == [f"{second} one"]


def test_whoever_takes_her_wish_back_waits_no_longer() -> None:
    life = send(", late: drop after 60 days")
    life.event("nurture.fewer_mails", days=30)
    life.event("X", id=13)
    life.event("X", id=14)
    assert "1 per 30 days (her own wish)" in {fact.detail.get("cap") for fact in life.facts(FactKind.POSTPONED)}
    life.until("+3 days")
    life.event("nurture.fewer_mails")
    life.until("+1 minute")
    assert life.sent == ["2026-03-02 09:00 one", "2026-03-05 09:00 one"]


def test_a_lower_cap_in_the_file_counts_what_was_sent_before_it() -> None:
    life = send(", on_cap: skip", "caps:\n  - {max: 9, per: 7 days}\n")
    life.event("X", id=9)
    text = X + "  - {id: one, send: a/one, on_cap: skip}\n"
    life.apply(programme(text, project="caps:\n  - {max: 1, per: 30 days}\n", previous=life.world.programme))
    life.until("+8 days")
    life.event("X", id=10)
    assert len(life.steps) == 1

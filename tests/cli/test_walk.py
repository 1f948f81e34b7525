"""From a folder to a mail and back to its reasons, as the README walks it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.cli.conftest import MORNING, Shop


def test_a_signup_becomes_a_mail_that_can_be_read(busy: Shop) -> None:
    assert busy("inbox", "list").stdout == (
        "mail  at (UTC)              to                subject\n"
        "   1  Tue 3 Mar 2026 09:01  ben@example.com   Your order 17\n"
        "   2  Tue 3 Mar 2026 09:00  anna@example.com  Welcome, Anna\n"
    )
    shown = busy("inbox", "show", "2").stdout
    assert shown.startswith(
        "From: Paper Shop <hello@shop.example>\nReply-To: care@shop.example\nTo: anna@example.com\n"
    )
    assert "Hello Anna, good to have you here." in shown


def test_a_signup_can_be_explained(busy: Shop) -> None:
    told = busy("explain", "anna@example.com").stdout
    assert "welcome: sends hello" in told
    assert "in welcome" in told
    assert "Thu 05 Mar 10:00 Europe/Berlin, then story" in told
    assert "could stop it: unsubscribe, leaving topic news, event Order Completed" in told
    assert "Never in 1 other campaign" in told


def test_the_promises_can_be_recounted(busy: Shop) -> None:
    told = busy("audit").stdout
    assert told.splitlines()[0] == "Recounted 1 marketing mail to 1 person, in 1 window of the caps."
    assert "holds   never one too many" in told
    assert busy.json("audit") == {
        "ok": True,
        "data": {"holds": True, "checked": busy.json("audit")["data"]["checked"]},
        "problems": [],
    }


def test_a_mail_that_must_wait_is_told_of(applied: Shop) -> None:
    applied.clock.jump_to(MORNING + timedelta(hours=12))
    applied("events", "send", "Newsletter Subscribed", "--email", "anna@example.com")
    assert applied("run", "--once").stdout == "1 turn, 0 mails sent.\n  1 held: welcome/hello (quiet hours)\n"


def test_one_round_tells_what_it_sent(applied: Shop) -> None:
    applied("events", "send", "Newsletter Subscribed", "--email", "anna@example.com")
    assert applied("run", "--once").stdout == "2 turns, 1 mail sent into the local inbox: nurture inbox list.\n"


@pytest.mark.parametrize(
    "command",
    ["explain x", "audit", "campaigns list", "contacts list", "status", "plan", "run --once", "events send X --id 1"],
)
def test_looking_makes_no_database(shop: Shop, command: str) -> None:
    assert "There is no database nurture.db yet. Run nurture db upgrade" in shop(*command.split(), code=3).stderr
    assert not (shop.folder / "nurture.db").exists()


def test_nobody_runs_what_was_never_applied(shop: Shop) -> None:
    assert "There is no database nurture.db yet. Run nurture db upgrade" in shop("run", "--once", code=3).stderr
    shop("db", "upgrade")
    assert "nothing is applied yet; run `nurture apply`" in shop("run", "--once", code=3).stderr


def test_status_says_whether_all_is_well(busy: Shop) -> None:
    busy.clock.jump_to(MORNING + timedelta(minutes=30))
    told = busy("status").stdout
    assert "lag           0 s  0 people due, 0 events waiting\n" in told
    assert "last day      2 sent\n" in told
    assert "! no daemon is at work (none since Tue 3 Mar 2026 09:01 UTC); start it with nurture run" in told
    assert busy("status", "--check", code=1).stdout == told


def test_status_is_data_too(busy: Shop) -> None:
    data = busy.json("status")["data"]
    assert (data["contacts"], data["revision"], data["lag_seconds"], data["outcomes"]) == (2, 1, 0.0, {"sent": 2})


def test_status_tells_of_what_waits_too_long(applied: Shop) -> None:
    applied("events", "send", "Newsletter Subscribed", "--email", "anna@example.com")
    applied.clock.jump_to(MORNING + timedelta(hours=1))
    told = applied("status").stdout
    assert "lag           60 min  1 people due" in told
    assert "what is due has been waiting for 60 min; is nurture run at work?" in told

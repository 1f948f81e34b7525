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
    assert "waits until Thu 5 Mar 10:00" in told
    assert "unsubscribing, or leaving topic news\n    event Order Completed\n" in told
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
    busy("run", "--once")
    told = busy("status").stdout
    assert told.startswith("All is well.  nurture.db, ")
    assert "revision 1; mail goes to the local inbox\n" in told
    assert "lag       nothing is due for another 47 hours\n" in told
    assert "people    2 contacts, 1 time inside a campaign\n" in told
    assert "mails  24 hours  7 days\nsent          2       2\n" in told


def test_status_says_what_needs_a_person_and_what_to_do(busy: Shop) -> None:
    busy.clock.jump_to(MORNING + timedelta(minutes=30))
    told = busy("status", code=1).stdout
    assert told.startswith("1 thing needs you.")
    assert "! no daemon is at work (none since Tue 3 Mar 2026 09:01 UTC)\n  -> start it with nurture run\n" in told
    answer = busy.json("status", code=1)
    assert answer["ok"] is False
    assert [(one["code"], one["hint"]) for one in answer["problems"]] == [("daemons", "start it with nurture run")]


def test_status_is_data_too(busy: Shop) -> None:
    busy("run", "--once")
    data = busy.json("status")["data"]
    assert (data["contacts"], data["revision"], data["lag_seconds"], data["week"]) == (2, 1, 0.0, {"sent": 2})


def test_status_tells_of_what_waits_too_long(applied: Shop) -> None:
    applied("events", "send", "Newsletter Subscribed", "--email", "anna@example.com")
    applied.clock.jump_to(MORNING + timedelta(hours=1))
    told = applied("status", code=1).stdout
    assert "lag       the oldest due turn is 60 minutes old\n" in told
    assert "queue     1 person due, 1 event waiting, 0 mails ready\n" in told
    assert "! what is due has been waiting for 60 minutes\n" in told


def test_status_groups_mails_that_could_not_be_written_until_the_correction_is_applied(applied: Shop) -> None:
    thanks = "email_templates/order/thanks.html"
    applied.edit(thanks, "needs: [start.order_id]", "needs: [start.order_id, start.shop]")
    applied.edit(thanks, "<h1>Thank you</h1>", "<h1>Thank you {{ start.shop }}</h1>")
    applied.edit("campaigns/people/ana.yaml", "order_id: A-1", "order_id: A-1, shop: Berlin")
    applied("apply", "--yes")
    for number in range(3):
        order = ("--email", f"p{number}@example.com", "--with", f"order_id={number}")
        applied("events", "send", "Order Completed", *order)
    applied("run", "--once")
    told = applied("status", code=1).stdout
    assert "! order/thanks could not be written to 3 people; for instance: " in told
    assert "shop" in told.partition("for instance: ")[2].splitlines()[0]
    assert "-> give it a default or a condition, see it with nurture preview order/thanks, then nurture apply\n" in told
    applied.clock.jump_to(MORNING + timedelta(minutes=1))
    applied.edit(thanks, "start.shop]", "start.shop?]")
    applied.edit(thanks, "{{ start.shop }}", "{{ start.shop | default('you') }}")
    applied("apply", "--yes")
    assert applied("status").stdout.startswith("All is well.")


def test_status_names_what_is_shut_and_paused(busy: Shop) -> None:
    busy("run", "--once")
    busy("stop-sending", "--why", "a wrong price")
    busy("campaigns", "pause", "welcome", "--yes")
    told = busy("status", code=1).stdout
    assert "! sending is stopped since Tue 3 Mar 09:10 UTC by " in told
    assert ": a wrong price\n  -> nurture start-sending lets it go on\n" in told
    assert "paused    welcome\n" in told
    assert busy.json("status", code=1)["data"]["stopped"]["why"] == "a wrong price"

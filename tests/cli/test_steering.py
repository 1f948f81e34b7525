"""Plans applied, campaigns paused and steered, mails previewed and tested, the database looked after."""

from __future__ import annotations

import email
import os
import signal
import socket
from datetime import timedelta
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import click
import pytest

from nurture.cli.dev import open_page
from nurture.cli.main import root
from nurture.cli.session import Session
from nurture.testing.smtp import ScriptedServer
from tests.cli.conftest import MORNING, Shop

# --- plan and apply


def test_the_first_plan_lists_what_is_new(shop: Shop) -> None:
    shop("db", "upgrade")
    assert shop("plan").stdout == (
        "+ receipt is new (live)\n"
        "+ welcome is new (live)\n"
        "Plan: 0 changed, 2 added, 0 removed, against revision 0. No mail is sent by applying.\n"
    )
    result = shop("apply", "--yes")
    assert result.stdout == "Revision 1 is applied. 2 of 2 campaigns live. The daemon: nurture run\n"


def test_a_plan_says_whom_a_change_concerns(busy: Shop) -> None:
    busy.edit("campaigns/welcome.yaml", "wait: 2 days", "wait: 4 days")
    told = busy("plan").stdout
    assert "~ welcome\n" in told
    assert "1 person waits here and keep their time; or: --in-flight reschedule" in told
    assert busy("plan", "--detailed-exitcode", code=10).stdout == told
    assert busy.json("plan")["data"]["changes"][0]["inside"] == 1
    busy("apply", "--yes", "--in-flight", "reschedule")
    assert "Sat 7 Mar 2026 10:00" in busy("contacts", "show", "anna@example.com").stdout


def test_nothing_changed_means_no_new_revision(applied: Shop) -> None:
    assert applied("plan").stdout == "Nothing has changed since revision 1.\n"
    assert applied("plan", "--detailed-exitcode").exit_code == 0
    assert applied("apply").stdout == "Nothing has changed since revision 1; it stays in force.\n"


def test_files_with_errors_are_not_applied(applied: Shop) -> None:
    applied.edit("campaigns/welcome.yaml", "send: welcome/hello", "send: welcome/helo")
    told = applied("apply", "--yes", code=1).stderr
    assert "campaigns/welcome.yaml:15:11  error N203" in told
    assert "Nothing was applied." in told
    assert applied.json("plan", code=1)["problems"][0]["code"] == "N203"
    assert applied.json("status", code=1)["data"]["revision"] == 1


def test_applying_asks_first(shop: Shop) -> None:
    shop("db", "upgrade")
    assert "Apply this as revision 1?" in shop("apply", code=2).stderr
    assert shop.json("status", code=1)["data"]["revision"] == 0


def test_what_could_mail_twice_is_confirmed_by_name(busy: Shop) -> None:
    busy.edit(
        "campaigns/welcome.yaml",
        "send: welcome/story\n",
        "send: welcome/story\n  - wait: 1 day\n  - id: again\n    send: welcome/hello\n",
    )
    told = busy("apply", "--yes", code=1).stderr
    assert "This could mail people twice, or many at once. If that is meant, add: --confirm welcome/again" in told
    assert busy("apply", "--yes", "--confirm", "welcome/again").stdout.startswith("Revision 2 is applied.")


# --- campaigns


def test_campaigns_are_listed_with_who_is_inside(busy: Shop) -> None:
    assert busy("campaigns", "list").stdout == (
        "campaign  state  inside  mails  title\n"
        "receipt   live        0      1  Thank for every order\n"
        "welcome   live        1      2  Welcome new readers\n"
    )


def test_a_campaign_is_shown_step_by_step(busy: Shop) -> None:
    assert busy("campaigns", "show", "welcome").stdout == (
        "welcome  Welcome new readers  live\n"
        "  starts    on Newsletter Subscribed\n"
        "  stops     on Order Completed\n"
        "  goal      Order Completed within 14 days\n"
        "\n"
        "step        does                 people here\n"
        "hello       sends welcome/hello\n"
        "wait>story  waits 2 days                   1\n"
        "story       sends welcome/story\n"
    )


def test_a_paused_campaign_holds_its_mail_until_it_is_resumed(busy: Shop) -> None:
    told = busy("campaigns", "pause", "welcome", "--yes").stdout
    assert told == "welcome is paused. Let it go on with: nurture campaigns resume welcome\n"
    busy.clock.jump_to(MORNING + timedelta(days=2, hours=1))
    assert "0 mails sent" in busy("run", "--once").stdout
    assert "welcome   paused by hand" in busy("campaigns", "list").stdout
    assert busy("campaigns", "resume", "welcome", "--yes").stdout == "welcome goes on.\n"
    assert "1 mail sent" in busy("run", "--once").stdout
    assert "is not paused" in busy("campaigns", "resume", "welcome", "--yes", code=1).stderr


def test_all_sending_is_stopped_at_once_and_started_again(busy: Shop) -> None:
    told = busy("stop-sending", "--why", "a wrong price").stdout
    assert told.startswith("Sending is stopped since Tue 3 Mar 2026 09:10 UTC by ")
    assert told.endswith("Go on with: nurture start-sending\n")
    busy("events", "send", "Order Completed", "--email", "ben@example.com", "--with", "order_id=18")
    result = busy("run", "--once", code=1)
    assert "0 mails sent" in result.stdout
    assert ": a wrong price." in result.stderr
    assert "(a wrong price): 1 mail may go at once. Go on?" in busy("start-sending", code=2).stderr
    assert busy("start-sending", "--yes").stdout == "Sending goes on: 1 mail may go at once.\n"
    assert "1 mail sent" in busy("run", "--once").stdout
    assert "Sending is not stopped." in busy("start-sending", "--yes", code=1).stderr


def test_what_grew_too_late_while_sending_was_stopped_is_dropped_and_told_before(busy: Shop) -> None:
    busy("stop-sending")
    busy("events", "send", "Order Completed", "--email", "ben@example.com", "--with", "order_id=18")
    busy("run", "--once", code=1)
    busy.clock.jump_to(MORNING + timedelta(days=30))
    told = busy("start-sending", "--yes").stdout
    assert "1 mail has grown too late and will be dropped" in told
    assert "0 mails sent" in busy("run", "--once", code=None).stdout


def test_people_are_put_into_a_campaign_and_taken_out_by_hand(busy: Shop) -> None:
    told = busy("campaigns", "enrol", "receipt", "anna@example.com", "--key", "k", "--with", "order_id=X9", "--yes")
    assert told.stdout == "1 person enters receipt at the next turn.\n"
    busy("run", "--once")
    assert busy.json("inbox", "list")["data"][0]["subject"] == "Your order X9"
    busy("campaigns", "eject", "welcome", "anna@example.com", "--yes")
    busy("run", "--once")
    assert [one["left_by"] for one in busy.json("contacts", "show", "1")["data"]["enrolments"]] == [
        "ejected",
        "finished",
    ]


def test_an_unknown_campaign_is_answered_with_the_nearest(applied: Shop) -> None:
    for command in (("show", "welcom"), ("pause", "welcom", "--yes"), ("enrol", "welcom", "1", "--yes")):
        assert "no campaign 'welcom' is applied; did you mean welcome?" in applied("campaigns", *command, code=1).stderr


# --- preview and send-test


def test_a_mail_is_previewed_for_the_example_who_fits(shop: Shop) -> None:
    result = shop("preview", "welcome/hello")
    assert "Hello Ana, good to have you here." in result.stdout
    assert "Subject: Welcome, Ana\n" in result.stderr
    assert "Preview: Good paper, and what people write on it, twice a month\n" in result.stderr


def test_a_preview_needs_no_secret_and_no_database(shop: Shop) -> None:
    (shop.folder / ".env").unlink()
    assert "Hello Ana" in shop("preview", "welcome/hello").stdout
    assert shop("send-test", "welcome/hello", "--to", "me@example.com")


def test_the_parts_of_a_mail_are_printed(shop: Shop) -> None:
    assert "<h1" in shop("preview", "order/thanks", "--html").stdout
    assert "Subject: Your order A-1" in shop("preview", "receipt/thanks", "--headers").stdout
    message = email.message_from_string(shop("preview", "receipt", "--raw").stdout)
    assert message["To"] == "ana@people.example"
    assert message.is_multipart()


def test_a_mail_is_previewed_for_a_real_person_with_her_own_data(busy: Shop) -> None:
    answer = busy.json("preview", "receipt", "--as", "ben@example.com")["data"]
    assert (answer[0]["subject"], answer[0]["for"]) == ("Your order 17", "ben@example.com")
    assert busy.json("status", code=1)["data"]["week"] == {"sent": 2}


def test_a_preview_writes_everything_to_files(shop: Shop, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shop("preview", "--out", str(out))
    names = {path.name for path in out.iterdir()}
    assert {"index.html", "welcome-hello--ana.html", "welcome-hello--ana.txt", "welcome-hello--ana.eml"} <= names
    assert "Welcome, Ana" in (out / "index.html").read_text()


def test_unknown_mails_and_people_are_answered_with_what_there_is(shop: Shop) -> None:
    assert "did you mean welcome/hello" in shop("preview", "welcome/helo", code=1).stderr
    assert (
        "There is no example person bea. There is ana" in shop("preview", "welcome/hello", "--as", "bea", code=1).stderr
    )


def test_no_link_of_a_preview_works(shop: Shop) -> None:
    first, second = (shop("preview", "welcome/hello").stdout for _ in range(2))
    links = [line for text in (first, second) for line in text.splitlines() if "/u/" in line]
    assert len(set(links)) == 2


def test_a_test_mail_goes_to_the_inbox_while_nothing_else_is_set(shop: Shop) -> None:
    result = shop("send-test", "welcome/hello", "--to", "me@example.com")
    assert result.stdout.startswith("sent welcome/hello to me@example.com as ana (example) in ")
    assert 'subject "[TEST] Welcome, Ana"' in result.stdout
    assert "To really send, set NURTURE_DELIVERY=smtp." in result.stderr
    assert shop.json("inbox", "list")["data"][0]["subject"] == "[TEST] Welcome, Ana"


def test_a_test_mail_goes_through_the_relay(shop: Shop) -> None:
    with ScriptedServer() as server:
        relay(shop, server.port)
        assert (
            "Send 1 test mail to me@example.com?"
            in shop("send-test", "receipt", "--to", "me@example.com", code=2).stderr
        )
        shop("send-test", "receipt", "--to", "me@example.com", "--yes")
        assert len(server.messages) == 1


def test_a_relay_that_is_not_there_is_told_with_the_stage(shop: Shop) -> None:
    relay(shop, 1)
    told = shop("send-test", "receipt", "--to", "me@example.com", "--yes", code=3).stderr
    assert "was not sent. At connect: " in told


def test_an_address_off_the_allow_list_is_refused_by_the_settings_name(shop: Shop) -> None:
    shop.write(".env", (shop.folder / ".env").read_text() + "NURTURE_ALLOW_LIST=*@shop.example\n")
    told = shop("send-test", "receipt", "--to", "me@example.com", code=1).stderr
    assert told == "NURTURE_ALLOW_LIST does not let mail go to me@example.com, only to *@shop.example.\n"
    assert shop("send-test", "receipt", "--to", "me@shop.example")


def test_a_relay_that_refuses_us_is_shouted_about_until_it_takes_mail_again(applied: Shop) -> None:
    applied("events", "send", "Newsletter Subscribed", "--email", "anna@example.com")
    with ScriptedServer() as server:
        relay(applied, server.port, "user:password@")
        result = applied("run", "--once", code=1)
        assert "The relay takes no mail: 127.0.0.1 does not offer STARTTLS" in result.stderr
        assert "takes no mail: 127.0.0.1 does not offer STARTTLS" in applied("status", code=1).stdout
        assert server.messages == []
    applied.clock.jump_to(MORNING + timedelta(minutes=30))
    with ScriptedServer() as server:
        relay(applied, server.port)
        applied("run", "--once")
        assert len(server.messages) == 1
    assert "takes no mail" not in applied("status").stdout


def relay(shop: Shop, port: int, login: str = "") -> None:
    env = (shop.folder / ".env").read_text()
    shop.write(".env", f"{env}NURTURE_DELIVERY=smtp\nNURTURE_SMTP_URL=smtp://{login}127.0.0.1:{port}\n")
    (shop.folder / ".env").chmod(0o600)


# --- inbox


def test_a_subject_from_outside_cannot_speak_to_the_terminal(applied: Shop) -> None:
    applied(
        "events", "send", "Newsletter Subscribed", "--email", "a@example.com", "--trait", 'first_name="\\u001b[31mEve"'
    )
    applied("run", "--once")
    for args in (("list",), ("show",), ("search", "Welcome")):
        assert "\x1b" not in applied("inbox", *args).stdout


def test_mails_are_found_shown_and_written_out(busy: Shop, tmp_path: Path) -> None:
    found = busy.json("inbox", "search", "good to have you")["data"]
    assert [one["to"] for one in found] == ["anna@example.com"]
    out = tmp_path / "mail.eml"
    busy("inbox", "show", found[0]["key"], "--raw", "--out", str(out))
    assert email.message_from_bytes(out.read_bytes())["Subject"] == "Welcome, Anna"
    assert "<h1" in busy("inbox", "show", "2", "--html").stdout
    assert busy.json("inbox", "show", "2")["data"]["text"].startswith("Welcome")
    assert "There is no mail 3; 2 mails are in inbox." in busy("inbox", "show", "3", code=1).stderr


# --- db and doctor


def test_the_schema_is_brought_forward_and_told(shop: Shop) -> None:
    assert "schema    none; needed: " in shop("db", "status", code=3).stdout
    assert not (shop.folder / "nurture.db").exists()
    assert shop("db", "upgrade").stdout.startswith("nurture.db: empty -> ")
    assert "nurture.db is up to date" in shop("db", "upgrade").stdout
    assert shop.json("db", "status")["data"]["fits"] is True


def test_a_backup_is_a_database_of_its_own(busy: Shop, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    busy("db", "backup", str(copy))
    busy.write(".env", f"{(busy.folder / '.env').read_text()}NURTURE_DATABASE_URL=sqlite:///{copy}\n")
    assert len(busy.json("contacts", "list")["data"]) == 2


def test_the_doctor_finds_a_sound_shop_sound(busy: Shop) -> None:
    told = busy("doctor").stdout
    assert "ok  database       nurture.db, schema " in told
    assert "ok  revision       1, applied 2026-03-03 09:00 UTC" in told
    assert "hm  senders        hello@shop.example: no such domain exists" in told
    assert "hm  backup         none was ever made\n                   -> nurture db backup, every night" in told
    assert "hm  daemons        no daemon is at work (none since Tue 3 Mar 2026 09:01 UTC)\n" in told
    assert "ok  space          " in told
    assert told.splitlines()[-1].endswith("0 bad, 3 to think about.")


def test_the_doctor_sees_what_keeps_mail_from_going(busy: Shop) -> None:
    busy("db", "backup")
    busy("stop-sending", "--why", "a wrong price")
    busy("events", "send", "Newsletter Subscribed", "--email", "carl@example.com")
    told = busy("doctor").stdout
    assert "ok  backup         the last was made 0 seconds ago\n" in told
    assert "hm  sending        sending is stopped since Tue 3 Mar 09:10 UTC by " in told
    assert "-> nurture start-sending lets it go on\n" in told
    busy("start-sending", "--yes")
    busy.clock.jump_to(MORNING + timedelta(days=4))
    told = busy("doctor", code=3).stdout
    assert "bad lag            what is due has been waiting for 3 days\n" in told
    assert "hm  backup         the last was made 3 days ago\n" in told


def test_the_doctor_has_a_remedy_for_each_fault(shop: Shop) -> None:
    (shop.folder / ".env").chmod(0o644)
    shop.edit("campaigns/welcome.yaml", "send: welcome/hello", "send: welcome/helo")
    told = shop("doctor", code=3).stdout
    assert (
        "bad settings file  .env can be read by others on this machine\n                   -> chmod 600 .env\n" in told
    )
    assert "bad files          1 error\n                   -> nurture validate shows them\n" in told
    assert "-> nurture db upgrade\n" in told
    assert shop.json("doctor", code=3)["ok"] is False


def test_the_doctor_greets_the_relay_and_sends_nothing(shop: Shop) -> None:
    with ScriptedServer() as server:
        relay(shop, server.port)
        assert f"ok  relay          smtp://127.0.0.1:{server.port}, " in shop("doctor", code=None).stdout
        assert server.messages == []
    assert "bad relay" in shop("doctor", code=3).stdout
    assert "relay" not in [one["name"] for one in shop.json("doctor", "--offline", code=3)["data"]]


def test_the_doctor_sees_a_clock_that_went_back(busy: Shop) -> None:
    busy.clock.jump_to(MORNING + timedelta(hours=2))
    busy("run", "--once")
    earlier = Shop(busy.folder, type(busy.clock)(MORNING))
    assert "bad clock" in earlier("doctor", code=3).stdout


def test_what_a_preview_wrote_opens_in_the_browser(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("click.launch", opened.append)
    shop("preview", "welcome/hello", "--open", "--out", str(shop.folder / "mails"))
    shop("preview", "--open", "--out", str(shop.folder / "mails"))
    assert opened[0].startswith("file:///")
    assert opened[0].endswith("/welcome-hello--ana.html")
    assert opened[1].endswith("/index.html")


def test_a_preview_opens_the_page_of_the_studio_that_runs_or_serves_one_until_it_is_stopped(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def look(address: str) -> None:
        """What a browser would: get the page; while it is open somebody asks for another; then Ctrl-C."""

        def work() -> None:
            try:
                with urlopen(address, timeout=10) as answer:
                    shown.append(answer.read().decode())
                monkeypatch.setattr("click.launch", shown.append)
                with click.Context(root, obj=session).scope():
                    open_page(session, "/mail/welcome/story")
            finally:
                os.kill(os.getpid(), signal.SIGINT)

        Thread(target=work).start()

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    session = Session(make_clock=lambda: shop.clock)
    monkeypatch.setattr("nurture.cli.dev.PORT", port)
    monkeypatch.setattr("click.launch", look)
    told = shop("preview", "welcome/hello", "--open", "--as", "ana").stderr
    assert f"http://127.0.0.1:{port}/studio/mail/welcome/hello?as=ana" in told
    assert "welcome/hello" in shown[0]
    assert shown[1] == f"http://127.0.0.1:{port}/studio/mail/welcome/story"
    assert "choose one" in shop("preview", "--open", "--json", code=2).stderr

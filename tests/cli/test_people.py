"""Events in, people looked up, handed over, stopped and forgotten; contacts imported."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.cli.conftest import MORNING, Shop


def row(shop: Shop, name: str) -> dict[str, object]:
    found: dict[str, object] = shop.json("contacts", "show", name)["data"]
    return found


# --- events


def test_an_event_tells_whose_it_is_and_when_it_is_judged(applied: Shop) -> None:
    told = applied("events", "send", "Order Completed", "--email", "ana@example.com", "--with", "order_id=A17").stdout
    assert told == (
        "Order Completed of ana@example.com, a new contact. "
        "It is judged at the next turn: nurture run, or nurture run --once.\n"
    )


def test_the_same_message_is_taken_once_and_the_same_words_twice(applied: Shop) -> None:
    send = ("events", "send", "Order Completed", "--email", "ana@example.com")
    assert applied.json(*send)["data"]["stored"] == 1
    assert applied.json(*send)["data"]["stored"] == 1
    assert applied.json(*send, "--message-id", "m1")["data"]["stored"] == 1
    assert applied.json(*send, "--message-id", "m1")["data"] == {"stored": 0, "duplicates": 1, "created": 0}
    assert "was told before; nothing was changed" in applied(*send, "--message-id", "m1").stdout


def test_lines_are_taken_and_the_bad_ones_named(applied: Shop) -> None:
    lines = "\n".join(
        [
            json.dumps({"event": "Newsletter Subscribed", "email": "a@example.com", "messageId": "1"}),
            "nonsense",
            json.dumps({"event": "Newsletter Subscribed", "userId": "u2", "traits": {"first_name": "Ben"}}),
            json.dumps({"event": "nurture.eject", "email": "a@example.com"}),
        ]
    )
    result = applied("events", "send", stdin=lines, code=1)
    assert result.stdout == "2 events stored, 0 told before, 2 new contacts, 2 refused.\n"
    assert "stdin, line 2, column 1: not JSON" in result.stderr
    assert "stdin, line 4: names that begin with nurture. are our own" in result.stderr
    assert row(applied, "u2")["attributes"] == {"first_name": "Ben"}


def test_lines_can_come_from_a_file(applied: Shop, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "X", "email": "a@example.com"}\n' * 3)
    assert applied("events", "send", "--file", str(path)).stdout == (
        "1 event stored, 2 told before, 1 new contact, 0 refused.\n"
    )


def test_wrong_events_are_refused_in_words(applied: Shop) -> None:
    assert "whose event is it?" in applied("events", "send", "X", code=1).stderr
    assert (
        "says no zone"
        in applied("events", "send", "X", "--email", "a@b.example", "--at", "2026-01-01T10:00", code=1).stderr
    )
    assert (
        "written name=value"
        in applied("events", "send", "X", "--email", "a@b.example", "--with", "total", code=2).stderr
    )


# --- contacts


def test_a_person_is_shown_with_her_campaigns_and_mails(busy: Shop) -> None:
    told = busy("contacts", "show", "anna@example.com").stdout
    assert told.startswith("anna@example.com  number 1\n")
    assert "  zone          Europe/Berlin, the project's\n" in told
    assert "  first_name    Anna\n" in told
    assert "welcome   Tue 3 Mar 2026 10:00  wait>story  Thu 5 Mar 2026 10:00\n" in told
    assert "welcome/hello  sent   Tue 3 Mar 2026 10:00  accepted\n" in told


def test_people_are_listed_and_found_by_the_beginning_of_their_address(busy: Shop) -> None:
    assert [one["email"] for one in busy.json("contacts", "list")["data"]] == ["anna@example.com", "ben@example.com"]
    assert [one["email"] for one in busy.json("contacts", "list", "ann")["data"]] == ["anna@example.com"]
    assert [one["email"] for one in busy.json("contacts", "list", "--stage", "customer")["data"]] == ["ben@example.com"]
    assert busy("contacts", "list", "zoe").stdout == "Nobody like that is here.\n"


def test_nobody_by_that_name_is_told_with_a_way_on(busy: Shop) -> None:
    assert "nobody here is called zoe@example.com" in busy("contacts", "show", "zoe@example.com", code=1).stderr
    assert "nobody here is called zoe@example.com" in busy("explain", "zoe@example.com", code=1).stderr


def test_what_changes_people_asks_first(busy: Shop) -> None:
    for command in (("suppress", "x@example.com"), ("unsuppress", "x@example.com"), ("erase", "ben@example.com")):
        assert (
            "There is no terminal to ask on, so nothing was done; add --yes"
            in busy("contacts", *command, code=2).stderr
        )
    assert len(busy.json("contacts", "list")["data"]) == 2


def test_a_suppressed_address_is_never_mailed(applied: Shop) -> None:
    told = applied("contacts", "suppress", "ana@example.com", "ANA@EXAMPLE.COM", "--yes").stdout
    assert told == "1 address is newly suppressed, 1 were already.\n"
    applied("events", "send", "Newsletter Subscribed", "--email", "ana@example.com")
    assert "(suppressed)" in applied("run", "--once").stdout
    assert row(applied, "ana@example.com")["suppressed"] == "manual"
    assert (
        applied("contacts", "unsuppress", "ana@example.com", "--yes").stdout
        == "ana@example.com is no longer suppressed.\n"
    )
    assert "was not suppressed" in applied("contacts", "unsuppress", "ana@example.com", "--yes").stdout


def test_everything_about_a_person_can_be_handed_over(busy: Shop, tmp_path: Path) -> None:
    out = tmp_path / "anna.json"
    busy("contacts", "export", "anna@example.com", "--out", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    data = json.loads(out.read_text())["data"]
    assert data["contact"]["email"] == "anna@example.com"
    assert [one["step"] for one in data["deliveries"]] == ["hello"]
    assert data["consents"]


def test_an_export_of_everybody_is_safe_in_a_spreadsheet(busy: Shop) -> None:
    busy("events", "send", "X", "--email", "eve@example.com", "--trait", "note==HYPERLINK(1)", "--trait", "age=-5")
    rows = list(csv.DictReader(busy("contacts", "export").stdout.splitlines()))
    assert [one["email"] for one in rows] == ["anna@example.com", "ben@example.com", "eve@example.com"]
    assert (rows[2]["note"], rows[2]["age"]) == ("'=HYPERLINK(1)", "-5")
    assert rows[0]["first_name"] == "Anna"


def test_an_erased_person_is_gone_and_stays_away(busy: Shop) -> None:
    assert (
        busy("contacts", "erase", "anna@example.com", "--yes").stdout == "anna@example.com is erased and suppressed.\n"
    )
    busy("contacts", "show", "anna@example.com", code=1)
    busy.clock.jump_to(MORNING + timedelta(hours=1))
    busy("events", "send", "Newsletter Subscribed", "--email", "anna@example.com")
    assert busy("run", "--once").stdout == "1 turn, 0 mails sent.\n  1 skipped: welcome/hello (suppressed)\n"


# --- import

PEOPLE = "Email,First Name,Stage\nana@example.com,Ana,buyer\nben@example.com,Ben,vip\nnobody,N,\n"


def test_an_import_shows_first_what_it_takes_columns_for_and_what_would_happen(
    applied: Shop, make_csv: Callable[[str], Path]
) -> None:
    result = applied("import", str(make_csv(PEOPLE)), "--dry-run", "--consent", "old shop, 2024")
    assert "Email       is taken" not in result.stderr
    assert "Email       email               ana@example.com, ben@example.com, nobody\n" in result.stderr
    assert "First Name  contact.first_name  Ana, Ben, N\n" in result.stderr
    assert result.stdout == (
        "line 4  is not a mail address: an email address must have an @-sign: nobody\n"
        "1 times  the stage vip is not one of ours and was left out\n"
        "3 rows would be imported: 2 new, 0 changed, 0 as they were, 0 newly suppressed, 1 refused.\n"
        "No campaign will start by this.\n"
    )
    assert applied.json("contacts", "list")["data"] == []
    answer = applied.json("import", str(make_csv(PEOPLE)), "--dry-run", "--consent", "old shop, 2024")
    assert (answer["data"]["created"], answer["data"]["done"]) == (2, False)
    assert [one["line"] for one in answer["problems"]] == [4]


def test_an_import_brings_people_and_starts_nothing(applied: Shop, make_csv: Callable[[str], Path]) -> None:
    result = applied("import", str(make_csv(PEOPLE)), "--consent", "old shop, 2024", "--yes")
    assert "3 rows imported: 2 new, 0 changed, 0 as they were, 0 newly suppressed, 1 refused.\n" in result.stdout
    ana = row(applied, "ana@example.com")
    assert (ana["stage"], ana["consent"], ana["attributes"]) == ("customer", "granted", {"first_name": "Ana"})
    assert "0 mails sent" in applied("run", "--once").stdout
    again = applied("import", str(make_csv(PEOPLE)), "--consent", "old shop, 2024", "--yes")
    assert "This very file was imported before" in again.stderr
    assert "0 new, 0 changed, 2 as they were" in again.stdout


def test_an_import_must_say_how_people_agreed(applied: Shop, make_csv: Callable[[str], Path]) -> None:
    told = applied("import", str(make_csv(PEOPLE)), "--yes", code=2).stderr
    assert "how did these people agree to get mail?" in told
    applied("import", str(make_csv(PEOPLE)), "--no-consent", "--yes")
    assert row(applied, "ana@example.com")["consent"] == "none"


def test_an_import_asks_before_it_changes_anything(applied: Shop, make_csv: Callable[[str], Path]) -> None:
    told = applied("import", str(make_csv(PEOPLE)), "--no-consent", code=2).stderr
    assert "3 rows would be imported" in told
    assert "Import 2 rows?" in told
    assert applied.json("contacts", "list")["data"] == []


def test_no_file_makes_somebody_say_yes_who_said_no(applied: Shop, make_csv: Callable[[str], Path]) -> None:
    applied("events", "send", "Newsletter Subscribed", "--email", "ana@example.com")
    applied("run", "--once")
    applied("events", "send", "Newsletter Unsubscribed", "--email", "ana@example.com")
    applied("run", "--once")
    applied("import", str(make_csv("email,consent\nana@example.com,subscribed\n")), "--consent", "bought list", "--yes")
    assert row(applied, "ana@example.com")["consent"] == "withdrawn"


def test_cleaned_addresses_come_in_suppressed(applied: Shop, make_csv: Callable[[str], Path]) -> None:
    applied("import", str(make_csv("email,consent\nana@example.com,cleaned\n")), "--consent", "x", "--yes")
    ana = row(applied, "ana@example.com")
    assert (ana["suppressed"], ana["consent"]) == ("bounced", "none")


def test_imported_people_enter_a_campaign_only_by_name(applied: Shop, make_csv: Callable[[str], Path]) -> None:
    path = str(make_csv("email\nana@example.com\n"))
    assert (
        "did you mean welcome?" in applied("import", path, "--no-consent", "--enrol", "welcom", "--yes", code=1).stderr
    )
    told = applied("import", path, "--consent", "form", "--enrol", "welcome", "--yes").stdout
    assert told.endswith("1 person enter welcome at the next turn.\n")
    assert "1 mail sent" in applied("run", "--once").stdout


def test_an_import_says_what_it_leaves_out_and_takes_its_origin_by_hand(
    applied: Shop, make_csv: Callable[[str], Path]
) -> None:
    path = str(make_csv('Email Address,NOTES,TAGS\nana@example.com,x,"a,b"\n'))
    command = ("import", path, "--from", "mailchimp", "--no-consent", "--dry-run")
    told = applied(*command).stderr
    assert "an export of Mailchimp" in told
    assert "TAGS           contact.tags (list)" in told
    assert "Left out: NOTES. --map COLUMN=FIELD takes one in." in told
    data = applied.json(*command)["data"]
    assert (data["from"], data["columns"]) == ("mailchimp", {"Email Address": "email", "NOTES": None, "TAGS": "tags"})


def test_columns_can_be_mapped_by_hand(applied: Shop, make_csv: Callable[[str], Path]) -> None:
    path = str(make_csv("email,Kundennr,Notiz\nana@example.com,K-1,secret\n"))
    applied("import", path, "--no-consent", "--map", "Kundennr=external_id", "--map", "Notiz=-", "--yes")
    assert row(applied, "K-1")["attributes"] == {}

"""`nurture simulate` for populations, as it is typed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Shop

BEHAVIOUR = """\
version: 1
people: {stages: {lead: 3, customer: 1}}
arrivals: {share: 50%, by: [{event: Newsletter Subscribed}]}
does:
  - {event: Order Completed, rate: 1 per 30 days, with: {order_id: "o-{number}"}}
"""


@pytest.fixture
def peopled(shop: Shop) -> Shop:
    (shop.folder / "campaigns/behaviour.yaml").write_text(BEHAVIOUR)
    return shop


def test_a_population_is_told_in_tables(peopled: Shop) -> None:
    told = peopled("simulate", "--people", "60", "--days", "30").stdout
    assert told.startswith("60 made-up people, 3 Mar 2026 to 2 Apr 2026\n")
    assert "30 people came in that time." in told
    assert "Busiest minute:" in told
    assert "marketing mails a week: 0: " in told


def test_the_same_numbers_are_told_as_json_and_as_csv(peopled: Shop) -> None:
    told = peopled.json("simulate", "--people", "60", "--days", "30")["data"]
    lines = list(csv.reader(io.StringIO(peopled("simulate", "--people", "60", "--days", "30", "--csv").stdout)))
    assert lines[0] == ["part", "of", "what", "number"]
    assert ["figures", "mails", "", str(told["figures"]["mails"])] in lines
    assert told["figures"]["mails"] == sum(row["sent"] for row in told["campaigns"]) > 0
    assert told["asked"]["seed"] == 7


def test_other_caps_stand_beside_these_with_the_difference(peopled: Shop) -> None:
    none = peopled.folder / "none.yaml"
    none.write_text("version: 1\ncaps: []\n")
    told = peopled("simulate", "--people", "60", "--days", "30", "--caps", str(none)).stdout
    assert "other caps  difference" in told
    data = peopled.json("simulate", "--people", "60", "--days", "30", "--caps", str(none))["data"]
    assert data["other"]["figures"]["postponed, cap full"] == 0
    none.write_text("version: 1\ncaps: [{max: 0, per: 1 day}]\n")
    assert "none.yaml:2" in peopled("simulate", "--people", "6", "--caps", str(none), code=1).stderr


def test_the_page_is_written_where_it_is_wanted(peopled: Shop) -> None:
    page = peopled.folder / "report.html"
    peopled("simulate", "--people", "20", "--days", "10", "--html", str(page))
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_more_than_the_relay_takes_is_said(peopled: Shop) -> None:
    told = peopled("simulate", "--people", "400", "--days", "40", "--limit", "1").stdout
    assert "; the relay takes 1." in told
    assert "more is due than it takes" in told


def test_every_mail_can_be_built_too(peopled: Shop) -> None:
    ana, thanks = (peopled.folder / name for name in ("campaigns/people/ana.yaml", "email_templates/order/thanks.html"))
    ana.write_text(ana.read_text().replace("order_id: A-1", "order_id: A-1, gift: tulips"))
    thanks.write_text(thanks.read_text().replace("needs: [", "needs: [start.gift, "))
    skipped = {
        (row["step"], row["reason"])
        for row in peopled.json("simulate", "--people", "20", "--days", "20", "--render")["data"]["reasons"]
        if row["what"] == "skipped"
    }
    assert skipped == {("thanks", "template_error")}  # nobody who is made up says anything of a gift


def events(*lines: dict[str, object]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_what_happened_can_be_played_again(shop: Shop) -> None:
    file = shop.folder / "events.jsonl"
    eva, tom = "eva@example.com", "tom@example.com"
    file.write_text(
        events(
            {"event": "Newsletter Subscribed", "email": eva, "at": "2026-03-01T10:00:00Z", "zone": "Asia/Tokyo"},
            {"event": "Order Completed", "email": eva, "at": "2026-03-02T10:00:00Z", "with": {"order_id": "1"}},
            {"event": "Newsletter Subscribed", "email": tom, "userId": "t", "at": "2026-03-01T11:00:00Z"},
            {"event": "Signed In", "userId": "t", "at": "2026-03-01T12:00:00Z"},
            {"event": "Signed In", "userId": "t"},
        )
    )
    run = shop("simulate", "--replay", str(file))
    assert "line 5: when was it?" in run.stderr
    told = shop.json("simulate", "--replay", str(file))["data"]
    assert (told["people"], told["figures"]["mails"]) == (2, 4)  # her hello and receipt, his hello and story
    steps = {(row["campaign"], row["step"]): row["fates"].get("sent", 0) for row in told["steps"]}
    assert steps == {("receipt", "thanks"): 1, ("welcome", "hello"): 2, ("welcome", "story"): 1}
    file.write_text("[]\n")
    assert "holds no event" in shop("simulate", "--replay", str(file), code=1).stderr


def test_the_people_of_the_database_live_on_as_it_is_planned(busy: Shop) -> None:
    told = busy.json("simulate", "--from-database", "--days", "10")["data"]
    assert told["people"] == 2
    steps = {(row["campaign"], row["step"]): row["fates"].get("sent", 0) for row in told["steps"]}
    assert steps[("welcome", "story")] == 1  # Anna's second mail was on its way
    assert steps[("welcome", "hello")] == 0
    assert busy("inbox", "list").stdout.count("\n") == 3  # nothing more was sent


def test_one_person_lives_under_the_whole_programme(shop: Shop) -> None:
    told = shop("simulate", "--as", "ana", "--event", "Order Completed@+1h", "--with", "order_id=A-9").stdout
    assert "ana · Europe/Lisbon" in told
    assert "order_id A-9" in told
    assert "sends      receipt/thanks" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--people", "5", "--from-database"], "do not go together"),
        (["--people", "5", "--as", "ana"], "--as is about one person"),
        (["--people", "5", "welcome"], "is about one person"),
        (["welcome", "--workers", "2"], "--workers is about a population"),
        (["--as", "ana"], "name a campaign, or what happens"),
        (["--people", "0"], "0 is not in the range"),
    ],
)
def test_what_cannot_be_meant_is_refused(shop: Shop, words: list[str], told: str) -> None:
    assert told in shop("simulate", *words, code=2).stderr


def test_without_a_behaviour_file_it_says_what_is_missing(shop: Shop) -> None:
    assert "behaviour.yaml is missing" in shop("simulate", "--people", "5", code=1).stderr
    assert not Path(shop.folder / "campaigns/behaviour.yaml").exists()

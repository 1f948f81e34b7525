"""Simulated populations: the same for one seed, however they are shared out; and the report adds up."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nurture.domain.programme import Cap
from nurture.engine.simulation.page import page
from nurture.engine.simulation.report import Report, figures, rows
from nurture.engine.simulation.run import made_up, simulate
from nurture.errors import NurtureError
from nurture.language.compile import compile_project
from nurture.language.source import read_project

STARTER = compile_project(read_project(Path(__file__).parents[2]))
BEGIN = datetime(2027, 4, 1, 6, tzinfo=UTC)
DAYS = timedelta(days=28)
PEOPLE = 300


def lived(people: int = PEOPLE, seed: int = 7, workers: int = 1, caps: tuple[Cap, ...] | None = None) -> Report:
    setting, parts = made_up(STARTER, people, seed, BEGIN, BEGIN + DAYS)
    if caps is not None:
        setting = setting.under(caps)
    return simulate(setting, parts, source="people", seed=seed, workers=workers)


def as_text(report: Report) -> str:
    return json.dumps(report.as_data(), default=str)


@pytest.fixture(scope="module")
def report() -> Report:
    return lived()


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(report: Report) -> None:
    assert as_text(lived(workers=2)) == as_text(report)
    assert page(lived()) == page(report)


def test_another_seed_gives_other_people(report: Report) -> None:
    assert as_text(lived(seed=8)) != as_text(report)


def test_a_person_lives_the_same_life_among_few_and_among_many() -> None:
    few, many = (made_up(STARTER, count, 7, BEGIN, BEGIN + DAYS)[0].population for count in (400, 400_000))
    assert few is not None
    assert many is not None
    assert few.person(399).contact.attributes["first_name"] == many.person(399).contact.attributes["first_name"]


def test_everybody_is_somewhere_before_and_after(report: Report) -> None:
    assert report.people == PEOPLE
    assert sum(row.before for row in report.stages) + report.arrived == PEOPLE
    assert sum(row.after for row in report.stages) <= PEOPLE  # who came in the last moment may not be in a stage yet
    assert report.arrived == round(PEOPLE * 0.25)


def test_mails_are_the_same_number_by_every_way_of_counting(report: Report) -> None:
    assert report.mails > 100
    assert sum(sum(counts) for counts in report.days.values()) == report.mails
    assert sum(sum(row) for row in report.hours) == report.mails
    assert sum(step.fates.get("sent", 0) for step in report.steps) == report.mails
    assert 0 < report.peak.mails <= report.mails


def test_caps_hold_over_everybody(report: Report) -> None:
    assert len(report.weeks) - 1 <= 3  # of the programme: 3 in 7 days
    assert len(report.discounts) - 1 <= 3  # and 1 discount in 14 days


def test_nobody_is_mailed_marketing_in_quiet_hours(report: Report) -> None:
    night = sum(row[hour] for row in report.hours for hour in (22, 23, 0, 1, 2, 3, 4, 5, 6))
    receipts = sum(row.sent for row in report.campaigns if row.campaign in {"order-thanks", "course-reminder"})
    assert night <= receipts + sum(row.sent for row in report.campaigns if row.campaign == "quote-follow-up")


def test_without_caps_nobody_starves_and_more_goes(report: Report) -> None:
    free = lived(caps=())
    assert report.starved
    assert free.starved == ()
    assert figures(free)["skipped, cap full"] == figures(free)["postponed, cap full"] == 0
    assert free.mails > report.mails


def test_the_lines_for_csv_hold_every_number_once(report: Report) -> None:
    lines = list(rows(report))
    keys = [line[:3] for line in lines]
    assert len(set(keys)) == len(keys)
    assert ("figures", "mails", "", report.mails) in lines
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    assert len(text.getvalue().splitlines()) == len(lines)


class _Outline(HTMLParser):
    """Whatever a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in {"meta", "line", "rect"}:
            self.open.append(tag)
        self.outside += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "style"} or name[:2] == "on"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_is_well_formed(report: Report) -> None:
    text = page(report, lived(caps=()))
    outline = _Outline()
    outline.feed(text)
    assert outline.open == []
    assert outline.outside == []
    assert outline.tags.count("svg") >= 7
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "Other caps" in text


def test_nobody_at_all_is_a_report_too() -> None:
    setting, _ = made_up(STARTER, 1, 7, BEGIN, BEGIN + DAYS)
    nobody = simulate(setting, [], source="nobody")
    assert (nobody.people, nobody.mails, nobody.peak.at) == (0, 0, None)
    assert "<svg" in page(nobody)
    assert list(rows(nobody))


def test_a_project_without_a_behaviour_file_says_what_to_do() -> None:
    sources = {name: text for name, text in read_project(Path(__file__).parents[2]).items() if "behaviour" not in name}
    with pytest.raises(NurtureError, match=r"behaviour\.yaml is missing"):
        made_up(compile_project(sources), 10, 7, BEGIN, BEGIN + DAYS)

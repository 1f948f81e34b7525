"""`nurture test` in a folder: which stories, what is written, and when it fails."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.conftest import Shop

STORY = """\
test: {name}
campaign: welcome
person: ana
from: 2026-03-03T10:00 Europe/Lisbon
story: [{{at: +0m, event: Newsletter Subscribed}}]
expect:
  sent: [{sent}]  # in this order
"""


@pytest.fixture
def told(shop: Shop) -> Shop:
    for name, sent in (("second", "hello, story"), ("wrong", "story")):
        shop.write(f"campaigns/tests/{name}.yaml", STORY.format(name=f"the {name} of them", sent=sent))
    return shop


def test_a_failure_shows_the_timeline_with_the_first_difference_marked(told: Shop) -> None:
    lines = told("--no-color", "test", code=1).stdout.splitlines()
    assert lines[0] == "fails   welcome: the wrong of them  campaigns/tests/wrong.yaml:6"
    (marked,) = [line for line in lines if line.startswith("  > ")]
    assert " ".join(marked.split()) == "> Tue 03 Mar 10:00 sends hello welcome/hello"
    assert lines[-1].startswith("3 stories told, 1 failed. Coverage 75 %: 3 of 4 steps and branches.")


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("second", ["the second of them"]),
        ("second or GREETED", ["the second of them", "who signs up is greeted"]),
        ("welcome and not second and not wrong", ["who signs up is greeted"]),
        ("nothing like it", []),
    ],
)
def test_stories_are_chosen_by_words(told: Shop, expression: str, names: list[str]) -> None:
    assert [one["test"] for one in told.json("test", "-k", expression)["data"]] == names


@pytest.mark.parametrize("expression", ["and", "second or", "(second)", "not"])
def test_an_expression_that_says_nothing_is_refused(told: Shop, expression: str) -> None:
    assert "-k takes words" in told("test", "-k", expression, code=2).stderr


def test_update_writes_what_happened_and_keeps_the_comment(told: Shop) -> None:
    before = (told.folder / "campaigns/tests/second.yaml").read_text()
    assert "expect now what happened" in told("test", "--update").stdout
    wrong = (told.folder / "campaigns/tests/wrong.yaml").read_text()
    assert "sent: [hello, story]" in wrong
    assert "# in this order" in wrong
    assert (told.folder / "campaigns/tests/second.yaml").read_text() == before
    told("test")


def test_junit_has_a_case_for_every_story(told: Shop, tmp_path: Path) -> None:
    told("test", "--junit", str(tmp_path / "out.xml"), code=1)
    root = ET.parse(tmp_path / "out.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    (failure,) = root.iter("failure")
    assert "expected story; got hello, story" in (failure.get("message") or "")
    assert len(list(root.iter("testcase"))) == 3


def test_coverage_says_what_no_story_reaches_and_may_be_required(told: Shop) -> None:
    lines = told("test", "--coverage", "-k", "greeted or receipt").stdout.splitlines()
    assert lines[-1].endswith("Coverage 100 %: 3 of 3 steps and branches.")
    told("test", "--update")
    assert "never reached: step thanks in receipt, campaigns/receipt.yaml:10" in told("test", "--coverage").stdout
    assert told("test", "--fail-under", "99.5", code=1).stdout.endswith("That is below 99.5 %.\n")
    data = told.json("test", "--fail-under", "50")["data"]
    assert data["coverage"]["never_reached"][0]["file"] == "campaigns/receipt.yaml"

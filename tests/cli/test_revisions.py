"""Plans kept in files, revisions looked at, and the way back."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Shop

HELLO = "email_templates/welcome/hello.html"


def test_a_changed_template_is_shown_line_by_line(applied: Shop) -> None:
    applied.edit(HELLO, "good to have you here", "nice to meet you")
    told = applied("--no-color", "plan").stdout.splitlines()
    assert f"~ {HELLO} changed" in told
    assert "    +<p>Hello {{ contact.first_name | default('reader') }}, nice to meet you.</p>" in told
    (file,) = applied.json("plan")["data"]["files"]
    assert (file["file"], file["kind"]) == (HELLO, "changed")


def test_what_was_planned_is_applied(applied: Shop) -> None:
    applied.edit("campaigns/welcome.yaml", "wait: 2 days", "wait: 3 days")
    applied("plan", "--out", "plan.json")
    assert "Revision 2 is applied." in applied("apply", "plan.json", "--yes").stdout
    assert "against revision 1; now 2" in applied("apply", "plan.json", "--yes", code=1).stderr


def test_a_plan_of_other_files_is_refused(applied: Shop) -> None:
    applied.edit("campaigns/welcome.yaml", "wait: 2 days", "wait: 3 days")
    applied("plan", "--out", "plan.json")
    applied.edit("campaigns/welcome.yaml", "wait: 3 days", "wait: 4 days")
    told = applied("apply", "plan.json", "--yes", code=1).stderr
    assert "campaigns/welcome.yaml changed after plan.json was made" in told
    assert len(applied.json("revisions", "list")["data"]) == 1


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("inside", {"welcome": 500}, "0 people are in welcome; there were 500"),
        ("nurture_plan", 0, "written by another version"),
    ],
)
def test_a_plan_that_does_not_hold_any_more_is_refused(applied: Shop, key: str, value: object, told: str) -> None:
    applied.edit("campaigns/welcome.yaml", "wait: 2 days", "wait: 3 days")
    applied("plan", "--out", "plan.json")
    kept = json.loads((applied.folder / "plan.json").read_text())
    applied.write("plan.json", json.dumps({**kept, key: value}))
    assert told in applied("apply", "plan.json", "--yes", code=1).stderr
    applied.write("plan.json", "[]")
    assert "is no plan" in applied("apply", "plan.json", "--yes", code=1).stderr


def test_an_earlier_revision_comes_back_as_a_new_one(applied: Shop) -> None:
    applied.edit(HELLO, "good to have you here", "nice to meet you")
    applied("apply", "--yes")
    assert "Revision 3 is applied." in applied("apply", "--revision", "1", "--yes").stdout
    listed = applied.json("revisions", "list")["data"]
    assert [one["revision"] for one in listed] == [3, 2, 1]
    assert applied("revisions", "diff", "1", "3").stdout == "Revisions 1 and 3 have the same files.\n"
    assert "good to have you here" in applied("revisions", "show", "3", "--file", HELLO).stdout
    assert "nice to meet you" in applied("revisions", "show", "2", "--file", HELLO).stdout
    assert HELLO in applied("revisions", "show", "2").stdout
    applied("apply", "--revision", "9", "--yes", code=None)
    assert len(applied.json("revisions", "list")["data"]) == 3


def test_two_revisions_are_compared_in_words_and_in_lines(applied: Shop) -> None:
    applied.edit("campaigns/welcome.yaml", "wait: 2 days", "wait: 3 days")
    applied("apply", "--yes")
    told = applied("--no-color", "revisions", "diff", "1").stdout
    assert "welcome: wait>story: 2 days -> 3 days" in told
    assert "    +  - wait: 3 days" in told
    assert applied.json("revisions", "diff", "1", "2")["data"]["files"][0]["file"] == "campaigns/welcome.yaml"

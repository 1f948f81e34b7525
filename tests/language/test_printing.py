"""What people and tools see of a problem."""

from __future__ import annotations

import json

from nurture.language.compile import compile_project
from nurture.language.printing import as_github, as_json, as_sarif, as_text, problem_text
from nurture.language.problems import FAMILIES, Problem, Severity, did_you_mean, in_order

TYPO = Problem(
    code="N203",
    severity=Severity.ERROR,
    file="campaigns/welcome.yaml",
    line=18,
    column=11,
    message='no template "onbording/create"',
    hint="did you mean onboarding/create?",
    excerpt=((17, "  - id: first"), (18, "    send: onbording/create")),
    fix=("onbording/create", "onboarding/create"),
)
DOUBT = Problem("N211", Severity.WARNING, "campaigns/a,b.yaml", 3, 5, "50% sure:\nperhaps", None)


def test_a_problem_shows_its_lines_with_a_caret_and_what_to_do() -> None:
    expected = [
        'campaigns/welcome.yaml:18:11  error N203  no template "onbording/create"',
        "  17 |   - id: first",
        "  18 |     send: onbording/create",
        "     |           ^ did you mean onboarding/create?",
    ]
    assert problem_text(TYPO).splitlines() == expected


def test_the_last_line_counts() -> None:
    assert as_text([], files=12) == "12 files fine."
    last = as_text([TYPO, DOUBT], files=13).splitlines()[-1]
    assert last == ("2 files with problems (1 error, 1 warning), 11 fine.  nurture validate --fix can repair 1.")
    assert as_text([DOUBT], files=1).splitlines()[-1] == "1 file with problems (1 warning), 0 fine."


def test_the_caret_stands_under_the_fault(project: dict[str, str]) -> None:
    project["campaigns/abandoned-cart.yaml"] = project["campaigns/abandoned-cart.yaml"].replace(
        "if: event.value >= 15", 'if: "event.value >= 15 && contact.vip"'
    )
    (problem,) = compile_project(project).problems
    _, _, line, caret = problem_text(problem).splitlines()
    assert line[caret.index("^") :].startswith("&&")


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    hostile = Problem("N100", Severity.ERROR, "a.yaml", 1, 1, "x", None, ((1, "a\x1b[2Jb\tc"),))
    assert "\x1b" not in problem_text(hostile)


def test_json_is_one_envelope() -> None:
    answer = json.loads(as_json([TYPO, DOUBT], {"files": 13}))
    assert answer["ok"] is False
    assert answer["data"] == {"files": 13}
    assert answer["problems"][0] == {
        "code": "N203",
        "severity": "error",
        "file": "campaigns/welcome.yaml",
        "line": 18,
        "column": 11,
        "message": 'no template "onbording/create"',
        "hint": "did you mean onboarding/create?",
        "fix": {"replace": "onbording/create", "with": "onboarding/create"},
    }
    assert json.loads(as_json([DOUBT]))["ok"] is True


def test_annotations_escape_what_would_end_them() -> None:
    assert as_github([TYPO, DOUBT]).splitlines() == [
        (
            '::error file=campaigns/welcome.yaml,line=18,col=11,title=N203::no template "onbording/create" '
            "(did you mean onboarding/create?)"
        ),
        "::warning file=campaigns/a%2Cb.yaml,line=3,col=5,title=N211::50%25 sure:%0Aperhaps",
    ]


def test_sarif_names_rules_results_and_places() -> None:
    log = json.loads(as_sarif([TYPO, DOUBT, TYPO], "1.2.3"))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["tool"]["driver"]["version"] == "1.2.3"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["N203", "N211"]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == ["N203", "N211", "N203"]
    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 18, "startColumn": 11}
    assert {result["level"] for result in run["results"]} == {"error", "warning"}


def test_problems_stand_in_order_and_once() -> None:
    assert in_order([TYPO, DOUBT, TYPO]) == (DOUBT, TYPO)


def test_a_suggestion_is_near_or_is_not_made() -> None:
    assert did_you_mean("remindr", ["reminder", "receipt"]) == "reminder"
    assert did_you_mean("Tips", ["tips", "offers"]) == "tips"
    assert did_you_mean("zebra", ["reminder", "receipt"]) is None


def test_every_family_is_named() -> None:
    assert sorted(FAMILIES) == [f"N{number}" for number in range(1, 9)]

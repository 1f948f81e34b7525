"""Campaign sense: for every doubt one campaign that earns it and one that does not."""

from __future__ import annotations

import pytest

from nurture.language.compile import compile_project
from nurture.language.problems import Problem

FILE = "campaigns/tips.yaml"
HEAD = "version: 1\ncampaign: tips\ntopic: tips\nstatus: live\n"
MAIL = "send: cart/reminder"


def problems(project: dict[str, str], text: str, **others: str) -> list[Problem]:
    project = {name: text for name, text in project.items() if not name.startswith("campaigns/tests/")}
    project |= {
        "email_templates/cart/reminder.html": "---\nsubject: Tips\npreheader: More\nneeds: []\n---\n<p>Hello</p>"
    }
    project[FILE] = HEAD + text
    for name, other in others.items():
        project[f"campaigns/{name}.yaml"] = HEAD.replace("campaign: tips", f"campaign: {name}") + other
    found = compile_project(project).problems
    return [problem for problem in found if problem.code not in {"N211", "N406"}]


def codes(project: dict[str, str], text: str, **others: str) -> list[str]:
    return [problem.code for problem in problems(project, text, **others)]


def flow(*steps: str, start: str = "start: {event: Asked}", more: str = "") -> str:
    return f"{start}\n{more}steps:\n" + "".join(f"  - {step}\n" for step in steps)


def mail(name: str, more: str = "") -> str:
    return f"{{id: {name}, {MAIL}{', ' + more if more else ''}}}"


@pytest.mark.parametrize(
    ("between", "found"),
    [
        ([], ["N620"]),
        (["wait: 8 hours"], ["N620"]),
        (["wait_for: {event: Answered, up_to: 6 hours}"], ["N620"]),
        (["wait: 20 hours"], []),
        (["wait: 1 day"], []),
        (["{wait: 8 hours, until: '10:00'}"], []),  # from ten in the evening it is soon, from ten in the morning not
        (["wait_quiet: 1 hour\n    after: [Answered]"], []),
        (["wait_for: {event: Answered, up_to: 3 days}"], []),
    ],
)
def test_a_mail_that_a_cap_always_holds_up_is_named(
    project: dict[str, str], between: list[str], found: list[str]
) -> None:
    assert codes(project, flow(mail("one"), *between, mail("two"))) == found


def test_what_a_cap_does_to_the_mail_is_told(project: dict[str, str]) -> None:
    (waits,) = problems(project, flow(mail("one"), "wait: 2 hours", mail("two")))
    assert "always has to wait" in waits.message
    assert (waits.file, waits.is_error) == (FILE, False)
    assert "two" in waits.excerpt[-1][1]
    for more in ("on_cap: skip", "late: drop after 2 hours", "on_cap: postpone up to 1 hour"):
        (lost,) = problems(project, flow(mail("one"), "wait: 2 hours", mail("two", more)))
        assert "always skipped" in lost.message


@pytest.mark.parametrize(
    ("first", "second"), [("if: orders() > 3", ""), ("kind: transactional", ""), ("", "kind: transactional")]
)
def test_mails_that_may_stay_away_or_that_no_cap_counts_hold_nothing_up(
    project: dict[str, str], first: str, second: str
) -> None:
    assert codes(project, flow(mail("one", first), "wait: 2 hours", mail("two", second))) == []


def test_a_cap_of_a_category_counts_only_that_category(project: dict[str, str]) -> None:
    wait = "wait: 5 days"
    assert codes(project, flow(mail("one", "category: discount"), wait, mail("two", "category: discount"))) == ["N620"]
    assert codes(project, flow(mail("one", "category: discount"), wait, mail("two", "category: value"))) == []


@pytest.mark.parametrize(("wait", "found"), [("16 days", ["N807"]), ("15 days", ["N807"]), ("14 days", [])])
def test_an_offer_that_ends_before_its_reminder_is_named(project: dict[str, str], wait: str, found: list[str]) -> None:
    offers = "offers:\n  saver: {expires: 15 days, discount: 10%, code: unique:SAVE}\n"
    given = "category: discount, offer: saver"
    text = flow(mail("one", given), f"wait: {wait}", mail("two", given), more=offers)
    assert codes(project, text) == found


def test_an_offer_that_may_be_given_first_by_its_reminder_is_no_fault(project: dict[str, str]) -> None:
    offers = "offers:\n  saver: {expires: 15 days, discount: 10%, code: unique:SAVE}\n"
    given = "category: discount, offer: saver"
    text = flow(mail("one", given + ", if: orders() > 3"), "wait: 20 days", mail("two", given), more=offers)
    assert codes(project, text) == []


@pytest.mark.parametrize(
    ("more", "condition", "found"),
    [
        ("goal: {event: Bought, within: 3 days}\n", "", ["N621"]),
        ("goal: {event: Bought, within: 30 days}\n", "", []),
        ("goal: {event: Bought, within: 3 days}\nstop: [{event: Bought}]\n", "", []),
        ("goal: {event: Bought, within: 3 days}\n", "if: not did('Bought')", []),
        ("goal: {event: Bought, within: 3 days, then: stay}\n", "", []),
    ],
)
def test_a_mail_for_people_who_reached_the_goal_is_named(
    project: dict[str, str], more: str, condition: str, found: list[str]
) -> None:
    assert codes(project, flow(mail("one"), "wait: 10 days", mail("two", condition), more=more)) == found


@pytest.mark.parametrize(("condition", "found"), [("", ["N621"]), (", if: not used(offer)", [])])
def test_an_offer_to_people_who_reached_a_goal_that_lets_them_stay_is_named(
    project: dict[str, str], condition: str, found: list[str]
) -> None:
    more = "goal: {event: Bought, within: 30 days, then: stay}\n"
    more += "offers:\n  saver: {expires: 15 days, discount: 10%, code: unique:SAVE}\n"
    second = mail("two", "category: discount, offer: saver" + condition)
    assert codes(project, flow(mail("one"), "wait: 10 days", second, more=more)) == found


@pytest.mark.parametrize(
    ("here", "there", "found"),
    [
        (flow("wait: 1 day", mail("one")), flow("wait: 1 day", mail("two")), ["N622"]),
        (flow("wait: 1 day", mail("one")), flow("wait: 30 hours", mail("two")), ["N622"]),
        (flow("wait: 1 day", mail("one")), flow("wait: 5 days", mail("two")), []),
        (flow(mail("one")), flow(mail("two"), start="start: {event: Told}"), []),
        (flow(mail("one", "if: orders() > 3")), flow(mail("two")), []),
        (flow(mail("one"), start="start: {event: Asked, if: event.big}"), flow(mail("two")), ["N622"]),
        (
            flow(mail("one"), start="start: {event: Asked, if: event.big}"),
            flow(mail("two"), start="start: {event: Asked, if: event.small}"),
            [],
        ),
        (flow(mail("one"), start="start: {manual: true}"), flow(mail("two"), start="start: {manual: true}"), []),
    ],
)
def test_two_campaigns_that_always_want_the_same_slot_are_named(
    project: dict[str, str], here: str, there: str, found: list[str]
) -> None:
    assert codes(project, here, rival=there) == found


def test_the_campaign_that_loses_is_the_one_that_is_told(project: dict[str, str]) -> None:
    (told,) = problems(project, "priority: 80\n" + flow(mail("one")), rival="priority: 20\n" + flow(mail("two")))
    assert told.file == "campaigns/rival.yaml"
    assert '"one" of tips' in told.message


ENDS = "branch:\n      - {if: orders() > 3, do: [end]}\n      - {else: true, do: [%s]}"


@pytest.mark.parametrize(("other", "found"), [("end", ["N214"]), ("wait: 1 day", [])])
def test_a_step_behind_ways_that_all_end_is_named(project: dict[str, str], other: str, found: list[str]) -> None:
    ends = ENDS % (other if other == "end" else "{wait: 1 day}")
    assert codes(project, flow(ends, mail("one"))) == found
    both = f"wait_for: {{event: Answered, up_to: 1 day}}\n    then: [end]\n    otherwise: [{{{other}}}]"
    both = both.replace("{end}", "end")
    assert codes(project, flow(both, mail("one"))) == found

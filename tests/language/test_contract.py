"""The data contract: a mail never finds out at night that it lacks a name."""

from __future__ import annotations

import pytest

from nurture.language.compile import compile_project

REMINDER = "email_templates/cart/reminder.html"
CART = "campaigns/abandoned-cart.yaml"
ANA = "campaigns/people/ana.yaml"
NEEDS = "needs: [contact.first_name, start.items[].name]"


def codes(project: dict[str, str]) -> list[str]:
    return [problem.code for problem in compile_project(project).problems]


def need(project: dict[str, str], *needs: str) -> None:
    project[REMINDER] = project[REMINDER].replace(NEEDS, f"needs: [{', '.join(needs)}]")


@pytest.mark.parametrize(
    "needs",
    [
        ("contact.first_name",),
        ("contact.email", "contact.stage"),
        ("contact.nowhere?",),
        ("start.items[].name", "start.value"),
        ("event.value",),
        ("start.gift?", "offer.code?"),
        (),
    ],
)
def test_what_every_start_supplies_is_no_problem(project: dict[str, str], needs: tuple[str, ...]) -> None:
    need(project, *needs)
    assert codes(project) == []


def test_one_example_person_without_it_is_enough_to_doubt(project: dict[str, str]) -> None:
    project["campaigns/people/min.yaml"] = "person: min\nemail: min@people.example\n"
    (problem,) = compile_project(project).problems
    assert problem.code == "N405"
    assert problem.file == REMINDER
    assert "abandoned-cart/reminder" in problem.message
    assert "example person min" in problem.message
    assert problem.hint is not None
    assert "exists(contact.first_name)" in problem.hint


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (CART, "    late: drop after 6 hours", "    late: drop after 6 hours\n    if: exists(contact.first_name)"),
        (CART, "  if: event.value >= 15", "  if: event.value >= 15 and exists(contact.first_name)"),
        (CART, "steps:\n", "steps:\n  - set: {contact.first_name: friend}\n"),
        (REMINDER, "contact.first_name", "contact.first_name?"),
    ],
)
def test_a_guard_on_the_way_or_a_default_settles_it(project: dict[str, str], file: str, old: str, new: str) -> None:
    project["campaigns/people/min.yaml"] = "person: min\nemail: min@people.example\n"
    project[file] = project[file].replace(old, new, 1)
    assert codes(project) == []


def test_a_list_must_have_it_in_every_item_and_may_not_be_empty(project: dict[str, str]) -> None:
    project[ANA] = project[ANA].replace("{name: Rake}", "{title: Rake}")
    assert codes(project) == ["N404"]
    project[ANA] = project[ANA].replace("[{name: Spade}, {title: Rake}]", "[]")
    assert codes(project) == ["N404"]


def test_a_segment_asks_for_what_its_members_have(project: dict[str, str]) -> None:
    project["campaigns/_segments.yaml"] += "  gardeners: contact.plot == 'balcony'\n"
    project["campaigns/plot.yaml"] = (
        "version: 1\ncampaign: plot\ntopic: tips\nstart: {segment: gardeners}\nsteps: [{id: a, send: plot/tips}]\n"
    )
    project["email_templates/plot/tips.html"] = "---\nsubject: Yours\nneeds: [contact.plot]\n---\n"
    assert codes(project) == []
    project["email_templates/plot/tips.html"] = "---\nsubject: Yours\nneeds: [start.plot]\n---\n"
    assert codes(project) == ["N404"]


def test_a_subject_in_the_step_is_a_subject(project: dict[str, str]) -> None:
    project[REMINDER] = project[REMINDER].replace("subject: Still yours\n", "")
    project[CART] = project[CART].replace("    send: cart/reminder", "    send: cart/reminder\n    subject: Yours")
    assert codes(project) == []


def test_opposite_events_are_not_taken_for_typos(project: dict[str, str]) -> None:
    project[CART] = project[CART].replace("- event: Cart Emptied", "- event: Newsletter Unsubscribed")
    assert codes(project) == []


@pytest.mark.parametrize("name", ["checkout started", "Checkout  Started", "checkout_started", "CheckoutStarted"])
def test_another_spelling_of_an_event_is_doubted(project: dict[str, str], name: str) -> None:
    project[CART] = project[CART].replace("- event: Cart Emptied", f"- event: {name}")
    (problem,) = compile_project(project).problems
    assert problem.code == "N211"
    assert problem.hint == "did you mean Checkout Started?"

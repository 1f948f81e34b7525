"""Sign-up forms in _project.yaml: what they may ask for, and what may confirm them."""

from __future__ import annotations

import pytest

from nurture.language.compile import compile_project
from nurture.testing.house import sources

GRANTS = "Newsletter Subscribed"  # of the small project
BY_HAND = "start: {manual: true}\nsteps:\n  - {id: mail, send: confirm, kind: transactional}\n"
BY_EVENT = BY_HAND.replace("{manual: true}", "{event: Signed Up}")
MARKETING = BY_HAND.replace(", kind: transactional", "")


def problems(campaign: str = BY_HAND, *, event: str = GRANTS, more: str = "") -> list[tuple[str, str]]:
    """(code, message) of each, for a project with one form."""
    form = f"""\
forms:
  news:
    event: {event}
    confirm: c
    texts: {{en: {{title: News, wording: Yes please., thanks: Thank you.}}}}
{more}"""
    compiled = compile_project(sources(campaign, project=form))
    return [(problem.code, problem.message) for problem in compiled.problems]


def test_a_form_in_order_is_compiled() -> None:
    assert problems() == []


def test_the_event_of_a_form_must_grant_consent() -> None:
    assert ("N704", "Order Completed is not in consent: granted_by") in problems(event="Order Completed")


@pytest.mark.parametrize(
    ("campaign", "told"),
    [(BY_EVENT, "c is not started by hand"), (MARKETING, "c does not send transactional mail only")],
)
def test_the_campaign_of_a_form_sends_nothing_but_what_was_asked_for(campaign: str, told: str) -> None:
    assert ("N705", told) in problems(campaign)


@pytest.mark.parametrize(("more", "code"), [("    topics: [weather]\n", "N205"), ("    fields: [email]\n", "N105")])
def test_what_a_form_asks_for_must_be_there_to_ask_for(more: str, code: str) -> None:
    assert code in [found for found, _ in problems(more=more)]

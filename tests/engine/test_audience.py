"""Who could get which mail as things are now, what it comes out as, and that processes share the work unseen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nurture.domain.contact import Consent, Contact, SuppressionReason
from nurture.domain.enrolment import Enrolment, EnrolmentState, PastEnrolment
from nurture.domain.event import Event
from nurture.domain.snapshot import Snapshot
from nurture.engine import everybody as module
from nurture.engine.audience import MOST_TOLD, Audience, Outcome, live_mails
from nurture.engine.everybody import everybody, problems_of
from nurture.engine.revisions import Applied, assemble
from nurture.storage import schema
from nurture.storage.database import Database
from nurture.storage.imports import ImportedContact, import_contacts
from nurture.testing.house import START as NOW
from nurture.testing.house import TEMPLATE, sources

CART = """\
campaign: cart
start: {event: Cart Abandoned, if: event.value >= 15}
steps:
  - {id: reminder, send: cart/reminder}
  - branch:
      - if: exists(contact.city)
        do: [{id: local, send: local}]
      - if: count('Order Completed', last='9 days') > 0
        do: [{id: buyer, send: plain}]
      - else: true
        do: [{id: other, send: plain}]
"""
BIRTHDAY = """\
campaign: birthday
start: {date: contact.birthday}
steps:
  - {id: wish, send: plain}
"""
DRAFT = """\
campaign: draft
status: draft
start: {event: Signed Up}
steps:
  - {id: never, send: plain}
"""
TEMPLATES = {
    "cart/reminder": TEMPLATE.replace("subject: Hello", "subject: Hello\nneeds: [start.value]")
    + "<p>{{ start.value }}</p>",
    "local": TEMPLATE.replace("subject: Hello", "subject: Hello\nneeds: [contact.city]") + "<p>{{ contact.city }}</p>",
}
ANA = "person: ana\nemail: ana@people.example\nstarts:\n  cart: {value: 20}\n"
HER = Contact(7, "her@people.example", NOW, consent=Consent.GRANTED)


@pytest.fixture(scope="module")
def applied() -> Applied:
    return assemble({**sources(CART, BIRTHDAY, DRAFT, templates=TEMPLATES), "campaigns/people/ana.yaml": ANA})


def inside(**changes: Any) -> Enrolment:
    return replace(Enrolment(1, "cart", "", 1, NOW, start={"value": 30}, node="reminder", since=NOW), **changes)


def bought(value: float) -> dict[str, list[Event]]:
    return {"Cart Abandoned": [Event(1, "Cart Abandoned", NOW, {"value": value})]}


@pytest.mark.parametrize(
    ("snapshot", "mails"),
    [
        (Snapshot(HER), {"cart/reminder", "cart/buyer", "cart/other"}),
        (Snapshot(replace(HER, attributes={"city": "Ghent"})), {"cart/reminder", "cart/local"}),
        (Snapshot(replace(HER, attributes={"birthday": "1990-04-01"})), {"birthday/wish", "cart/other"}),
        (Snapshot(HER, history=bought(3)), {"cart/reminder"}),  # she could fill another cart
        (Snapshot(replace(HER, paused_until=NOW + timedelta(days=9))), {"cart/reminder"}),
        (Snapshot(HER, enrolments=[inside(visits={"reminder": 1})]), {"cart/buyer", "cart/other"}),
        (Snapshot(HER, enrolments=[inside(node="other")]), {"cart/other"}),
        (Snapshot(HER, enrolments=[inside(held_out=True)]), set()),
        (Snapshot(HER, enrolments=[inside(state=EnrolmentState.ENDED)]), {"cart/reminder"}),
        (Snapshot(replace(HER, consent=Consent.WITHDRAWN)), set()),
        (Snapshot(replace(HER, suppressed=SuppressionReason.BOUNCED)), set()),
        (Snapshot(replace(HER, opted_out=frozenset({"tips"}))), set()),
        (Snapshot(replace(HER, email=None)), set()),
    ],
)
def test_who_could_get_what(applied: Applied, snapshot: Snapshot, mails: set[str]) -> None:
    outcomes: dict[str, Outcome] = {}
    Audience(applied, NOW).look(snapshot, outcomes)
    assert mails <= outcomes.keys() if mails else not outcomes
    assert all(not outcome.missing and outcome.mails == 1 for outcome in outcomes.values())
    if "cart/local" in mails:
        assert outcomes.keys() == mails  # what she has decides between the ways, what she may do does not
    if snapshot.enrolments and mails and "cart/reminder" not in mails:
        assert "cart/reminder" not in outcomes


def test_nobody_enters_a_second_time_where_once_is_enough(applied: Applied) -> None:
    once = assemble({**sources(CART.replace("if: event", "again: never, if: event"), templates=TEMPLATES)})
    outcomes: dict[str, Outcome] = {}
    Audience(once, NOW).look(Snapshot(HER, past={"cart": PastEnrolment("cart", NOW, 1)}), outcomes)
    assert outcomes == {}
    assert list(live_mails(applied)) == ["cart/reminder", "cart/local", "cart/buyer", "cart/other", "birthday/wish"]


def test_without_data_of_any_start_only_mails_that_need_none_are_made() -> None:
    alone = assemble(sources(CART.replace(", if: event.value >= 15", ""), templates=TEMPLATES))
    outcomes: dict[str, Outcome] = {}
    Audience(alone, NOW).look(Snapshot(HER), outcomes)
    assert outcomes.keys() == {"cart/buyer", "cart/other"}
    Audience(alone, NOW).look(Snapshot(HER, history=bought(3)), outcomes)
    assert outcomes["cart/reminder"].mails == 1


def test_reasons_do_not_pile_up() -> None:
    outcome = Outcome()
    for number in range(MOST_TOLD + 5):
        outcome.failed(number + 1, f"reason {number}")
    assert len(outcome.missing) == MOST_TOLD + 1
    assert outcome.not_made == MOST_TOLD + 5
    assert outcome.missing["other reasons"].contact_id == MOST_TOLD + 1


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Nine contacts, looked at two at a time; every third is from nowhere."""
    monkeypatch.setattr(module, "PAGE", 2)
    monkeypatch.setattr(module, "FEW", 0)
    cities = [{"city": "Ghent" * (n % 3)} for n in range(9)]
    lines = [
        ImportedContact(f"p{n}@people.example", None, city, None, None, None, Consent.GRANTED)
        for n, city in enumerate(cities)
    ]
    with Database(f"sqlite:///{tmp_path}/people.db") as database:
        schema.upgrade(database)
        database.transact(lambda tx: import_contacts(tx, lines, NOW, "people.csv"))
        yield database


def test_what_keeps_mails_from_being_made_is_counted_over_everybody(people: Database, applied: Applied) -> None:
    told: list[int] = []
    found = everybody(people, applied, NOW, progress=told.append)
    assert told == [2, 4, 6, 8, 9]
    assert found.contacts == 9
    local = found.outcomes["cart/local"]
    assert (local.mails, local.not_made, local.heaviest > 0) == (6, 3, True)
    (problem,) = problems_of(found, applied)
    assert (problem.code, problem.severity, problem.file) == ("N458", "warning", "email_templates/local.html")
    assert problem.message.startswith("cart/local cannot be made for 3 of 9 (contact 1): ")
    assert "needs `contact.city`, which is blank for this person" in problem.message
    assert "@" not in problem.message


@pytest.mark.lab
def test_processes_share_the_work_and_the_answer_is_the_same(people: Database, applied: Applied) -> None:
    assert everybody(people, applied, NOW, workers=2) == everybody(people, applied, NOW)

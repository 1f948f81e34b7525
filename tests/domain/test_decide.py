"""One whole turn: order within it, nothing but its effects, and the rules that hold over all steps."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from nurture.domain.decide import decide
from nurture.domain.event import Event
from nurture.domain.ledger import FactKind
from nurture.domain.snapshot import Snapshot
from nurture.testing.worlds import Life, contact, programme

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
RULES = programme(
    """\
start: {event: X}
stop: {event: Stop}
steps:
  - {id: one, send: a/one}
  - wait: 1 day
  - {id: two, send: a/two}
"""
)


def snapshot(*events: Event, **more: object) -> Snapshot:
    return Snapshot(contact=contact(created=NOW), pending=events, **more)


def test_a_turn_plans_the_mail_and_leaves_the_person_waiting_for_it() -> None:
    turn = decide(RULES, snapshot(Event(5, "X", NOW)), NOW)
    (delivery,), (enrolment,) = turn.deliveries, turn.enrolments
    assert turn.processed == [5]
    assert (delivery.contact_id, delivery.seq, delivery.enrolment, delivery.visit) == (1, 2, 1, 1)
    assert (delivery.due_at, delivery.not_before, delivery.expires_at) == (NOW, NOW, NOW + timedelta(days=3))
    assert (enrolment.node, enrolment.in_flight, enrolment.due_at) == ("one", 2, None)
    assert turn.contact.next_seq == 3
    assert turn.contact.due_at is None


def test_a_turn_with_nothing_to_do_changes_nothing() -> None:
    first = decide(RULES, snapshot(), NOW)
    second = decide(RULES, Snapshot(contact=first.contact), NOW)
    assert second.contact == first.contact
    assert second.facts == []
    assert second.enrolments == []


def test_the_snapshot_of_the_caller_keeps_its_history_and_mails() -> None:
    given = snapshot(Event(5, "X", NOW), history={"E": [Event(1, "E", NOW)]})
    before = pickle.dumps((given.history, given.mails, given.past, given.received))
    decide(RULES, given, NOW)
    assert pickle.dumps((given.history, given.mails, given.past, given.received)) == before


def test_a_stop_of_the_same_turn_comes_before_the_mail() -> None:
    turn = decide(RULES, snapshot(Event(5, "X", NOW), Event(6, "Stop", NOW + timedelta(seconds=1))), NOW)
    assert turn.deliveries == []
    assert turn.processed == [5, 6]


def test_events_of_the_same_instant_are_told_apart_by_their_order() -> None:
    stopped = decide(RULES, snapshot(Event(5, "X", NOW), Event(6, "Stop", NOW)), NOW)
    started = decide(RULES, snapshot(Event(5, "Stop", NOW), Event(6, "X", NOW)), NOW)
    assert (len(stopped.deliveries), len(started.deliveries)) == (0, 1)


def test_a_contact_that_would_spin_waits_a_second() -> None:
    turn = decide(RULES, snapshot(Event(5, "X", NOW)), NOW)
    enrolment = replace(turn.enrolments[0], in_flight=None, node="two", due_at=NOW - timedelta(hours=1))
    rules = replace(RULES, caps=())
    after = decide(rules, Snapshot(contact=turn.contact, enrolments=[enrolment]), NOW)
    assert after.contact.due_at is None or after.contact.due_at > NOW


def test_every_node_that_ends_says_so() -> None:
    life = Life(RULES)
    life.event("X")
    life.until("+2 days")
    kinds = [fact.kind for fact in life.person.ledger if fact.campaign == "c"]
    mailed = [FactKind.PLANNED, FactKind.SENT]
    assert kinds == [FactKind.ENROLLED, *mailed, FactKind.WENT_ON, *mailed, FactKind.LEFT]


@pytest.mark.parametrize(
    "properties",
    [
        {"topic": ["a"]}, {"topic": {"a": 1}}, {"campaign": {}}, {"campaign": None}, {"key": [1]}, {"with": "text"},
        {"id": 10**400}, {"value": float("nan")}, {"": None}, {"items": [[[]]]},
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "name",
    [
        "nurture.enrol", "nurture.eject", "nurture.unsubscribed", "nurture.resubscribed", "nurture.bounced",
        "nurture.complained", "nurture.wake", "nurture.unheard-of", "", "X", "Newsletter Subscribed",
    ],
)  # fmt: skip
def test_odd_events_are_processed_and_harm_nobody(name: str, properties: dict[str, object]) -> None:
    turn = decide(RULES, snapshot(Event(5, name, NOW, properties)), NOW)
    assert turn.processed == [5]


def test_a_turn_can_be_taken_anywhere_and_comes_out_the_same() -> None:
    given = snapshot(Event(5, "X", NOW), Event(6, "Newsletter Subscribed", NOW))
    elsewhere = pickle.loads(pickle.dumps((RULES, given, NOW)))
    assert decide(*elsewhere) == decide(RULES, given, NOW)

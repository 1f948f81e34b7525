"""Turns in batches: one person's trouble stays hers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from nurture.domain.decide import decide
from nurture.domain.ledger import FactKind, Reason
from nurture.domain.snapshot import Turn
from nurture.engine import advance as engine
from nurture.engine.ingest import IncomingEvent
from nurture.testing.house import House
from nurture.testing.smtp import ScriptedServer

Build = Callable[..., House]
PEOPLE = [f"p{number}@people.example" for number in range(5)]
POISON = PEOPLE[2]


@pytest.fixture
def server() -> Any:
    with ScriptedServer() as running:
        yield running


def raising(programme: Any, snapshot: Any, now: Any) -> Turn:
    if snapshot.contact.email == POISON:
        raise RuntimeError("odd data \0 \ud800")
    return decide(programme, snapshot, now)


def unstorable(programme: Any, snapshot: Any, now: Any) -> Turn:
    turn = decide(programme, snapshot, now)
    if snapshot.contact.email == POISON:
        return replace(turn, contact=replace(turn.contact, attributes={"score": float("nan")}))
    return turn


def untrue(programme: Any, snapshot: Any, now: Any) -> Turn:
    """Breaks a rule of the table itself."""
    turn = decide(programme, snapshot, now)
    if snapshot.contact.email == POISON:
        return replace(turn, contact=replace(turn.contact, next_seq=-1))
    return turn


@pytest.mark.parametrize("trouble", [raising, unstorable, untrue])
def test_somebody_whose_turn_fails_holds_nobody_up_and_is_put_off(
    build: Build, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, trouble: Any
) -> None:
    house = build(server=server)
    house.consenting(*PEOPLE)
    monkeypatch.setattr(engine, "decide", trouble)
    house.take(*(IncomingEvent(name="Signed Up", email=email) for email in PEOPLE))
    done = house.drain()
    assert [contact for contact, _ in done.failures] == [house.id_of(POISON)]
    assert done.turns == len(PEOPLE) + len(PEOPLE) - 1  # each once, and once more for those whose mail has gone
    assert sorted(mail.recipient for mail in server.messages) == sorted(set(PEOPLE) - {POISON})
    assert [fact.reason for fact in house.facts(POISON, FactKind.FAILED)] == [Reason.ERROR]
    house.pass_time("+30 minutes")
    assert house.drain().turns == 0
    monkeypatch.undo()
    house.pass_time("+30 minutes")
    house.drain()
    assert len(server.messages) == len(PEOPLE), "once the trouble is mended nothing is lost"


def test_a_new_event_gives_somebody_who_was_put_off_another_try_and_no_more(
    build: Build, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build(server=server)
    house.consenting(POISON)
    monkeypatch.setattr(engine, "decide", raising)
    house.tell("Signed Up", POISON)
    house.drain()
    house.pass_time("+1 minute")
    house.tell("Signed Up", POISON)
    assert house.drain().turns == 1
    assert len(house.facts(POISON, FactKind.FAILED)) == 2


def test_the_end_of_a_mail_is_not_forgotten_when_the_turn_that_sees_it_fails(
    build: Build, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build("start: {event: Signed Up}\nsteps:\n  - {id: a, send: a}\n  - {id: b, send: b}\n", server=server)
    house.consenting(POISON)
    house.tell("Signed Up", POISON)
    house.advance()
    monkeypatch.setattr(engine, "decide", raising)
    house.drain()
    assert len(server.messages) == 1
    monkeypatch.undo()
    house.pass_time("+1 hour")
    house.drain()
    assert [record.delivery.step for record in house.mails(POISON)] == ["a", "b"]


def test_somebody_whose_rows_cannot_be_read_holds_nobody_up(build: Build, server: ScriptedServer) -> None:
    house = build("start: {event: Signed Up}\nsteps:\n  - wait: 1 day\n  - {id: a, send: a}\n", server=server)
    house.consenting(*PEOPLE)
    house.take(*(IncomingEvent(name="Signed Up", email=email) for email in PEOPLE))
    house.drain()
    with house.database.write() as tx:
        broken = text("""UPDATE enrolments SET grants = '{"x": {"of": "a later version"}}' WHERE contact_id = :id""")
        tx.execute(broken, {"id": house.id_of(POISON)})
    house.pass_time("+1 day")
    done = house.drain()
    assert [contact for contact, _ in done.failures] == [house.id_of(POISON)]
    assert len(server.messages) == len(PEOPLE) - 1


def test_a_thousand_people_are_advanced_in_batches_without_a_pause(build: Build) -> None:
    house = build("start: {event: Signed Up}\nsteps:\n  - wait: 1 day\n  - {id: a, send: a}\n")
    house.take(*(IncomingEvent(name="Signed Up", email=f"p{n}@people.example") for n in range(1000)))
    assert house.drain().turns == 1000
    assert house.drain().turns == 0

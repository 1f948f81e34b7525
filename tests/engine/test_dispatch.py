"""What the wire does, and what becomes of the mail: state, ledger, attempt and the time of the next try."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from nurture.domain.contact import SuppressionReason
from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import FactKind, Reason
from nurture.engine.advance import advance
from nurture.engine.ingest import IncomingEvent
from nurture.engine.pump import Role
from nurture.storage.contacts import upsert
from nurture.storage.identities import Identity
from nurture.storage.suppressions import suppression_of
from nurture.testing.house import ANA, House
from nurture.testing.outgoing import brisk
from nurture.testing.smtp import Act, ScriptedServer, drop, greylist, hang, raw, say

Build = Callable[..., House]
RECEIPT = """\
start: {event: Signed Up}
steps:
  - {id: receipt, send: receipt, kind: transactional}
"""
AGAIN = """\
start: {event: Signed Up, again: always}
steps:
  - {id: hello, send: hello}
"""
Scripted = Callable[..., ScriptedServer]


def signed_up(house: House) -> House:
    house.consenting()
    house.tell("Signed Up")
    house.drain()
    return house


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - another thread makes it true
            await asyncio.sleep(0.01)


SLOW = {"timeouts": brisk(dot=0.4, data=0.4, rcpt=0.4)}
STARTS = ("Newsletter Subscribed", "Signed Up")
D = DeliveryState
WIRE = {
    "accepted": ({}, D.SENT, "sent accepted", "done", 250, None),
    "another 2xx at the dot": ({"DOT": say("251 fine")}, D.SENT, "sent accepted", "done", 251, None),
    "greeting 554": ({"CONNECT": say("554 go away")}, D.PLANNED, "postponed relay", "connect", 554, 30),
    "drop at connect": ({"CONNECT": drop()}, D.PLANNED, "postponed relay", "connect", None, 30),
    "421 at EHLO": ({"EHLO": say("421 4.3.2 closing")}, D.PLANNED, "postponed relay", "connect", 421, 30),
    "MAIL 451": ({"MAIL": say("451 4.3.0 later")}, D.DEFERRED, "deferred relay", "mail", 451, 300),
    "MAIL 550": ({"MAIL": say("550 5.7.1 not you")}, D.DEFERRED, "deferred sender", "mail", 550, 300),
    "RCPT 452": ({"RCPT": say("452 4.2.2 mailbox full")}, D.DEFERRED, "deferred relay", "rcpt", 452, 300),
    "RCPT 550": ({"RCPT": say("550 5.1.1 no such user")}, D.REJECTED, "rejected address", "rcpt", 550, None),
    "RCPT policy": ({"RCPT": say("550 5.7.1 spam")}, D.REJECTED, "rejected sender", "rcpt", 550, None),
    "RCPT hangs": ({"RCPT": hang()}, D.DEFERRED, "deferred relay", "rcpt", None, 300),
    "DATA 451": ({"DATA": say("451 4.3.0 later")}, D.DEFERRED, "deferred relay", "data", 451, 300),
    "DATA drop": ({"DATA": drop()}, D.DEFERRED, "deferred relay", "data", None, 300),
    "dot 451": ({"DOT": say("451 4.3.0 later")}, D.DEFERRED, "deferred relay", "dot", 451, 300),
    "dot 421": ({"DOT": say("421 4.3.2 closing").then_close()}, D.DEFERRED, "deferred relay", "dot", 421, 300),
    "dot 554": ({"DOT": say("554 5.6.0 not this")}, D.REJECTED, "rejected content", "dot", 554, None),
    "dot hangs": ({"DOT": hang()}, D.UNKNOWN, "unknown no_reply", "dot", None, None),
    "dot drop": ({"DOT": drop()}, D.UNKNOWN, "unknown no_reply", "dot", None, None),
    "dot garbage": ({"DOT": raw(b"ok then\r\n")}, D.UNKNOWN, "unknown no_reply", "dot", None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", WIRE)
def test_each_behaviour_of_a_relay_has_its_end(build: Build, scripted: Scripted, name: str) -> None:
    script, state, fact, phase, code, again = WIRE[name]
    server = scripted(**script)
    house = signed_up(build(server=server, relay=SLOW))
    record = house.mail()
    assert record.delivery.state is state
    assert fact in house.told()
    (attempt,) = record.attempts
    assert (attempt["phase"], attempt["code"]) == (phase, code)
    if again is None:
        assert record.settled_at == house.now
    else:
        least, most = timedelta(seconds=again), timedelta(seconds=again * 1.21)
        assert least <= record.delivery.not_before - house.now <= most
    assert len(server.messages) == (state in {D.SENT, D.UNKNOWN})


def test_a_mail_of_unknown_fate_counts_and_is_never_sent_again(build: Build, scripted: Scripted) -> None:
    server = scripted(DOT=[drop()])
    house = signed_up(build(AGAIN, server=server, project="caps:\n  - {max: 1, per: 30 days}\n"))
    house.live_until("+1 day")
    house.tell("Signed Up")
    house.live_until("+20 days")
    assert len(server.copies) == 1
    assert [record.delivery.state for record in house.mails()] == [D.UNKNOWN]
    assert "skipped cap" in house.told()


def test_a_receipt_of_unknown_fate_goes_once_more_as_the_very_same_mail(build: Build, scripted: Scripted) -> None:
    server = scripted(DOT=[drop(), drop()])
    house = signed_up(build(RECEIPT, server=server))
    assert house.state() is D.DEFERRED
    house.live_until("+14 minutes")
    assert len(server.copies) == 1
    house.take(IncomingEvent(email=ANA, traits={"first_name": "Anna"}))
    house.apply({name: words.replace("Hello", "Other words") for name, words in house.files.items()})
    house.live_until("+1 day")
    first, second = server.copies
    assert first.data == second.data, "though what it was made from has changed"
    assert (first.sender, first.recipients) == (second.sender, second.recipients)
    assert house.state() is D.UNKNOWN
    assert [told for told in house.told() if told.startswith("unknown")] == ["unknown no_reply"]
    assert [told for told in house.told() if told.startswith("deferred")] == ["deferred no_reply"]


def test_a_receipt_of_unknown_fate_stays_unknown_whatever_becomes_of_the_second_copy(
    build: Build, scripted: Scripted
) -> None:
    server = scripted(DOT=[drop(), say("550 5.7.1 spam"), say("250 ok")])
    house = signed_up(build(RECEIPT, server=server))
    house.live_until("+1 day")
    assert len(server.copies) == 2
    assert house.state() is D.UNKNOWN


def test_a_receipt_of_unknown_fate_does_not_go_to_an_address_that_is_no_longer_hers(
    build: Build, scripted: Scripted
) -> None:
    server = scripted(DOT=[drop()])
    house = signed_up(build(RECEIPT, server=server))
    with house.database.write() as tx:
        upsert(tx, [Identity(contact_id=house.id_of(), email="new@people.example", attributes={})], house.now)
    house.live_until("+1 day")
    assert len(server.copies) == 1
    assert house.state("new@people.example") is D.UNKNOWN


def test_what_was_kept_of_a_receipt_goes_when_its_fate_is_known(build: Build, scripted: Scripted) -> None:
    server = scripted(DOT=[drop(), say("451 4.3.0 later"), say("250 ok")])
    house = signed_up(build(RECEIPT, server=server))
    with house.database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM kept_mails")).scalar() == 1
    house.live_until("+1 day")
    assert house.state() is D.SENT
    assert len({copy.data for copy in server.copies}) == 1
    assert len(server.copies) == 3
    with house.database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM kept_mails")).scalar() == 0


def test_a_mail_behind_its_gate_whose_person_leaves_is_cancelled_when_it_comes_back(
    build: Build, scripted: Scripted
) -> None:
    server = scripted()
    house = build(
        "start: {event: Signed Up}\nstop: {event: Bought}\nsteps:\n  - {id: hello, send: hello}\n", server=server
    )

    def leave(_line: str) -> Act | None:
        """She has passed the gate, and buys."""
        house.tell("Bought")
        applied = house.app.applied()
        advance(house.database, applied.programme, applied.needs, house.now)
        return say("451 4.3.0 not now")

    server.script["DOT"] = leave
    signed_up(house)
    assert len(server.copies) == 1
    assert house.state() is D.CANCELLED
    assert house.told()[-1] == "cancelled left_campaign"


def test_greylisting_is_waited_out_with_the_same_return_path(build: Build, scripted: Scripted) -> None:
    server = scripted(RCPT=greylist())
    house = signed_up(build(server=server))
    house.live_until("+10 minutes")
    assert house.state() is D.SENT
    assert len({line for line in server.commands if line.startswith("MAIL")}) == 1
    assert [attempt["no"] for attempt in house.mail().attempts] == [1, 2]


def test_a_dead_address_is_suppressed_by_an_event_of_its_own(build: Build, scripted: Scripted) -> None:
    server = scripted(RCPT=say("550 5.1.1 no such user"))
    house = signed_up(build(AGAIN, server=server))
    with house.database.read() as tx:
        found = suppression_of(tx, ANA)
    assert found is not None
    assert found.reason is SuppressionReason.BOUNCED
    house.pass_time("+1 day")
    house.tell("Signed Up")
    house.live_until("+2 days")
    assert "skipped suppressed" in house.told()
    assert server.commands.count("DATA") <= 1


def test_a_refusal_for_policy_suppresses_nobody(build: Build, scripted: Scripted) -> None:
    house = signed_up(build(server=scripted(RCPT=say("550 5.7.26 unauthenticated mail"))))
    with house.database.read() as tx:
        assert suppression_of(tx, ANA) is None


def test_retries_end_with_the_validity_of_the_mail(build: Build, scripted: Scripted) -> None:
    late = "start: {event: Signed Up}\nsteps:\n  - {id: a, send: a, late: drop after 2 hours}\n  - {id: b, send: b}\n"
    house = build(late, server=scripted(RCPT=say("451 4.3.0 later")))
    signed_up(house)
    house.live_until("+3 hours")
    first = house.mails()[0]
    assert first.delivery.state is D.EXPIRED
    assert "expired retries_exhausted" in house.told()
    assert [record.delivery.step for record in house.mails()] == ["a", "b"]


def test_a_relay_that_is_down_costs_few_connections_and_nobody_a_try(build: Build, scripted: Scripted) -> None:
    people = [f"p{number}@d{number}.example" for number in range(300)]
    server = scripted(CONNECT=drop())
    house = build(server=server)
    house.take(*(IncomingEvent(name="Newsletter Subscribed", email=email) for email in people))
    house.take(*(IncomingEvent(name="Signed Up", email=email) for email in people))
    house.advance()

    async def live() -> None:
        async with house.engine() as engine:
            for _ in range(60):
                await engine.pump.drain()
                house.pass_time("+10 seconds")
            assert server.connections <= 20
            server.script.clear()
            for _ in range(200):
                await engine.pump.drain()
                house.pass_time("+10 seconds")

    asyncio.run(live())
    assert len({mail.recipient for mail in server.messages}) == len(server.messages) == 300
    assert {house.mail(email).tries for email in people[:20]} == {1}  # the one that worked


def test_the_step_of_a_mail_that_cannot_be_built_is_skipped_and_the_campaign_goes_on(
    build: Build, scripted: Scripted
) -> None:
    steps = "start: {event: Signed Up}\nsteps:\n  - {id: a, send: a}\n  - {id: b, send: b}\n"
    greeting = (
        "---\nsubject: Hi {{ contact.first_name }}\npreheader: A few words about the garden and you\n"
        "needs: [contact.first_name]\n---\n"
    )
    body = '<p>{{ postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>\n'
    server = scripted()
    house = build(steps, server=server, templates={"a": greeting + body})
    signed_up(house)
    assert house.mails()[0].delivery.state is D.SKIPPED
    assert "skipped template_error" in house.told()
    assert "template error" in house.journal.events
    assert [record.delivery.step for record in house.mails()] == ["a", "b"]
    assert len(server.messages) == 1


# --- the dispatcher itself


def test_a_mail_whose_relay_hangs_does_not_hold_up_the_others(build: Build, scripted: Scripted) -> None:
    def one_hangs(line: str) -> Act | None:
        return hang() if "slow" in line else None

    server = scripted(RCPT=one_hangs)
    house = build(server=server, relay={"timeouts": brisk(rcpt=60), "connections": 2, "pipelining": False})
    people = ["slow@people.example", *(f"p{number}@people.example" for number in range(40))]
    house.take(*(IncomingEvent(name="Newsletter Subscribed", email=email) for email in people))
    house.drain()
    house.take(IncomingEvent(name="Signed Up", email=people[0]))

    async def live() -> None:
        async with house.engine(grace=0.2) as engine:
            draining = asyncio.create_task(engine.pump.drain())
            await until(lambda: any("slow" in line for line in server.commands))
            await engine.in_thread(house.take, *(IncomingEvent(name="Signed Up", email=one) for one in people[1:]))
            await until(lambda: len(server.messages) >= 40)
            assert not draining.done()
            engine.pump.halt()
            await draining

    asyncio.run(live())
    assert house.state(people[0]) is D.DEFERRED


def test_stopping_gives_back_what_was_claimed_and_loses_nothing(build: Build, scripted: Scripted) -> None:
    server = scripted(RCPT=lambda _line: Act(delay=0.05))
    house = build(server=server, relay={"connections": 1, "pipelining": False})
    people = [f"p{number}@people.example" for number in range(50)]
    house.take(*(IncomingEvent(name="Newsletter Subscribed", email=email) for email in people))
    house.take(*(IncomingEvent(name="Signed Up", email=email) for email in people))
    house.advance()

    async def live() -> None:
        async with house.engine() as engine:
            await engine.pump.tick()
            await until(lambda: len(server.messages) >= 3)

    asyncio.run(live())
    states = [house.state(email) for email in people]
    assert states.count(D.SENT) == len(server.messages) < 50
    assert set(states) == {D.SENT, D.PLANNED}
    house.live_until("+1 minute")
    assert len({mail.recipient for mail in server.messages}) == len(server.messages) == 50


def test_claims_that_come_in_while_stopping_are_given_back_at_once(build: Build, scripted: Scripted) -> None:
    house = build(server=scripted())
    house.consenting()
    house.tell("Signed Up")
    house.advance()

    async def live() -> None:
        async with house.engine() as engine:
            filling = asyncio.create_task(engine.dispatcher.fill(await engine.in_thread(house.app.applied)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await engine.stop(1)
            assert await filling in {0, 1}

    asyncio.run(live())
    assert house.state() in {D.PLANNED, D.SENT}


def test_what_nobody_works_on_any_more_is_not_kept_alive_by_the_heart(
    build: Build, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nurture.engine import dispatch

    monkeypatch.setattr(dispatch, "HEARTBEAT", 0.05)
    server = scripted(DATA=[hang()])
    house = build(server=server, relay={"timeouts": brisk(data=60)})
    house.consenting(ANA, "ben@people.example")
    house.take(IncomingEvent(name="Signed Up", email=ANA), IncomingEvent(name="Signed Up", email="ben@people.example"))
    house.advance()

    async def live() -> None:
        async with house.engine(grace=0.2) as engine:
            await engine.pump.tick()
            await until(lambda: "DATA" in server.commands)
            applied = await engine.in_thread(house.app.applied)
            lost = engine.dispatcher._claim  # a claim whose answer never reaches us
            await engine.in_thread(lost, applied, 10)
            for _ in range(4):
                house.pass_time("+40 seconds")
                await asyncio.sleep(0.2)
            rescued = await engine.in_thread(house.rescue)
            assert rescued.unknown == rescued.again == ()
            assert len(rescued.released) <= 1

    asyncio.run(live())


def test_each_provider_gets_no_more_than_it_may_at_once(build: Build, scripted: Scripted) -> None:
    server = scripted(RCPT=lambda _line: Act(delay=0.03))
    house = build(server=server, relay={"connections": 20, "pipelining": False})
    people = [f"p{number}@big.example" for number in range(30)] + ["last@small.example"]
    house.take(*(IncomingEvent(name="Newsletter Subscribed", email=email) for email in people))
    house.take(*(IncomingEvent(name="Signed Up", email=email) for email in people))
    house.advance()

    async def live() -> None:
        async with house.engine() as engine:
            engine.dispatcher._per_domain = 2
            await engine.pump.drain()

    asyncio.run(live())
    assert len(server.messages) == 31
    assert "last@small.example" in [mail.recipient for mail in server.messages[:8]]
    assert server.most_at_once <= 4


def test_behind_a_backlog_every_other_claim_is_of_the_freshest(build: Build, scripted: Scripted) -> None:
    """A relay was away; who signs up just now does not wait for everybody who did meanwhile."""
    server = scripted()
    house = build(server=server, relay={"connections": 2})
    people = [f"p{number}@people.example" for number in range(40)]
    house.take(*(IncomingEvent(name=name, email=email) for email in people for name in STARTS))
    house.advance()
    house.pass_time("+10 minutes")
    house.take(*(IncomingEvent(name=name, email=ANA) for name in STARTS))
    house.advance()

    async def live() -> None:
        async with house.engine() as engine:
            engine.dispatcher._capacity = 4
            await engine.pump.drain()

    asyncio.run(live())
    order = [mail.recipient for mail in server.messages]
    assert len(order) == 41
    assert order.index(ANA) < 10
    assert order.index(people[0]) < 10, "who has waited longest goes on waiting for nobody"


def test_only_what_a_role_does_is_done(build: Build, scripted: Scripted) -> None:
    server = scripted()
    house = build(server=server)
    house.consenting()
    house.tell("Signed Up")
    assert house.drain(frozenset({Role.DISPATCH})).mails == 0
    assert house.drain(frozenset({Role.ADVANCE})).mails == 0
    assert house.drain(frozenset({Role.DISPATCH})).mails == 1
    assert FactKind.SENT in {fact.kind for fact in house.facts()}
    assert Reason.ACCEPTED in {fact.reason for fact in house.facts()}

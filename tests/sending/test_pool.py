from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller

from nurture.domain.breaker import BreakerState, Pace
from nurture.domain.retry import Attempt, Fault, Phase, classify
from nurture.sending.domain_pace import DomainPaces
from nurture.sending.mail import OutgoingMail
from nurture.sending.relay import Relay, Security
from nurture.sending.transport import SmtpTransport
from nurture.testing.outgoing import BODY, NOW, Gatekeeper, a_mail, brisk, noon, relay_of
from nurture.testing.smtp import EXTENSIONS, ScriptedServer, drop, greylist, hang, say, usual

STEPWISE = [e for e in EXTENSIONS if e != "PIPELINING"]
BOTH = pytest.mark.parametrize("extensions", [EXTENSIONS, STEPWISE], ids=["pipelined", "stepwise"])


class MovableClock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


async def until(condition):
    """The server works in a thread of its own: look until it has got that far."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen within 10 s")


async def send_all(transport, mails, gate=None):
    gate = gate or Gatekeeper()
    return await asyncio.gather(*(transport.send(mail, gate) for mail in mails))


def send_over(relay, mails, gate=None, clock=noon):
    async def go():
        transport = SmtpTransport(relay, clock)
        try:
            return await send_all(transport, mails, gate)
        finally:
            await transport.close(grace=2)

    return asyncio.run(go())


def assert_once_and_whole(server, mails):
    assert Counter(copy.recipient for copy in server.copies) == Counter(mail.recipient for mail in mails)
    assert {copy.data for copy in server.copies} == {mail.data for mail in mails}
    assert server.violations == []


@BOTH
def test_many_mails_arrive_once_and_whole_over_few_connections(extensions):
    mails = [a_mail(n) for n in range(200)]
    with ScriptedServer(extensions=extensions) as server:
        attempts = send_over(relay_of(server, connections=4), mails)
    assert {attempt.phase for attempt in attempts} == {Phase.DONE}
    assert server.connections <= 4
    assert_once_and_whole(server, mails)


@BOTH
def test_refusals_hit_the_right_mail(extensions):
    """A third refused at RCPT, a few at MAIL, DATA and the dot: every verdict belongs to its own mail."""
    mails = [a_mail(n) for n in range(150)]
    script = {"RCPT": lambda line: say("550 5.1.1 no such user") if "9@" in line or "4@" in line else None}
    script |= {"MAIL": [usual()] * 20 + [say("451 4.3.0 later")] * 3, "DATA": [usual()] * 40 + [say("451 4.3.0 later")]}
    with ScriptedServer(script, extensions=extensions) as server:
        attempts = send_over(relay_of(server, connections=3), mails)
    sent = {mail.recipient for mail, attempt in zip(mails, attempts, strict=True) if attempt.phase is Phase.DONE}
    refused = {mail.recipient for mail, attempt in zip(mails, attempts, strict=True) if attempt.phase is Phase.RCPT}
    assert {copy.recipient for copy in server.messages} == sent
    assert all("9@" in one or "4@" in one for one in refused)
    assert len([a for a in attempts if a.phase is Phase.MAIL]) == 3
    assert len([a for a in attempts if a.phase is Phase.DATA]) == 1
    assert max(Counter(copy.recipient for copy in server.copies).values()) == 1
    assert server.violations == []


def test_the_next_envelope_rides_behind_the_body():
    mails = [a_mail(n) for n in range(3)]
    with ScriptedServer({"DOT": usual(delay=0.2)}) as server:
        attempts = send_over(relay_of(server, connections=1), mails)
    assert {attempt.phase for attempt in attempts} == {Phase.DONE}
    assert_once_and_whole(server, mails)
    assert not [line for line in server.commands if line == "RSET"]


def test_every_mail_asks_its_gate_exactly_once_and_before_its_body():
    asked = []

    def gate_of(mail, server):
        async def gate():
            asked.append((mail.recipient, {copy.recipient for copy in server.copies}))
            return True

        return gate

    with ScriptedServer() as server:

        async def go():
            transport = SmtpTransport(relay_of(server, connections=2), noon)
            mails = [a_mail(n) for n in range(20)]
            await asyncio.gather(*(transport.send(mail, gate_of(mail, server)) for mail in mails))
            await transport.close()

        asyncio.run(go())
    assert len(asked) == len({recipient for recipient, _ in asked}) == 20
    assert all(recipient not in arrived for recipient, arrived in asked)


@BOTH
def test_a_shut_gate_lets_nothing_of_the_body_out_and_spoils_no_other_mail(extensions):
    shut, others = a_mail(0), [a_mail(n) for n in range(1, 10)]
    with ScriptedServer(extensions=extensions) as server:

        async def go():
            transport = SmtpTransport(relay_of(server, connections=1), noon)
            refused, *rest = await asyncio.gather(
                transport.send(shut, Gatekeeper(answer=False)), *(transport.send(m, Gatekeeper()) for m in others)
            )
            await transport.close()
            return refused, rest

        refused, rest = asyncio.run(go())
    assert (refused.phase, refused.fault) == (Phase.GATE, Fault.GATE_SHUT)
    assert {attempt.phase for attempt in rest} == {Phase.DONE}
    assert_once_and_whole(server, others)


def test_an_error_in_the_gate_is_passed_on_and_nothing_goes():
    async def broken():
        raise OSError("the database is gone")

    with ScriptedServer() as server:

        async def go():
            transport = SmtpTransport(relay_of(server, connections=1), noon)
            with pytest.raises(OSError, match="database"):
                await transport.send(a_mail(0), broken)
            after = await transport.send(a_mail(1), Gatekeeper())
            await transport.close()
            return after

        assert asyncio.run(go()).phase is Phase.DONE
    assert [copy.recipient for copy in server.copies] == [a_mail(1).recipient]


def test_a_connection_carries_only_so_many_mails():
    mails = [a_mail(n) for n in range(50)]
    with ScriptedServer() as server:
        send_over(relay_of(server, connections=1, messages=20), mails)
    assert server.connections == 3
    assert Counter(copy.connection for copy in server.copies) == {1: 20, 2: 20, 3: 10}
    assert_once_and_whole(server, mails)


@BOTH
def test_a_server_that_hangs_up_after_some_mails_loses_and_doubles_none(extensions):
    """It says 421 to every eighth MAIL: what had not begun there is begun again on a fresh connection."""
    mails = [a_mail(n) for n in range(60)]
    seen = Counter()

    def every_eighth(_line):
        seen["mail"] += 1
        return say("421 4.4.2 that was enough").then_close() if seen["mail"] % 8 == 0 else None

    with ScriptedServer({"MAIL": every_eighth}, extensions=extensions) as server:
        attempts = send_over(relay_of(server, connections=2), mails)
    done = [mail for mail, attempt in zip(mails, attempts, strict=True) if attempt.phase is Phase.DONE]
    assert len(done) >= 58
    assert_once_and_whole(server, done)


def test_a_kept_connection_that_died_meanwhile_costs_no_try():
    with ScriptedServer({"MAIL": [usual(), drop()]}) as server:

        async def go():
            transport = SmtpTransport(relay_of(server, connections=1), noon)
            attempts = [await transport.send(a_mail(n), Gatekeeper()) for n in range(3)]
            await transport.close()
            return attempts

        assert {attempt.phase for attempt in asyncio.run(go())} == {Phase.DONE}
    assert server.connections == 2
    assert len(server.copies) == 3


@BOTH
@pytest.mark.parametrize("last", [drop(), say("421 4.3.2 closing").then_close()], ids=["silence", "421"])
def test_a_kept_connection_that_dies_at_the_dot_is_never_a_reason_to_begin_again(last, extensions):
    with ScriptedServer({"DOT": [usual(), last]}, extensions=extensions) as server:

        async def go():
            transport = SmtpTransport(relay_of(server, connections=1), noon)
            attempts = [await transport.send(a_mail(n), Gatekeeper()) for n in range(2)]
            await transport.close()
            return attempts

        first, second = asyncio.run(go())
    assert (first.phase, second.phase) == (Phase.DONE, Phase.DOT)
    assert len(server.copies) == 2


def test_a_fresh_connection_that_dies_is_reported():
    with ScriptedServer({"MAIL": drop()}) as server:
        (attempt,) = send_over(relay_of(server), [a_mail()])
    assert (attempt.phase, attempt.fault, server.connections) == (Phase.MAIL, Fault.CLOSED, 1)


def test_the_mail_behind_an_unanswered_dot_is_begun_again_elsewhere():
    with ScriptedServer({"DOT": [drop()]}) as server:
        attempts = send_over(relay_of(server, connections=1), [a_mail(n) for n in range(3)])
    assert [attempt.phase for attempt in attempts] == [Phase.DOT, Phase.DONE, Phase.DONE]
    assert Counter(copy.recipient for copy in server.copies) == Counter(a_mail(n).recipient for n in range(3))


def test_an_idle_connection_says_goodbye():
    with ScriptedServer() as server:

        async def go():
            transport = SmtpTransport(relay_of(server, idle=0.05), noon)
            await transport.send(a_mail(), Gatekeeper())
            await until(lambda: "QUIT" in server.commands)
            again = await transport.send(a_mail(1), Gatekeeper())
            await transport.close()
            return again

        assert asyncio.run(go()).phase is Phase.DONE
    assert server.commands.count("QUIT") == 2
    assert server.connections == 2


def test_a_relay_that_is_down_is_left_alone_after_five_failures_and_probed_later():
    clock = MovableClock()

    async def go(relay):
        transport = SmtpTransport(relay, clock)
        first = await send_all(transport, [a_mail(n) for n in range(200)])
        clock.now += timedelta(seconds=29)
        early = await send_all(transport, [a_mail(n) for n in range(50)])
        clock.now += timedelta(seconds=2)
        probing = await send_all(transport, [a_mail(n) for n in range(50)])
        await transport.close()
        return first, early, probing

    with ScriptedServer({"CONNECT": say("421 4.3.2 down")}) as server:
        first, early, probing = asyncio.run(go(relay_of(server, connections=5)))
        tried = [a for a in first + early + probing if a.fault is not Fault.HELD]
        assert server.connections == len(tried)
    assert 5 <= len([a for a in first if a.fault is not Fault.HELD]) <= 10
    assert all(a.fault is Fault.HELD for a in early)
    assert len([a for a in probing if a.fault is not Fault.HELD]) == 1
    assert not any(classify(a).uses_try for a in first + early + probing)


def test_a_good_probe_opens_the_way_again():
    clock = MovableClock()

    async def go(relay):
        transport = SmtpTransport(relay, clock)
        await send_all(transport, [a_mail(n) for n in range(20)])
        assert transport.health.breaker.state is BreakerState.OPEN
        clock.now += timedelta(seconds=31)
        (probe,) = await send_all(transport, [a_mail(100)])
        after = await send_all(transport, [a_mail(n) for n in range(200, 220)])
        await transport.close()
        return probe, after

    with ScriptedServer({"CONNECT": [say("421 down")] * 5}) as server:
        probe, after = asyncio.run(go(relay_of(server, connections=1)))
    assert probe.phase is Phase.DONE
    assert {attempt.phase for attempt in after} == {Phase.DONE}


def test_closing_holds_what_waits_and_finishes_what_is_on_the_wire():
    async def go(server):
        transport = SmtpTransport(relay_of(server, connections=1, pipelining=False), noon)
        sends = [asyncio.create_task(transport.send(a_mail(n), Gatekeeper())) for n in range(3)]
        await until(lambda: "DATA" in server.commands)
        await transport.close(grace=5)
        late = await transport.send(a_mail(9), Gatekeeper())
        return [*await asyncio.gather(*sends), late]

    with ScriptedServer({"DOT": usual(delay=0.2)}) as server:
        first, *others = asyncio.run(go(server))
    assert first.phase is Phase.DONE
    assert {attempt.fault for attempt in others} == {Fault.HELD}
    assert len(server.copies) == 1


def test_closing_by_force_after_the_dot_leaves_the_mail_unknown_not_lost():
    async def go(server):
        transport = SmtpTransport(relay_of(server), noon)
        send = asyncio.create_task(transport.send(a_mail(), Gatekeeper()))
        await until(lambda: server.copies)
        await transport.close(grace=0.05)
        return await send

    with ScriptedServer({"DOT": hang()}) as server:
        attempt = asyncio.run(go(server))
    assert (attempt.phase, attempt.fault) == (Phase.DOT, Fault.CLOSED)


def test_greylisting_is_passed_on_the_second_try_with_the_same_sender():
    with ScriptedServer({"RCPT": greylist()}) as server:
        relay = relay_of(server)
        first, second = send_over(relay, [a_mail()])[0], send_over(relay, [a_mail()])[0]
    assert (first.code, second.phase) == (451, Phase.DONE)
    assert len({line.split()[1] for line in server.commands if line.startswith("MAIL")}) == 1


def test_a_slow_relay_does_not_slow_another_one():
    async def go(slow, quick):
        first = SmtpTransport(relay_of(slow, timeouts=brisk(dot=30)), noon)
        second = SmtpTransport(relay_of(quick), noon)
        waiting = asyncio.create_task(first.send(a_mail(), Gatekeeper()))
        await until(lambda: slow.copies)
        attempts = await asyncio.wait_for(send_all(second, [a_mail(n) for n in range(20)]), 5)
        assert not waiting.done()
        await first.close(grace=0)
        await second.close()
        await waiting
        return attempts

    with ScriptedServer({"DOT": hang()}) as slow, ScriptedServer() as quick:
        assert {attempt.phase for attempt in asyncio.run(go(slow, quick))} == {Phase.DONE}


# --- what the server can and cannot do -------------------------------------------------------------------------------


def test_a_mail_larger_than_the_server_takes_is_not_even_begun():
    with ScriptedServer(extensions=["SIZE 100"]) as server:
        big, small = send_over(relay_of(server), [a_mail(0, b"A: b\r\n\r\n" + b"x" * 100 + b"\r\n"), a_mail(1)])
    assert (big.phase, big.fault) == (Phase.MAIL, Fault.TOO_BIG)
    assert small.phase is Phase.DONE
    assert [line.rpartition(" ")[2] for line in server.commands if line.startswith("MAIL")] == [f"SIZE={len(BODY)}"]


def test_a_local_part_beyond_ascii_needs_smtputf8():
    mail = OutgoingMail("b+t@shop.example", "änä@mail.example", b"A: b\r\n\r\nx\r\n", needs_smtputf8=True)
    with ScriptedServer(extensions=["SMTPUTF8", "8BITMIME", "DSN"]) as able, ScriptedServer(extensions=[]) as unable:
        taken, refused = send_over(relay_of(able), [mail])[0], send_over(relay_of(unable), [mail])[0]
    assert taken.phase is Phase.DONE
    assert able.messages[0].recipient == "änä@mail.example"
    assert "SMTPUTF8" in able.messages[0].mail_params
    assert (refused.phase, refused.fault) == (Phase.MAIL, Fault.UNSUPPORTED)
    assert not [line for line in unable.commands if line.startswith("MAIL")]


def test_dsn_is_asked_for_where_it_is_offered():
    with ScriptedServer(extensions=["DSN"]) as able, ScriptedServer(extensions=[]) as unable:
        send_over(relay_of(able), [a_mail()])
        send_over(relay_of(unable), [a_mail()])
    assert able.messages[0].mail_params == ("RET=HDRS", "ENVID=9.0")
    assert able.messages[0].rcpt_params == ("NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;ana0@mail.example")
    assert unable.messages[0].mail_params == unable.messages[0].rcpt_params == ()


def test_eight_bit_bytes_go_only_where_they_may():
    mail = a_mail(0, "Subject: x\r\n\r\nhyvää päivää\r\n".encode())
    with ScriptedServer(extensions=["8BITMIME"]) as able, ScriptedServer(extensions=[]) as unable:
        taken, refused = send_over(relay_of(able), [mail])[0], send_over(relay_of(unable), [mail])[0]
    assert (taken.phase, refused.fault) == (Phase.DONE, Fault.UNSUPPORTED)
    assert able.messages[0].mail_params == ("BODY=8BITMIME",)


def test_nothing_is_said_before_its_turn_where_pipelining_is_switched_off():
    with ScriptedServer({"MAIL": usual(delay=0.05)}) as server:
        server.extensions = EXTENSIONS
        send_over(relay_of(server, pipelining=False, connections=1), [a_mail(n) for n in range(3)])
        assert len(server.messages) == 3
    assert [line.split(" ")[0].split(":")[0] for line in server.commands] == [
        "EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"
    ]  # fmt: skip


def test_another_server_agrees_that_we_speak_smtp():
    """aiosmtpd instead of our own server, with a third of the mails refused at RCPT and a few after DATA."""
    got, bodies = Counter(), {}

    class Handler:
        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("ana3"):
                return "550 5.1.1 no such user"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server, session, envelope):
            recipient = envelope.rcpt_tos[0]
            got[recipient] += 1
            bodies[recipient] = envelope.original_content
            return "552 5.3.4 too big" if recipient.startswith("ana5") else "250 OK"

    controller = Controller(Handler(), hostname="127.0.0.1", port=0, enable_SMTPUTF8=True)
    controller.port = free_port()
    controller.start()
    try:
        mails = [a_mail(n) for n in range(60)]
        relay = Relay("127.0.0.1", controller.port, Security.OFF, connections=3, timeouts=brisk())
        attempts = send_over(relay, mails)
    finally:
        controller.stop()
    for mail, attempt in zip(mails, attempts, strict=True):
        if mail.recipient.startswith("ana3"):
            assert (attempt.phase, attempt.code, got[mail.recipient]) == (Phase.RCPT, 550, 0)
            continue
        assert got[mail.recipient] == 1
        assert bodies[mail.recipient] == mail.data
        refused = mail.recipient.startswith("ana5")
        assert (attempt.phase, attempt.code) == ((Phase.DOT, 552) if refused else (Phase.DONE, 250))


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


# --- pace per provider -----------------------------------------------------------------------------------------------


def test_a_provider_is_never_sent_more_at_once_than_its_pace():
    async def go():
        paces, busy, most = DomainPaces(Pace(limit=2)), Counter(), Counter()

        async def one(recipient):
            async with paces.slot(recipient):
                provider = recipient.split("@")[1][:5]
                busy[provider] += 1
                most[provider] = max(most[provider], busy[provider])
                await asyncio.sleep(0.001)
                busy[provider] -= 1

        await asyncio.gather(*(one(f"ana{n}@{d}") for n in range(20) for d in ("gmail.com", "shop.example")))
        return most

    assert asyncio.run(go()) == {"gmail": 2, "shop.": 2}


def test_a_provider_that_asks_for_less_gets_less():
    async def go():
        paces = DomainPaces(Pace(limit=8))
        async with paces.slot("ana@gmail.com"):
            paces.learn("ana@gmail.com", Attempt(Phase.RCPT, 421, "4.7.28", "unusual rate of mail"))
        return paces.limit("ville@googlemail.com"), paces.limit("ana@shop.example")

    assert asyncio.run(go()) == (4, 8)


def test_somebody_who_gives_up_waiting_gives_the_place_away():
    async def go():
        paces = DomainPaces(Pace(limit=1))
        entered = []

        async def one(name):
            async with paces.slot("ana@gmail.com"):
                entered.append(name)
                await asyncio.sleep(0.01)

        first, second, third = (asyncio.create_task(one(n)) for n in range(3))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(first, third)
        return entered

    assert asyncio.run(go()) == [0, 2]


def test_the_pace_counts_for_mails_over_smtp():
    async def go(server):
        transport = SmtpTransport(relay_of(server, connections=10), noon, paces=DomainPaces(Pace(limit=2, maximum=2)))
        attempts = await send_all(transport, [a_mail(n) for n in range(20)])
        await transport.close()
        return attempts

    with ScriptedServer() as server:
        assert {attempt.phase for attempt in asyncio.run(go(server))} == {Phase.DONE}
    assert server.most_at_once <= 2

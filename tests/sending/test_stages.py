"""Every stage and misbehaviour: what the attempt says, what it means, and whether the server has a copy."""

from __future__ import annotations

import asyncio

import pytest

from nurture.domain.delivery import DeliveryState as S
from nurture.domain.retry import Fault as F
from nurture.domain.retry import Phase as P
from nurture.domain.retry import Scope, classify
from nurture.testing.outgoing import a_mail, brisk
from nurture.testing.smtp import EXTENSIONS, Act, ScriptedServer, drop, drop_in_body, hang, raw, say, usual

DOWN, WRONG = Scope.RELAY_DOWN, Scope.RELAY_MISCONFIGURED
LONG = b"250-" + b"x" * 70 + b"\r\n"

# name: (script, stage, code, fault, state, scope, copies the server has)
ROWS = {
    "everything is fine": ({}, P.DONE, 250, None, S.SENT, None, 1),
    "greeting 421": ({"CONNECT": say("421 4.3.2 busy")}, P.CONNECT, 421, None, S.DEFERRED, DOWN, 0),
    "greeting 554": ({"CONNECT": say("554 no service")}, P.CONNECT, 554, None, S.DEFERRED, DOWN, 0),
    "no greeting": ({"CONNECT": hang()}, P.CONNECT, None, F.TIMED_OUT, S.DEFERRED, DOWN, 0),
    "hang-up instead of a greeting": ({"CONNECT": drop()}, P.CONNECT, None, F.CLOSED, S.DEFERRED, DOWN, 0),
    "a web server greets": ({"CONNECT": raw(b"HTTP/1.1 400\r\n")}, P.CONNECT, None, F.GARBAGE, S.DEFERRED, DOWN, 0),
    "EHLO 421": ({"EHLO": say("421 closing").then_close()}, P.CONNECT, 421, None, S.DEFERRED, DOWN, 0),
    "EHLO 451": ({"EHLO": say("451 later")}, P.CONNECT, 451, None, S.DEFERRED, DOWN, 0),
    "EHLO 554": ({"EHLO": say("554 not you")}, P.CONNECT, 554, None, S.DEFERRED, DOWN, 0),
    "EHLO unknown, HELO fine": ({"EHLO": say("502 what")}, P.DONE, 250, None, S.SENT, None, 1),
    "EHLO unknown, HELO too": (
        {"EHLO": say("502 what"), "HELO": say("502 what")}, P.CONNECT, 502, None, S.DEFERRED, DOWN, 0
    ),
    "EHLO hangs": ({"EHLO": hang()}, P.CONNECT, None, F.TIMED_OUT, S.DEFERRED, DOWN, 0),
    "EHLO drops": ({"EHLO": drop()}, P.CONNECT, None, F.CLOSED, S.DEFERRED, DOWN, 0),
    "MAIL 421": ({"MAIL": say("421 4.3.2 closing").then_close()}, P.MAIL, 421, None, S.DEFERRED, DOWN, 0),
    "MAIL 421 for the rate": (
        {"MAIL": say("421 4.7.0 too many messages").then_close()}, P.MAIL, 421, None, S.DEFERRED, Scope.DOMAIN, 0
    ),
    "MAIL 451": ({"MAIL": say("451 4.3.0 later")}, P.MAIL, 451, None, S.DEFERRED, DOWN, 0),
    "MAIL 530": ({"MAIL": say("530 5.7.0 log in first")}, P.MAIL, 530, None, S.DEFERRED, WRONG, 0),
    "MAIL 550": ({"MAIL": say("550 5.7.1 not your name")}, P.MAIL, 550, None, S.DEFERRED, Scope.SENDER, 0),
    "MAIL 552": ({"MAIL": say("552 5.3.4 too big")}, P.MAIL, 552, None, S.REJECTED, Scope.MESSAGE, 0),
    "MAIL hangs": ({"MAIL": hang()}, P.MAIL, None, F.TIMED_OUT, S.DEFERRED, DOWN, 0),
    "MAIL drops": ({"MAIL": drop()}, P.MAIL, None, F.CLOSED, S.DEFERRED, DOWN, 0),
    "MAIL garbage": ({"MAIL": raw(b"\xff\xfe\x00\r\n")}, P.MAIL, None, F.GARBAGE, S.DEFERRED, DOWN, 0),
    "RCPT 450": ({"RCPT": say("450 4.2.0 later")}, P.RCPT, 450, None, S.DEFERRED, Scope.RECIPIENT, 0),
    "RCPT 451 greylist": ({"RCPT": say("451 4.7.1 greylisted")}, P.RCPT, 451, None, S.DEFERRED, Scope.RECIPIENT, 0),
    "RCPT 452 full": ({"RCPT": say("452 4.2.2 mailbox full")}, P.RCPT, 452, None, S.DEFERRED, Scope.RECIPIENT, 0),
    "RCPT 421": ({"RCPT": say("421 closing").then_close()}, P.RCPT, 421, None, S.DEFERRED, DOWN, 0),
    "RCPT 550": ({"RCPT": say("550 5.1.1 no such user")}, P.RCPT, 550, None, S.REJECTED, Scope.RECIPIENT, 0),
    "RCPT 550 spam": ({"RCPT": say("550 5.7.1 spam")}, P.RCPT, 550, None, S.REJECTED, Scope.SENDER, 0),
    "RCPT 550, then RSET hangs": (
        {"RCPT": say("550 5.1.1 no such user"), "RSET": hang()}, P.RCPT, 550, None, S.REJECTED, Scope.RECIPIENT, 0
    ),
    "RCPT 550 and hang-up": (
        {"RCPT": say("550 5.1.1 no such user").then_close()}, P.RCPT, 550, None, S.REJECTED, Scope.RECIPIENT, 0
    ),
    "RCPT 251": ({"RCPT": say("251 2.1.5 will forward")}, P.DONE, 250, None, S.SENT, None, 1),
    "RCPT 252": ({"RCPT": say("252 2.1.5 cannot verify")}, P.DONE, 250, None, S.SENT, None, 1),
    "RCPT 354": ({"RCPT": say("354 what")}, P.RCPT, 354, None, S.DEFERRED, DOWN, 0),
    "RCPT hangs": ({"RCPT": hang()}, P.RCPT, None, F.TIMED_OUT, S.DEFERRED, DOWN, 0),
    "RCPT drops": ({"RCPT": drop()}, P.RCPT, None, F.CLOSED, S.DEFERRED, DOWN, 0),
    "RCPT garbage": ({"RCPT": raw(b"ok then\r\n")}, P.RCPT, None, F.GARBAGE, S.DEFERRED, DOWN, 0),
    "RCPT many lines": ({"RCPT": say("550-5.1.1 no", "550-5.1.1 such", "550 5.1.1 user")}, P.RCPT, 550, None,
                        S.REJECTED, Scope.RECIPIENT, 0),
    "RCPT lines that disagree": ({"RCPT": say("250-fine", "550 not")}, P.RCPT, None, F.GARBAGE, S.DEFERRED, DOWN, 0),
    "RCPT in seven pieces": ({"RCPT": usual(pieces=7)}, P.DONE, 250, None, S.SENT, None, 1),
    "DATA 451": ({"DATA": say("451 4.3.0 later")}, P.DATA, 451, None, S.DEFERRED, Scope.MESSAGE, 0),
    "DATA 554": ({"DATA": say("554 5.5.1 no")}, P.DATA, 554, None, S.REJECTED, Scope.MESSAGE, 0),
    "DATA 250": ({"DATA": say("250 done")}, P.DATA, 250, None, S.DEFERRED, DOWN, 0),
    "DATA drops": ({"DATA": drop()}, P.DATA, None, F.CLOSED, S.DEFERRED, DOWN, 0),
    "DATA hangs": ({"DATA": hang()}, P.DATA, None, F.TIMED_OUT, S.DEFERRED, DOWN, 0),
    "DATA two replies": ({"DATA": say("354 go", "250 queued")}, P.DATA, None, F.GARBAGE, S.DEFERRED, DOWN, 0),
    "421 while the gate is asked": (
        {"DATA": say("354 go", "421 4.4.2 too slow")}, P.DATA, None, F.GARBAGE, S.DEFERRED, DOWN, 0
    ),
    "dot 250": ({"DOT": say("250 2.0.0 queued as 17")}, P.DONE, 250, None, S.SENT, None, 1),
    "dot 251": ({"DOT": say("251 fine")}, P.DONE, 251, None, S.SENT, None, 1),
    "dot 299": ({"DOT": say("299 fine")}, P.DONE, 299, None, S.SENT, None, 1),
    "dot 250 and hang-up": ({"DOT": usual().then_close()}, P.DONE, 250, None, S.SENT, None, 1),
    "dot 250, then QUIT hangs": ({"QUIT": hang()}, P.DONE, 250, None, S.SENT, None, 1),
    "dot 250, then QUIT garbage": ({"QUIT": raw(b"so long\r\n")}, P.DONE, 250, None, S.SENT, None, 1),
    "dot 250 and garbage behind": ({"DOT": raw(b"250 ok\r\nnonsense\r\n")}, P.DONE, 250, None, S.SENT, None, 1),
    "dot 250 in nine pieces": ({"DOT": usual(pieces=9)}, P.DONE, 250, None, S.SENT, None, 1),
    "dot 250 with bare LF": ({"DOT": raw(b"250 2.0.0 ok\n")}, P.DONE, 250, None, S.SENT, None, 1),
    "dot 250 without text": ({"DOT": raw(b"250\r\n")}, P.DONE, 250, None, S.SENT, None, 1),
    "dot 421": ({"DOT": say("421 4.3.2 closing").then_close()}, P.DOT, 421, None, S.DEFERRED, DOWN, 0),
    "dot 421 for the rate": (
        {"DOT": say("421 4.7.28 unusual rate of mail").then_close()}, P.DOT, 421, None, S.DEFERRED, Scope.DOMAIN, 0
    ),
    "dot 451": ({"DOT": say("451 4.3.0 later")}, P.DOT, 451, None, S.DEFERRED, Scope.MESSAGE, 0),
    "dot 550 policy": ({"DOT": say("550 5.7.26 DMARC")}, P.DOT, 550, None, S.REJECTED, Scope.SENDER, 0),
    "dot 554 content": ({"DOT": say("554 5.6.0 no")}, P.DOT, 554, None, S.REJECTED, Scope.MESSAGE, 0),
    "dot 550, then RSET hangs": (
        {"DOT": say("550 5.1.1 gone"), "RSET": hang()}, P.DOT, 550, None, S.REJECTED, Scope.RECIPIENT, 0
    ),
    "dot drops": ({"DOT": drop()}, P.DOT, None, F.CLOSED, S.UNKNOWN, DOWN, 1),
    "dot hangs": ({"DOT": hang()}, P.DOT, None, F.TIMED_OUT, S.UNKNOWN, DOWN, 1),
    "dot 250 too late": ({"DOT": usual(delay=1.5)}, P.DOT, None, F.TIMED_OUT, S.UNKNOWN, DOWN, 1),
    "dot garbage": ({"DOT": raw(b"thanks!\r\n")}, P.DOT, None, F.GARBAGE, S.UNKNOWN, DOWN, 1),
    "dot 999": ({"DOT": raw(b"999 what\r\n")}, P.DOT, None, F.GARBAGE, S.UNKNOWN, DOWN, 0),
    "dot 354": ({"DOT": Act(reply=b"354 more\r\n")}, P.DOT, None, F.GARBAGE, S.UNKNOWN, DOWN, 0),
    "dot half a reply, then hang-up": ({"DOT": Act(reply=b"250 2.0", close=True)}, P.DOT, None, F.CLOSED, S.UNKNOWN,
                                       DOWN, 1),
    "dot 250- for ever": ({"DOT": Act(reply=LONG * 600)}, P.DOT, None, F.GARBAGE, S.UNKNOWN, DOWN, 1),
    "dot one endless line": ({"DOT": Act(reply=b"250 " + b"y" * 40_000)}, P.DOT, None, F.GARBAGE, S.UNKNOWN, DOWN, 1),
}  # fmt: skip


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "stepwise"])
@pytest.mark.parametrize("name", ROWS)
def test_the_attempt_says_how_far_it_came(name, pipelining, attempt):
    script, phase, code, fault, state, scope, copies = ROWS[name]
    extensions = EXTENSIONS if pipelining else [e for e in EXTENSIONS if e != "PIPELINING"]
    with ScriptedServer(script, extensions=extensions) as server:
        hurried = _hurried(script, phase)
        result = attempt(server, **({"timeouts": hurried} if hurried else {}))
    assert (result.phase, result.code, result.fault) == (phase, code, fault)
    verdict = classify(result)
    assert (verdict.state, verdict.scope) == (state, scope)
    assert len(server.messages) == copies
    assert server.violations == []


def _hurried(script, phase):
    """Tiny timeouts where the server hangs, for that stage alone."""
    slow = {name for name, act in script.items() if isinstance(act, Act) and (act.hang or act.delay > 1)}
    if not slow:
        return None
    stage = {"CONNECT": "greeting", "EHLO": "greeting", "DOT": "dot", "RSET": "mail", "QUIT": "quit"}
    return brisk(**{stage.get(name, name.lower()): 0.3 for name in slow})


BIG = b"Subject: big\r\n\r\n" + (b"x" * 76 + b"\r\n") * 400_000


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "stepwise"])
def test_a_connection_lost_within_the_body_is_safe_to_try_again(pipelining, attempt):
    with ScriptedServer({"BODY": drop_in_body(1000)}, extensions=["PIPELINING"] if pipelining else []) as server:
        result = attempt(server, mail=a_mail(data=BIG))
    assert (result.phase, result.fault) == (P.BODY, F.CLOSED)
    assert classify(result).state is S.DEFERRED
    assert server.copies == []


def test_a_server_that_stops_reading_the_body_is_left(attempt):
    with ScriptedServer({"BODY": hang()}, extensions=["PIPELINING"]) as server:
        result = attempt(server, mail=a_mail(data=b"A: b\r\n\r\n" + b"x\r\n" * 8_000_000), timeouts=brisk(block=0.4))
    assert (result.phase, result.fault) == (P.BODY, F.TIMED_OUT)
    assert classify(result).state is S.DEFERRED


def test_a_refusal_in_the_middle_of_the_body_is_heard(attempt):
    act = Act(reply=b"552 5.3.4 too much\r\n", swallow=1000, hang=True)
    with ScriptedServer({"BODY": act}, extensions=["PIPELINING"]) as server:
        result = attempt(server, mail=a_mail(data=b"A: b\r\n\r\n" + b"x\r\n" * 8_000_000))
    assert (result.phase, result.code) == (P.BODY, 552)
    assert classify(result).state is S.REJECTED
    assert server.copies == []


def test_a_server_that_forgets_its_own_refusal_is_sent_no_empty_mail(attempt):
    """MAIL refused, yet RCPT and DATA accepted: ending the body would hand over a mail of nothing."""
    script = {"MAIL": say("451 4.3.0 later"), "RCPT": say("250 ok"), "DATA": say("354 go on")}
    with ScriptedServer(script) as server:
        result = attempt(server)
    assert (result.phase, result.code, server.bodies) == (P.MAIL, 451, 0)


@pytest.mark.parametrize(
    ("act", "code", "fault"),
    [
        (Act(reply=b"421 4.4.2 too slow\r\n", delay=0.05, close=True), 421, None),
        (Act(silent=True, delay=0.05, close=True), None, F.CLOSED),
        (Act(reply=b"250 queued\r\n", delay=0.05), None, F.GARBAGE),
    ],
    ids=["421", "hang-up", "250"],
)
def test_nothing_is_sent_once_the_server_broke_off_while_the_gate_was_asked(act, code, fault, attempt):
    async def slow_gate() -> bool:
        await asyncio.sleep(0.3)
        return True

    with ScriptedServer({"BODY": act}) as server:
        result = attempt(server, gate=slow_gate)
    assert (result.phase, result.code, result.fault) == (P.GATE, code, fault)
    assert classify(result).state is S.DEFERRED
    assert server.bodies == 0


def test_the_table_has_at_least_sixty_rows():
    assert len(ROWS) >= 60

"""Over uvloop everything is as over asyncio's own loop: what is said of a mail, and whether the server has a copy."""

from __future__ import annotations

import asyncio
import sys

import pytest

from nurture.domain.retry import Fault, Phase
from nurture.engine.doctor import check_loop
from nurture.sending import loop
from nurture.sending.relay import Security
from nurture.sending.transport import SmtpTransport
from nurture.testing.outgoing import Gatekeeper, a_mail, brisk, noon, relay_of
from nurture.testing.smtp import ScriptedServer, drop, drop_in_body, hang, say, usual

LARGE = b"Subject: The tomatoes\r\n\r\n" + 40_000 * b"a line of a letter that fills the socket\r\n"


@pytest.fixture(params=["asyncio", "uvloop"])
def name(request, monkeypatch) -> str:
    """The loop that mails go over: without the extra, and with it."""
    if request.param == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)
    return request.param


def sent(server, mails, gate=None, **options):
    async def go():
        transport = SmtpTransport(relay_of(server, connections=1, **options), noon)
        attempts = [await transport.send(mail, gate or Gatekeeper()) for mail in mails]
        await transport.close(grace=2)
        return attempts

    return loop.run(go())


def test_the_loop_is_the_one_that_is_named(name):
    async def which():
        return type(asyncio.get_running_loop()).__module__.split(".")[0]

    assert loop.run(which()) == name
    assert loop.loop_name().split(" ")[0] == name
    assert check_loop().found.startswith(loop.loop_name())


def test_what_is_said_of_a_mail(name):
    rows = [
        ({}, brisk(), (Phase.DONE, 250, None), 1),
        ({"RCPT": say("550 5.1.1 no such user")}, brisk(), (Phase.RCPT, 550, None), 0),
        ({"DATA": say("354 go", "421 4.4.2 too slow")}, brisk(), (Phase.DATA, None, Fault.GARBAGE), 0),
        ({"BODY": drop_in_body(9)}, brisk(), (Phase.BODY, None, Fault.CLOSED), 0),
        ({"DOT": drop()}, brisk(), (Phase.DOT, None, Fault.CLOSED), 1),
        ({"DOT": hang()}, brisk(dot=0.2), (Phase.DOT, None, Fault.TIMED_OUT), 1),
        ({"DOT": usual(pieces=5)}, brisk(), (Phase.DONE, 250, None), 1),
    ]
    for script, timeouts, expected, copies in rows:
        mail = a_mail(data=8 * LARGE) if "BODY" in script else a_mail()
        with ScriptedServer(script) as server:
            attempt = sent(server, [mail], timeouts=timeouts)[0]
        assert (attempt.phase, attempt.code, attempt.fault) == expected
        assert len(server.copies) == copies


def test_a_server_that_takes_no_data_has_no_copy(name):
    with ScriptedServer({"BODY": hang()}) as server:
        attempt = sent(server, [a_mail(data=8 * LARGE)], timeouts=brisk(block=0.3))[0]
    assert (attempt.phase, attempt.fault) == (Phase.BODY, Fault.TIMED_OUT)
    assert not server.copies


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.IMPLICIT])
def test_mails_go_encrypted(name, security, authority):
    options = {"certificate": authority.issue("localhost"), "implicit_tls": security is Security.IMPLICIT}
    with ScriptedServer(**options) as server:
        attempts = sent(
            server, [a_mail(n, LARGE) for n in range(3)], host="localhost", security=security, ca_file=authority.root
        )
    assert [attempt.phase for attempt in attempts] == [Phase.DONE] * 3
    assert [message.tls for message in server.messages] == [True] * 3

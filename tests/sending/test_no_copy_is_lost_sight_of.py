"""Whatever a server does, in whatever order: what we report agrees with what it holds."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.domain.delivery import DeliveryState
from nurture.domain.retry import classify
from nurture.sending.transport import SmtpTransport
from nurture.testing.outgoing import Gatekeeper, a_mail, noon, relay_of
from nurture.testing.outgoing import brisk as times
from nurture.testing.smtp import EXTENSIONS, ScriptedServer, drop, drop_in_body, hang, raw, say, usual

ACTS = [
    usual(), usual(), usual(), usual(pieces=3), usual().then_close(), drop(), hang(), raw(b"what?\r\n"),
    say("421 4.3.2 closing").then_close(), say("450 4.2.0 later"), say("550 5.1.1 no"),
    say("550 5.7.1 spam").then_close(), say("354 go on"), raw(b"250 one\r\n250 two\r\n"), raw(b"25"),
    say("250-a", "250 b"),
]  # fmt: skip
STAGES = st.sampled_from(["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "DOT", "RSET", "QUIT"])
SCRIPTS = st.dictionaries(STAGES, st.lists(st.sampled_from(ACTS), min_size=1, max_size=5), max_size=3)
BODIES = st.sampled_from([[], [usual(), drop_in_body(9)], [drop_in_body(9)], [usual(), hang()]])


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, BODIES, st.booleans(), st.integers(1, 2), st.sets(st.integers(0, 5), max_size=2))
def test_what_is_called_sent_is_there_and_what_may_be_tried_again_is_not(script, bodies, pipelining, width, shut):
    extensions = EXTENSIONS if pipelining else ["SIZE 9999999"]
    tiny = times(greeting=0.3, mail=0.2, rcpt=0.2, data=0.2, block=0.2, dot=0.2, quit=0.1)
    mails = [a_mail(n) for n in range(6)]
    with ScriptedServer({**script, "BODY": bodies}, extensions=extensions) as server:

        async def go():
            transport = SmtpTransport(relay_of(server, connections=width, timeouts=tiny), noon)
            sends = (transport.send(mail, Gatekeeper(answer=n not in shut)) for n, mail in enumerate(mails))
            attempts = await asyncio.gather(*sends)
            await transport.close(grace=1)
            return attempts

        attempts = asyncio.run(go())
    copies = Counter(copy.recipient for copy in server.copies)
    accepted = {copy.recipient: copy.code for copy in server.messages}
    assert not copies or max(copies.values()) == 1
    for number, (mail, attempt) in enumerate(zip(mails, attempts, strict=True)):
        state = classify(attempt).state
        if state is DeliveryState.SENT:
            assert accepted[mail.recipient] // 100 == 2
        elif state is not DeliveryState.UNKNOWN:
            assert mail.recipient not in accepted, (script, attempt)
        if number in shut:
            assert copies[mail.recipient] == 0

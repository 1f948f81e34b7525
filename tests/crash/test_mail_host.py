"""Out through a real Postfix, and what comes of it: fetched from Dovecot by IMAP, or back as a bounce."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from sqlalchemy import text

from nurture.engine.revisions import assemble
from nurture.language.source import read_project
from nurture.rendering.dkim import DkimSigner
from nurture.sending.relay import Relay, Security
from nurture.sending.transport import SmtpTransport
from nurture.testing.forks import Forks
from nurture.testing.mail_host import MailHost
from nurture.testing.outgoing import brisk, noon
from nurture.testing.processes import Shop
from nurture.testing.smtp import ScriptedServer, say
from nurture.testing.wire import NASTY, dkim_key, dkim_record, starter_mails

pytestmark = pytest.mark.lab
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
BOUNCES = "bounces.northwind.example"
GONE = "<p2@people.example>"


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_what_a_mailbox_holds_is_what_was_sent_and_its_signature_is_good(
    program: Callable[[str], str], kind: str
) -> None:
    key = dkim_key(kind)
    signer = DkimSigner("northwind.example", "s1", key)
    applied = assemble(read_project(Path(__file__).parents[2]))
    samples = list(starter_mails(applied, NOW, signer=signer))
    samples += starter_mails(applied, NOW, {name: NASTY[name] for name in ("emoji", "dots")}, signer)
    boxes = dict.fromkeys((sample.mail.recipient.rpartition("@")[2] for sample in samples), "people")
    with MailHost(program, boxes) as host:
        relay = Relay(
            host="127.0.0.1", port=host.smtp_port, security=Security.OFF, timeouts=brisk(dot=60), connections=2
        )

        async def send() -> None:
            transport = SmtpTransport(relay, noon)
            for sample in samples:
                attempt = await transport.send(sample.mail, open_gate)
                assert attempt.code == 250, (sample.name, attempt)
            await transport.close()

        asyncio.run(send())
        fetched = host.fetch("people", len(samples))
    assert len(fetched) == len(samples) > 30
    sent = {sample.mail.data: sample.name for sample in samples}
    for mail in fetched:
        (ours,) = (octets for octets in sent if mail.endswith(octets))
        above = mail.removesuffix(ours)
        assert above.startswith(b"Return-Path: <"), "what the way added stands above"
        assert above.endswith(b"\r\n")
        assert dkim.verify(mail, dnsfunc=lambda _name, **_: dkim_record(key).encode()), sent.pop(ours)


async def open_gate() -> bool:
    return True


def test_a_bounce_of_a_real_server_finds_its_mail_by_the_return_path_and_the_address_is_never_used_again(
    file_shop: Shop, server: ScriptedServer, forks: Forks, program: Callable[[str], str]
) -> None:
    """Postfix takes all mails; the server behind it refuses one; the bounce comes to the return path."""
    server.script["RCPT"] = lambda line: say("550 5.1.1 no such user") if GONE in line else None
    shop = file_shop
    with MailHost(program, {BOUNCES: "bounces"}, onward=server.port) as host:
        shop.environ |= {
            "NURTURE_SMTP_URL": f"smtp://127.0.0.1:{host.smtp_port}?connections=2",
            "NURTURE_BOUNCE_DOMAIN": BOUNCES,
        }
        shop.people(4)
        assert forks.run(shop.folder, shop.environ, ["run", "--once"]).code == 0
        assert shop.states() == {"sent": 4}, "the relay took them all"
        host.until_delivered("bounces", 1)
        shop.until_sent(3)
        for _ in range(2):  # whoever reads it twice learns nothing new
            read = forks.run(shop.folder, shop.environ, ["feedback", "read", str(host.folder("bounces"))])
            assert read.code == 0, read.text
    forks.run(shop.folder, shop.environ, ["run", "--once"])
    with shop.app.database.read() as tx:
        found = tx.execute(text("SELECT reason FROM suppressions")).scalars().all()
        bounces = tx.execute(text("SELECT contact_id FROM events WHERE name = 'nurture.bounced'")).scalars().all()
        gone = tx.execute(text("SELECT id FROM contacts WHERE email LIKE 'p2@%'")).scalar_one()
    assert (bounces, len(found)) == ([gone], 1), found

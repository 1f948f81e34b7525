"""The octets of a mail: who it is from and to, what names it, and what contacts cannot do to it."""

from __future__ import annotations

import email.policy
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

import pytest

from nurture.domain.delivery import DeliveryState
from nurture.domain.tokens import Keyring, Purpose
from nurture.engine.ingest import IncomingEvent
from nurture.testing.house import ANA, SECRET, House
from nurture.testing.smtp import ScriptedServer

Build = Callable[..., House]
GREETING = """\
---
subject: "{{ contact.first_name }}, hello"
preheader: A few words about the garden and {{ contact.first_name }}
needs: [contact.first_name]
---
<p>Dear {{ contact.first_name }}</p>
<p>{{ postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>
"""
NASTY = [
    "Ana\r\nBcc: eve@evil.example",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    '"Ana" <eve@evil.example>',
    "\r\n.\r\nMAIL FROM:<eve@evil.example>",
    "\n.\n",
    "=?utf-8?q?Bcc=3A?=",
    "\u202eevil",
    "\u0085Bcc: eve@evil.example",
    "\u2028X: y",
    "A" * 5000,
    "Ünïcödé 🌱 мир",
    "%s%n{0.__class__}",
    "' OR 1=1 --",
]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def parsed(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def mailed(house: House, server: ScriptedServer, **event: Any) -> EmailMessage:
    house.consenting()
    house.take(IncomingEvent(name="Signed Up", email=ANA, **event))
    house.drain()
    assert len(server.messages) == 1, house.told()
    return parsed(server.messages[0].data)


def test_a_marketing_mail_carries_everything_it_must(build: Build, server: ScriptedServer) -> None:
    message = mailed(build(server=server), server)
    raw = server.messages[0].data
    assert message["From"] == "Northwind Garden <hello@northwind.example>"
    assert message["To"] == ANA
    assert raw.count(b"List-Unsubscribe: <https://mail.northwind.example/u/") == 1
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "<tips." in message["List-Id"]
    assert message["Feedback-ID"].startswith("c:hello:marketing:")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"):
        assert len(message.get_all(name)) == 1, name


def test_no_address_and_no_number_of_a_person_stands_in_any_name(build: Build, server: ScriptedServer) -> None:
    message = mailed(build(server=server), server)
    envelope = server.messages[0]
    keyring = Keyring([SECRET])
    local = envelope.sender.partition("@")[0]
    assert len(local) <= 64
    assert keyring.read(Purpose.RETURN_PATH, local.partition("+")[2]) is not None
    for text in (message["Message-ID"], message["List-Unsubscribe"], message["Feedback-ID"], envelope.sender):
        assert ANA not in str(text)
        assert "people.example" not in str(text)


def test_a_receipt_is_no_list_mail(build: Build, server: ScriptedServer) -> None:
    text = "start: {event: Signed Up}\nsteps:\n  - {id: hello, send: hello, kind: transactional}\n"
    message = mailed(build(text, server=server), server)
    for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Precedence"):
        assert message[name] is None, name


@pytest.mark.parametrize("name", NASTY)
def test_what_people_call_themselves_changes_nothing_but_text(build: Build, server: ScriptedServer, name: str) -> None:
    message = mailed(build(server=server, templates={"hello": GREETING}), server, traits={"first_name": name})
    (copy,) = server.copies
    assert copy.recipients == (ANA,)
    assert message["Bcc"] is None
    assert message["X"] is None
    assert message.get_all("To") == [ANA]
    assert max(len(line) for line in copy.data.split(b"\r\n")) <= 998
    assert copy.data.replace(b"\r\n", b"").count(b"\r") == copy.data.replace(b"\r\n", b"").count(b"\n") == 0
    html = message.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    assert "49" not in html.get_content().partition("Dear")[2].partition("</p>")[0]
    assert server.violations == []


def test_an_address_that_cannot_be_written_to_is_skipped_and_not_retried(build: Build, server: ScriptedServer) -> None:
    from sqlalchemy import text

    house = build(server=server)
    house.consenting()
    with house.database.write() as tx:
        tx.execute(text("UPDATE contacts SET email = 'ana@@people..example'"))
    with house.database.read() as tx:
        number = tx.execute(text("SELECT id FROM contacts")).scalar()
    house.take(IncomingEvent(name="Signed Up", contact_id=number))
    house.drain()
    from nurture.storage.reports import deliveries_of

    with house.database.read() as tx:
        (record,) = deliveries_of(tx, number or 0)
    assert record.delivery.state in {DeliveryState.SKIPPED, DeliveryState.REJECTED}
    assert server.copies == []


def test_two_mails_have_two_names_and_the_same_mail_has_one(build: Build, server: ScriptedServer) -> None:
    house = build("start: {event: Signed Up, again: always}\nsteps:\n  - {id: a, send: a}\n", server=server)
    house.consenting()
    for _ in range(2):
        house.tell("Signed Up")
        house.live_until("+1 day")
    names = [parsed(copy.data)["Message-ID"] for copy in server.messages]
    senders = [copy.sender for copy in server.messages]
    assert len(set(names)) == len(set(senders)) == 2

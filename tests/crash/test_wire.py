"""What really goes over the wire: every mail of the starter programme, for people whose data is as bad as it gets."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path

import dkim
import pytest

from nurture.domain.steps import MailKind
from nurture.engine.revisions import Applied, assemble
from nurture.language.source import read_project
from nurture.rendering.dkim import OVERSIGNED, SIGNED, DkimSigner
from nurture.testing.smtp import Received, ScriptedServer
from nurture.testing.wire import (
    NASTY,
    DkimKey,
    Sample,
    complaints,
    dkim_key,
    dkim_record,
    over_the_wire,
    starter_mails,
)

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
Mails = list[tuple[Sample, Received]]


@cache
def starter() -> Applied:
    return assemble(read_project(ROOT))


@cache
def key(kind: str) -> DkimKey:
    return dkim_key(kind)


def signer(kind: str) -> DkimSigner:
    return DkimSigner("northwind.example", "s1", key(kind))


@pytest.fixture(scope="module", params=[5, pytest.param(1, marks=pytest.mark.lab)], ids=["some", "all"])
def nasty(request: pytest.FixtureRequest) -> Mails:
    """Every mail for every contact of the corpus; every fifth of them where time is short."""
    with ScriptedServer() as server:
        every = list(starter_mails(starter(), NOW, NASTY))
        mails = {sample.name.partition(" ")[0] for sample in every}
        assert len(mails) >= 15
        assert len(every) >= 0.9 * len(mails) * len(NASTY), "nearly all of them can be built"
        samples = every[:: request.param]
        return list(zip(samples, over_the_wire(samples, server), strict=True))


@pytest.fixture(scope="module")
def shipped() -> Mails:
    """Every mail for every example person, signed."""
    with ScriptedServer() as server:
        samples = list(starter_mails(starter(), NOW, signer=signer("ed25519")))
        return list(zip(samples, over_the_wire(samples, server), strict=True))


def test_no_data_of_a_contact_spoils_a_mail(nasty: Mails) -> None:
    told = {
        f"{sample.name}: {complaint}"
        for sample, copy in nasty
        for complaint in complaints(copy, marketing=sample.kind is MailKind.MARKETING)
    }
    assert not told, "\n".join(sorted(told)[:20])


def test_no_shipped_mail_has_a_fault(shipped: Mails) -> None:
    for sample, copy in shipped:
        assert complaints(copy, marketing=sample.kind is MailKind.MARKETING) == [], sample.name


def test_the_octets_arrive_as_they_were_built(nasty: Mails) -> None:
    for sample, copy in nasty:
        assert copy.data == sample.mail.data, sample.name
        assert copy.recipients == (sample.mail.recipient,)


def test_both_parts_decode_to_what_was_rendered(nasty: Mails) -> None:
    for sample, copy in nasty:
        text, html = parts(copy)
        assert same(text) == same(sample.text), sample.name
        assert same(html) == same(sample.html), sample.name


def parts(copy: Received) -> tuple[str, str]:
    mail = message_from_bytes(copy.data, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    text, html = (part.get_content() for part in mail.iter_parts())  # type: ignore[attr-defined]
    return text, html


def same(text: str) -> str:
    """Line ends are CRLF on the wire, and what no mail may hold has been left out; the rest is to the letter."""
    return re.sub("[\0\ud800-\udfff]|\\s+", "", text)


def test_the_text_has_the_links_of_the_html_and_none_of_its_entities(shipped: Mails) -> None:
    for sample, copy in shipped:
        text, html = parts(copy)
        in_html = {one.replace("&amp;", "&") for one in re.findall(r'href="(https?://[^"]+)"', html)}
        assert {link for link in in_html if link not in text} == set(), sample.name
        assert re.findall(r"&(?:#\d+|amp|lt|gt|quot|nbsp);", text) == [], sample.name


# --- signatures


def verified(data: bytes, kind: str) -> bool:
    return bool(dkim.DKIM(data).verify(dnsfunc=lambda _name, **_: dkim_record(key(kind)).encode()))


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_the_signature_of_every_mail_holds_for_another_implementation(kind: str) -> None:
    with ScriptedServer() as server:
        samples = list(starter_mails(starter(), NOW, {"emoji": NASTY["emoji"]}, signer(kind)))
        for sample, copy in zip(samples, over_the_wire(samples, server), strict=True):
            assert verified(copy.data, kind), sample.name


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_no_signed_field_can_be_removed_altered_or_added(kind: str) -> None:
    samples = starter_mails(starter(), NOW, {"emoji": NASTY["emoji"]}, signer(kind))
    data = next(one.mail.data for one in samples if one.kind is MailKind.MARKETING)
    head, _, body = data.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    assert verified(data, kind)
    names = {field.partition(b":")[0].lower().decode() for field in fields}
    for name in (set(SIGNED) & names) - {"reply-to"}:
        others = [field for field in fields if not field.lower().startswith(name.encode() + b":")]
        (field,) = (field for field in fields if field.lower().startswith(name.encode() + b":"))
        assert not verified(b"\r\n".join(others) + b"\r\n\r\n" + body, kind), f"{name} removed"
        changed = [*others, field + b" x"]
        assert not verified(b"\r\n".join(changed) + b"\r\n\r\n" + body, kind), f"{name} altered"
    for name in OVERSIGNED:
        for added in (b"%s: x\r\n%s" % (name.encode(), data), head + b"\r\n%s: x\r\n\r\n" % name.encode() + body):
            assert not verified(added, kind), f"{name} added"


# --- nothing about a person but what she is meant to read


def test_no_address_name_or_number_of_a_person_stands_in_a_link_or_header_of_a_thousand_mails() -> None:
    words = {f"person {n}": f"Xaverine{n}" for n in range(60)}
    samples = list(starter_mails(starter(), NOW, words))
    assert len(samples) >= 1000
    seen = 0
    for sample in samples:
        head = sample.mail.data.partition(b"\r\n\r\n")[0].decode()
        visible = re.sub(r"(?m)^(?:To|Subject): .*(?:\r\n[ \t].*)*", "", head) + sample.mail.envelope_sender
        ours = [
            link for link in re.findall(r'https?://[^\s"<>]+', sample.text + sample.html) if "mail.northwind" in link
        ]
        seen += len(ours)
        for told in (visible, *ours):
            assert "xaverine" not in told.lower(), sample.name
            assert "o'hara" not in told, sample.name  # four letters alone stand in some token by chance
            assert sample.email not in told, sample.name
            assert "%40" not in told
    assert seen > 2 * len(samples)

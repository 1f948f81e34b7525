from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from nurture.errors import ConfigurationError
from nurture.rendering.dkim import DkimSigner, load_signer
from nurture.rendering.message import MessageHeaders, Stream, build_message
from nurture.rendering.renderer import Rendered

AT = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
HEADERS = MessageHeaders(
    sender_name="Bäckerei",
    sender_email="hello@shop.example",
    reply_to="care@shop.example",
    recipient="zoe@people.example",
    date=AT,
    message_id="token@shop.example",
    unsubscribe_url="https://mail.shop.example/u/" + "t" * 60,
    unsubscribe_mailto="mailto:unsubscribe+token@shop.example",
    stream=Stream("tips", "Tips"),
    feedback_id="a:b:c",
)
MAIL = Rendered.of(
    subject="Grüße " + "word " * 30, text="Hi  Zoë \n\n.\n\tx \n\n\n", html="<p>Hi  Zoë</p>\n" + "long " * 300 + "\n\n"
)


@cache
def key(kind: str) -> rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)


def pem(private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def record(kind: str) -> bytes:
    public = key(kind).public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    else:
        raw = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}".encode()


def signed(kind: str, mail: Rendered = MAIL, headers: MessageHeaders = HEADERS) -> bytes:
    return build_message(mail, headers, DkimSigner.from_pem("shop.example", "s1", pem(key(kind))))


def verifies(kind: str, raw: bytes) -> bool:
    def published(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"s1._domainkey.shop.example."
        return record(kind)

    return bool(dkim.verify(raw, dnsfunc=published))


KINDS = pytest.mark.parametrize("kind", ["rsa", "ed25519"])


@KINDS
def test_another_implementation_verifies_the_signature(kind, shop):
    assert verifies(kind, signed(kind))
    assert verifies(kind, signed(kind, shop.renderer().render("cart/reminder", shop.context())))
    assert verifies(kind, signed(kind, Rendered.of(subject="S", text="x\n\n\n")))
    assert verifies(kind, signed(kind, Rendered.of(subject="S", text="")))
    few = replace(HEADERS, reply_to=None, unsubscribe_url=None, unsubscribe_mailto=None, stream=None, feedback_id=None)
    assert verifies(kind, signed(kind, MAIL, few))


@KINDS
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hi", b"Ho"),
        (b"To: zoe@", b"To: eve@"),
        (b"Date: Sat", b"Date: Sun"),
        (b"<https://mail.shop.example/u/", b"<https://mail.evil.example/u/"),
        (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=Two-Click"),
        (b"Message-ID: <token", b"Message-ID: <other"),
    ],
)
def test_any_change_breaks_it(kind, old, new):
    raw = signed(kind)
    assert old in raw
    assert not verifies(kind, raw.replace(old, new, 1))


@KINDS
@pytest.mark.parametrize(
    "field", ["From", "To", "Subject", "Date", "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post"]
)
def test_no_second_field_can_be_added_on_the_way(kind, field):
    added = f"{field}: x@evil.example\r\n".encode()
    raw = signed(kind)
    assert not verifies(kind, raw.replace(b"MIME-Version", added + b"MIME-Version", 1))


@KINDS
def test_fields_that_were_not_there_cannot_be_added_either(kind):
    few = replace(HEADERS, reply_to=None, unsubscribe_url=None, unsubscribe_mailto=None)
    raw = signed(kind, MAIL, few)
    for field in (b"Reply-To: a@evil.example", b"List-Unsubscribe: <https://evil.example>"):
        assert not verifies(kind, raw.replace(b"MIME-Version", field + b"\r\nMIME-Version", 1))


@KINDS
def test_refolding_on_the_way_does_no_harm(kind):
    raw = signed(kind)
    assert b"List-Unsubscribe: <" in raw
    refolded = raw.replace(b"List-Unsubscribe: <", b"List-Unsubscribe:\r\n\t  <", 1)
    assert refolded != raw
    assert verifies(kind, refolded)


def test_the_signature_stands_first_on_short_lines():
    head = signed("rsa").split(b"\r\nDate:")[0]
    assert head.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.example; s=s1;")
    assert b" l=" not in head
    assert all(len(line) <= 78 for line in head.split(b"\r\n"))


def test_a_key_is_loaded_from_its_file(tmp_path):
    file = tmp_path / "dkim.pem"
    file.write_bytes(pem(key("ed25519")))
    raw = build_message(MAIL, HEADERS, load_signer(file, "shop.example", "s1"))
    assert verifies("ed25519", raw)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: b"not a key", "cannot be read as a PEM"),
        (lambda: pem(rsa.generate_private_key(65537, 1024)), "1024 bits"),
        (lambda: pem(ec.generate_private_key(ec.SECP256R1())), "RSA or an Ed25519"),
    ],
)
def test_keys_that_do_not_serve_are_refused(make, why):
    with pytest.raises(ConfigurationError, match=why):
        DkimSigner.from_pem("shop.example", "s1", make())


def test_a_missing_key_and_a_bad_selector_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_signer(tmp_path / "nope.pem", "shop.example", "s1")
    with pytest.raises(ConfigurationError, match="selector"):
        DkimSigner.from_pem("shop.example", "s 1;", pem(key("ed25519")))

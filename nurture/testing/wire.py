"""The mails of a project as octets on the wire, for people whose data is as bad as it gets; and what is wrong with one.

mails = starter_mails(applied, NOW)           every mail of the programme for every contact of the corpus
taken = over_the_wire(mails)                  what an SMTP server was handed, DATA by DATA
complaints(copy, marketing=True)              -> []
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nurture.domain.steps import MailKind
from nurture.engine.preview import Somebody, example, mails, preview
from nurture.engine.revisions import Applied
from nurture.errors import TemplateError
from nurture.rendering.message import MessageSigner
from nurture.sending.mail import OutgoingMail
from nurture.sending.transport import SmtpTransport
from nurture.testing.outgoing import noon, relay_of
from nurture.testing.smtp import Received, ScriptedServer

DkimKey = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
BASE_URL = "https://mail.northwind.example"
# What people, or those who know their names, write into forms.
NASTY = {
    "header injection": "Eve\r\nBcc: all@evil.example\r\n\r\nowned",
    "another recipient": 'Eve" <eve@evil.example>, "x',
    "end of the message": "Eve\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n",
    "end for lax servers": "Eve\n.\nRCPT TO:<eve@evil.example>\n",
    "end by carriage returns": "Eve\r.\r\rDATA\r",
    "mixed ends": "Eve\n.\r\nEve\r\n.\n",
    "dots": ".\n..\n.x",
    "nul and controls": "Eve\0\x01\x07\x1b[31mred\x7f",
    "line separators": "Eve\u2028two\u2029three\u0085four\vfive",
    "a word of 5,000": "w" * 5000,
    "many words": "word " * 800,
    "emoji": "👩🏽‍🌾🌻 Żółć Þórr",
    "right to left": "\u202eevE \u05d0\u05d1\u05d2 مرحبا",
    "encoded words": "=?utf-8?q?=0D=0ABcc:=20x@evil.example?=",
    "a template": "{{ 7 * 191 }}{% for x in range(9) %}x{% endfor %}",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;",
    "half a pair": "Eve\ud800",
    "boundaries": "--=_\r\n--=_--\r\nContent-Type: text/html\r\n\r\n<b>",
    "blanks": " \t\u00a0\u3000 ",
}
ADDRESSES = ("eve@people.example", "eve.o'hara+tag@people.example", "eve@bücher.example", "x" * 60 + "@people.example")
HEADERS = frozenset({
    "dkim-signature", "date", "from", "to", "reply-to", "subject", "message-id", "list-unsubscribe",
    "list-unsubscribe-post", "list-id", "feedback-id", "auto-submitted", "precedence", "x-auto-response-suppress",
    "mime-version", "content-type",
})  # fmt: skip
_ONE_EACH = ("date", "from", "to", "subject", "message-id", "mime-version", "content-type", "auto-submitted")
_DATA = re.compile(r"https?://|\d{4}-\d\d-\d\d|^[A-Z]{3}$|^\d")


@dataclass(frozen=True, slots=True)
class Sample:
    """One mail for one person. `words` are hers: what must show up nowhere but in her own mail's text."""

    name: str
    kind: MailKind
    mail: OutgoingMail
    email: str
    text: str
    html: str


def starter_mails(
    applied: Applied, now: datetime, corpus: Mapping[str, str] | None = None, signer: MessageSigner | None = None
) -> Iterator[Sample]:
    """Every mail of the programme; for its example people, or for people whose every word is one of the corpus."""
    people = [example(applied, person, now) for person in applied.compiled.people.values()]
    addresses = [ADDRESSES[place % len(ADDRESSES)] for place in range(len(corpus or {}))]
    for mail in mails(applied):
        if corpus is None:
            everybody = people
        else:
            fitting = next((one for one in people if one.fits(mail.campaign.name)), people[0])
            bad = zip(corpus.items(), addresses, strict=True)
            everybody = [_soiled(fitting, name, words, email) for (name, words), email in bad]
        for somebody in everybody:
            try:
                made = preview(applied, mail, somebody, now, base_url=BASE_URL, signer=signer)
            except TemplateError:  # refused before anything is sent: that is safe, too
                continue
            email = somebody.snapshot.contact.email or ""
            rendered = made.composed.rendered
            yield Sample(
                f"{mail.name} {somebody.told}", mail.send.kind, made.composed.mail, email, rendered.text, rendered.html
            )


def _soiled(somebody: Somebody, name: str, words: str, email: str) -> Somebody:
    contact = replace(
        somebody.snapshot.contact, email=email, attributes=_with_words(somebody.snapshot.contact.attributes, words)
    )
    return replace(
        somebody,
        told=name,
        snapshot=replace(somebody.snapshot, contact=contact),
        start=_with_words(somebody.start, words),
        starts={campaign: _with_words(start, words) for campaign, start in somebody.starts.items()},
    )


def _with_words(value: Any, words: str) -> Any:
    """Every text that is no address, date, number or code becomes those words."""
    if isinstance(value, Mapping):
        return {key: _with_words(each, words) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_words(each, words) for each in value]
    return words if isinstance(value, str) and not _DATA.search(value) else value


def over_the_wire(samples: Sequence[Sample], server: ScriptedServer) -> list[Received]:
    """Send them one after the other over one connection; what the server got of each."""

    async def work() -> None:
        transport = SmtpTransport(relay_of(server, connections=1, messages=10_000), noon)
        for sample in samples:
            attempt = await transport.send(sample.mail, _open)
            assert attempt.code == 250, (sample.name, attempt)
        await transport.close()

    asyncio.run(work())
    return list(server.copies)


async def _open() -> bool:
    return True


def dkim_key(kind: str) -> DkimKey:
    """A new private key, "rsa" or "ed25519"."""
    return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)


def dkim_record(key: DkimKey) -> str:
    """What stands in the DNS for it (RFC 6376, 8463)."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        kind, raw = "ed25519", key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        kind, raw = "rsa", key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}"


def complaints(copy: Received, *, marketing: bool) -> list[str]:
    """What is wrong with the octets of one mail, by RFC 5322, 2045, 2369, 8058 and what mailbox providers ask for."""
    data = copy.data
    head, _, body = data.partition(b"\r\n\r\n")
    found = [*_octets(data), *_fields(head, copy, marketing), *_parts(data)]
    if not body.endswith(b"\r\n"):
        found.append("the body does not end in CRLF")
    return found


def _octets(data: bytes) -> Iterator[str]:
    bare = data.replace(b"\r\n", b"")
    for name, octet in (("CR", b"\r"), ("LF", b"\n"), ("NUL", b"\0")):
        if octet in bare:
            yield f"a bare {name}"
    if max(map(len, data.split(b"\r\n"))) > 998:
        yield "a line of more than 998 octets"
    if len(data) > 500_000:
        yield f"{len(data)} octets"


def _fields(head: bytes, copy: Received, marketing: bool) -> Iterator[str]:
    lines = head.split(b"\r\n")
    names = Counter(line.partition(b":")[0].decode().lower() for line in lines if line[:1] not in b" \t")
    if unknown := set(names) - HEADERS:
        yield f"fields that are not ours: {sorted(unknown)}"
    if twice := [name for name, number in names.items() if number > 1]:
        yield f"fields that stand twice: {twice}"
    if missing := [name for name in _ONE_EACH if name not in names]:
        yield f"missing fields: {missing}"
    if not head.isascii():
        yield "a header that is not ASCII"
    if any(not line.strip() for line in lines):
        yield "an empty header line"
    mail = message_from_bytes(copy.data, policy=policy.default)
    to = [address for _, address in getaddresses([str(mail["To"])])]
    if to != list(copy.recipients):
        yield f"To is {to}, the envelope {copy.recipients}"
    if len(str(mail["Message-ID"])) > 200 or len(copy.sender.partition("@")[0]) > 64:
        yield "a Message-ID or return path that is too long"
    folded = b" ".join(line.strip() for line in re.split(rb"\r\n(?=[ \t])", head))
    if marketing != bool(re.search(rb"\r?\n?List-Unsubscribe: <https://[^>\s]+>,\s*<mailto:[^>\s]+>", folded)):
        yield "List-Unsubscribe is not the literal https and mailto of marketing, or stands in other mail"
    if marketing != (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head):
        yield "List-Unsubscribe-Post"
    if marketing != (b"Precedence: bulk" in head):
        yield "Precedence"


def _parts(data: bytes) -> Iterator[str]:
    mail = message_from_bytes(data, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    if mail.defects or any(part.defects for part in mail.walk()):
        yield f"defects: {[part.defects for part in mail.walk()]}"
    kinds = [part.get_content_type() for part in mail.walk()]
    if kinds != ["multipart/alternative", "text/plain", "text/html"]:
        yield f"parts {kinds}"
        return
    text, html = (part.get_content() for part in mail.iter_parts())
    if not text.strip() or not html.strip():
        yield "an empty part"
    if re.search(r"(?:[ \t]*\r?\n){4,}", text):
        yield "more than two empty lines in a row in the text"
    if len(html.encode()) > 100_000 and len(data) > 150_000 and "wwww" not in html:
        yield "an HTML part that Gmail would clip"
    if "1337" in text and "{{" not in text:
        yield "data that was run as a template"
    if re.search(r"<script|<img src=x", html):
        yield "markup that came from data"

"""The whole message as octets, built once: these are signed, and these are sent, also when they are sent again.

multipart/alternative, text first (RFC 2046); both parts quoted-printable, so that no relay on the way needs to convert
them. Headers: RFC 5322, RFC 8058 (one-click unsubscribe), RFC 2919 (List-Id), RFC 3834 (Auto-Submitted).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol

from nurture.rendering.addresses import ascii_domain, wire_address
from nurture.rendering.headers import HeaderError, checked, date, display_words, folded, mailbox, unstructured
from nurture.rendering.renderer import Rendered

MAX_LINE = 998
_ID = re.compile("[!-;=?A-~]+@[!-;=?A-~]+")
_WAY = re.compile("[!-+.-;=?-~-]+")  # no comma and no bracket, which end it
_BROKEN = ("\0", "\r\n\r\n", "\r\n.")
_PART = "Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"


class MessageSigner(Protocol):
    """Signs a finished message, giving the field to put before it. `is_slow`: better done beside the event loop."""

    @property
    def is_slow(self) -> bool: ...

    def sign(self, message: bytes, now: datetime, *, is_canonical: bool = False) -> bytes:
        """The DKIM-Signature field, with its line end. `is_canonical`: the body was encoded here."""
        ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """What SMTP is told: addresses with A-label domains."""

    sender: str
    recipient: str
    needs_smtputf8: bool = False

    @classmethod
    def of(cls, sender: str, recipient: str) -> Envelope:
        """The envelope from `sender` to `recipient`. Raises AddressError."""
        back, to = wire_address(sender), wire_address(recipient)
        return cls(str(back), str(to), back.needs_smtputf8 or to.needs_smtputf8)

    @classmethod
    def back_to(cls, return_path: str, recipient: str) -> Envelope:
        """From one of our own return paths, which are made for the wire. Raises AddressError."""
        to = wire_address(recipient)
        return cls(return_path, str(to), to.needs_smtputf8)


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of mail people can leave: a topic. `id` is stable, `name` is shown by mail programs."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class MessageHeaders:
    """Everything above the body. `message_id` without brackets; `date` is fixed when the message is first built.

    `bulk` marks campaign mail. `unsubscribe_url` (https) and `unsubscribe_mailto` belong to marketing mail, `stream` to
    mail of a topic. `feedback_id` is up to three words for Gmail's reports, never about a person, then the sender.
    """

    sender_email: str
    recipient: str
    date: datetime
    message_id: str
    sender_name: str = ""
    reply_to: str | None = None
    bulk: bool = True
    unsubscribe_url: str | None = None
    unsubscribe_mailto: str | None = None
    stream: Stream | None = None
    feedback_id: str | None = None


def build_message(rendered: Rendered, headers: MessageHeaders, signer: MessageSigner | None = None) -> bytes:
    """The octets of one mail: CRLF line ends, no line over 998 octets, signed if there is a signer.

    No line begins with a dot either: the parts were encoded so, and of the fields it is checked here.
    Raises AddressError or HeaderError for values that must not be sent; nothing in the data can add a field.
    """
    fields = _sound("".join(header_fields(rendered.subject, headers)))
    if not rendered.html_part:
        kind = _PART.format(kind="plain")
        message = f"{fields}MIME-Version: 1.0\r\n{kind}{_closed(rendered.text_part)}"
    else:
        boundary = _boundary(headers.message_id)
        message = (
            f"{fields}MIME-Version: 1.0\r\n"
            f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'
            f"--{boundary}\r\n{_PART.format(kind='plain')}{_closed(rendered.text_part)}"
            f"--{boundary}\r\n{_PART.format(kind='html')}{_closed(rendered.html_part)}"
            f"--{boundary}--\r\n"
        )
    octets = message.encode("utf-8")
    return signer.sign(octets, headers.date, is_canonical=True) + octets if signer is not None else octets


def _sound(fields: str) -> str:
    """Nothing that ends a line, or a mail, where we did not: the last look at what people's data went into."""
    ends = fields.count("\r\n")
    if not ends == fields.count("\n") == fields.count("\r") or any(sign in fields for sign in _BROKEN):
        raise HeaderError("a header field has a bare line end, NUL, an empty line or a dot that begins a line")
    return fields


def header_fields(subject: str, headers: MessageHeaders) -> list[str]:
    """All fields but those of MIME, in the order they are sent."""
    fields = [
        f"Date: {date(headers.date)}\r\n",
        _constant_mailbox("From", headers.sender_name, headers.sender_email),
        mailbox("To", None, headers.recipient),
    ]
    if headers.reply_to:
        fields.append(_constant_mailbox("Reply-To", None, headers.reply_to))
    fields.append(unstructured("Subject", subject))
    fields.append(f"Message-ID: <{_message_id(headers.message_id)}>\r\n")
    if headers.unsubscribe_url or headers.unsubscribe_mailto:
        fields += _unsubscribe(headers.unsubscribe_url, headers.unsubscribe_mailto)
    fields.append(_constant_fields(headers.sender_email, headers.stream, headers.feedback_id, headers.bulk))
    return fields


def _unsubscribe(url: str | None, mailto: str | None) -> list[str]:
    """Mailbox providers look for the literal `<https://`: the field is folded between the two, never encoded.

    One click works by https only (RFC 8058): without such an address the mailto: stands alone, and no Post field.
    """
    ways = [f"<{_way(way, scheme)}>" for way, scheme in ((url, "https://"), (mailto, "mailto:")) if way]
    field = folded("List-Unsubscribe", ways, ", ")
    if max(map(len, field.split("\r\n"))) > MAX_LINE:
        raise HeaderError("List-Unsubscribe is longer than a line may be: shorten the base URL")
    return [field, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"] if url else [field]


def _way(address: str, scheme: str) -> str:
    if not address.startswith(scheme) or not _WAY.fullmatch(address):
        raise HeaderError(f"List-Unsubscribe needs one {scheme} address, not {address!r:.80}")
    return address


def _message_id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise HeaderError(f"Message-ID must be token@domain, not {value!r:.80}")
    return value


@lru_cache(maxsize=256)
def _constant_mailbox(name: str, display: str | None, address: str) -> str:
    """Fields that say the same in every mail of a sender."""
    return mailbox(name, display, address)


@lru_cache(maxsize=256)
def _constant_fields(sender: str, stream: Stream | None, feedback_id: str | None, bulk: bool) -> str:
    """Fields that say the same in every mail of a step."""
    fields = [_list_id(stream, wire_address(sender).domain)] if stream is not None else []
    if feedback_id:
        fields.append(f"Feedback-ID: {_feedback_id(feedback_id)}\r\n")
    fields.append("Auto-Submitted: auto-generated\r\n")
    if bulk:
        fields.append("Precedence: bulk\r\n")
    fields.append("X-Auto-Response-Suppress: OOF, AutoReply\r\n")
    return "".join(fields)


def _list_id(stream: Stream, domain: str) -> str:
    label = "".join(char if char.isascii() and char.isalnum() else "-" for char in stream.id.lower()).strip("-")
    listed = f"<{label[:63] or 'mail'}.{ascii_domain(domain)}>"
    return folded("List-Id", [*display_words(stream.name), listed], " ")


def _feedback_id(value: str) -> str:
    checked("Feedback-ID", value)
    if len(value) > 70 or value.count(":") > 3 or " " in value:
        raise HeaderError(f"Feedback-ID {value!r:.90} must be at most four words with colons between, 70 characters")
    return value


def _boundary(message_id: str) -> str:
    """`=_` never occurs in quoted-printable (RFC 2045), so no body can hold it; the rest tells messages apart."""
    return "=_" + hashlib.blake2b(message_id.encode(), digest_size=12).hexdigest()


def _closed(part: str) -> str:
    """A part that ends in one line end, which is the boundary's (RFC 2046 section 5.1.1), and in no soft line break."""
    if part.endswith("=\r\n"):
        return part[:-3] + "\r\n"
    return part if part.endswith("\r\n") else part + "\r\n"

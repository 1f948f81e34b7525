"""A mail from a mailbox that the whole Internet can write to: parsed within bounds, or not at all.

Only the first 256 KiB are looked at: what a bounce has to say stands at its beginning. What has more parts, or is
nested deeper, than any bounce is refused before the parser sees it, whose time grows with both.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage, Message

from nurture.intake.feedback.notice import UnreadableError

MOST_BYTES = 256 << 10
MOST_BOUNDARIES, MOST_DELIMITERS, MOST_PARTS, MOST_DEPTH, MOST_LINE_HEADERS = 20, 400, 100, 10, 1000
_BOUNDARY = re.compile(rb"boundary\s*\*?[\d*]*\s*=", re.IGNORECASE)
_DELIMITER = re.compile(rb"^--", re.MULTILINE)
_MESSAGE = re.compile(rb"^content-type:\s*message/", re.IGNORECASE | re.MULTILINE)
# Where mail servers write whom a mail was for; `To` last, for it is the sender's own word.
_FOR = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-rcpt-to", "to")


@dataclass(frozen=True, slots=True)
class Mail:
    """`raw` is what was looked at."""

    raw: bytes
    message: EmailMessage
    id: str

    def header(self, name: str) -> str:
        return header(self.message, name)

    def recipients(self) -> list[str]:
        """Whom it was for, as its headers say."""
        return [str(value)[:2000] for name in _FOR for value in self._all(name)]

    def _all(self, name: str) -> list[str]:
        try:
            return [str(value) for value in self.message.get_all(name, [])[:20]]
        except Exception:  # noqa: BLE001 - the parser of structured headers has its own ideas about hostile ones
            return []

    @property
    def text(self) -> str:
        """Everything, as text, with the soft line breaks of quoted-printable undone: for finding tokens."""
        return re.sub(rb"=\r?\n", b"", self.raw).decode("utf-8", "replace")

    def parts(self) -> Iterator[Message]:
        """All parts, outermost first. Raises UnreadableError beyond the bounds."""
        waiting: list[tuple[Message, int]] = [(self.message, 0)]
        seen = 0
        while waiting:
            part, depth = waiting.pop(0)
            seen += 1
            if seen > MOST_PARTS or depth > MOST_DEPTH:
                raise UnreadableError(f"it has more than {MOST_PARTS} parts, or is nested deeper than {MOST_DEPTH}")
            yield part
            if part.is_multipart():
                waiting += [(each, depth + 1) for each in part.get_payload()]  # type: ignore[misc]


def read_mail(raw: bytes) -> Mail:
    """Raises UnreadableError."""
    looked_at = raw[:MOST_BYTES].lstrip(b"\r\n")
    if looked_at.startswith(b"From "):  # the separator of mbox files, which pipes often add
        looked_at = looked_at.partition(b"\n")[2]
    if not looked_at.strip():
        raise UnreadableError("it is empty")
    nested = len(_BOUNDARY.findall(looked_at)) + len(_MESSAGE.findall(looked_at))
    if nested > MOST_BOUNDARIES or len(_DELIMITER.findall(looked_at)) > MOST_DELIMITERS:
        raise UnreadableError("it has more parts, or is nested deeper, than any bounce")
    try:
        message = message_from_bytes(looked_at, policy=policy.default)
    except Exception as error:
        raise UnreadableError(f"it is no mail: {type(error).__name__}") from error
    assert isinstance(message, EmailMessage)
    return Mail(looked_at, message, hashlib.blake2b(_identity(message, looked_at), digest_size=16).hexdigest())


def header(part: Message, name: str) -> str:
    """A header's text in one line; empty where it is missing or cannot be read."""
    try:
        value = part.get(name)
    except Exception:  # noqa: BLE001 - as above
        return ""
    return " ".join(str(value).split())[:MOST_LINE_HEADERS] if value is not None else ""


def words(part: Message, most: int = 8 << 10) -> str:
    """The text of a text part."""
    try:
        payload = part.get_payload(decode=True)
    except Exception:  # noqa: BLE001 - a broken transfer encoding
        return ""
    if not isinstance(payload, bytes):
        return ""
    return payload[:most].decode("utf-8", "replace")


def _identity(message: EmailMessage, raw: bytes) -> bytes:
    """The same mail delivered twice differs in its trace headers; its Message-ID and its body do not."""
    body = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[-1]
    return header(message, "message-id").encode("utf-8", "replace") + b"\0" + body

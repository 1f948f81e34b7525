"""Delivery status notifications (RFC 3464), and bounces that follow no standard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message

from nurture.intake.feedback.diagnosis import brief, code_in, is_vague, status_in
from nurture.intake.feedback.mail import Mail, header, words
from nurture.intake.feedback.notice import Notice, Token, Told
from nurture.intake.feedback.second_opinion import second_opinion
from nurture.intake.feedback.verp import envelope_id

_FROM_A_MACHINE = re.compile(r"mailer-daemon|postmaster|mail delivery|mail administrator", re.IGNORECASE)
_SUBJECTS = re.compile(
    r"undeliver|not deliver|delivery (?:status notification|fail|error|problem)|returned mail|failure notice"
    r"|mail delivery (?:failed|system)|unzustellbar|non remis|could not be delivered",
    re.IGNORECASE,
)
_FIELDS = frozenset({"action", "status", "final-recipient", "diagnostic-code"})


@dataclass(frozen=True, slots=True)
class _Recipient:
    """The fields of one recipient."""

    action: str
    status: str
    diagnosis: str
    original: str


def read_dsn(mail: Mail, tokens: Sequence[Token]) -> Notice | None:
    """A DSN of RFC 3464 as a notice; None if it is none. Delayed, delivered, relayed and expanded tell nothing."""
    parts = [part for part in mail.parts() if part.get_content_type() == "message/delivery-status"]
    if not parts:
        return None
    found, of_mail = list(_recipients(parts)), list(_envelope_ids(parts))
    failed = [each for each in found if each.action == "failed"]
    trusted = (*tokens, *of_mail)
    if not failed:
        actions = ", ".join(sorted({each.action[:20] for each in found})) or "nothing"
        return Notice(told=Told.NOTHING, id=mail.id, via="dsn", tokens=trusted, why=f"it only says: {actions}")
    one = failed[0]
    code, enhanced = code_in(one.diagnosis), status_in(one.status)
    inner = status_in(one.diagnosis)
    if inner is not None and (enhanced is None or is_vague(enhanced)):
        enhanced = inner
    return Notice(
        told=Told.FAILED,
        id=mail.id,
        via="dsn",
        tokens=trusted,
        code=code,
        enhanced=enhanced,
        text=brief(one.diagnosis),
        recipient=one.original or None,
    )


def read_odd_bounce(mail: Mail, tokens: Sequence[Token]) -> Notice | None:
    """A bounce without machine-readable parts: only if it came from a mail server, and a second reader agrees."""
    if mail.header("auto-submitted").lower().startswith("auto-replied"):
        return None
    from_server = _FROM_A_MACHINE.search(mail.header("from")) or mail.header("return-path") == "<>"
    opinion = second_opinion(mail.message)
    if not opinion.is_bounce and not (from_server and _SUBJECTS.search(mail.header("subject"))):
        return None
    if not from_server and not _SUBJECTS.search(mail.header("subject")):
        return None
    if opinion.is_temporary and not opinion.is_permanent:
        return Notice(told=Told.NOTHING, id=mail.id, via="text", tokens=tuple(tokens), why="it only says: delayed")
    told = _told(mail)
    status = status_in(told)
    if status is not None and status.startswith("2"):
        status = None
    return Notice(
        told=Told.FAILED,
        id=mail.id,
        via="text",
        tokens=tuple(tokens),
        code=code_in(told),
        enhanced=status,
        text=brief(told),
    )


def _recipients(parts: Sequence[Message]) -> Iterator[_Recipient]:
    for part in parts:
        for block in _blocks(part):
            action = header(block, "action").lower().partition(" ")[0].partition("(")[0]
            if action:
                yield _Recipient(
                    action,
                    header(block, "status"),
                    header(block, "diagnostic-code"),
                    _address(header(block, "original-recipient")),
                )


def _envelope_ids(parts: Sequence[Message]) -> Iterator[Token]:
    for part in parts:
        for block in _blocks(part):
            yield from envelope_id(header(block, "original-envelope-id"))


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)][:50] if isinstance(payload, list) else []


def _address(field: str) -> str:
    """`rfc822; ana@example.com`, with the `+40` of xtext (RFC 3461 section 4) undone."""
    kind, _, address = field.partition(";")
    if kind.strip().lower() != "rfc822":
        return ""
    return re.sub(r"\+([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), address.strip()).strip("<>")


def _told(mail: Mail) -> str:
    """What the server says in words, without the mail it returns."""
    for part in mail.parts():
        if part.get_content_maintype() == "text":
            text = words(part)
            return re.split(r"(?im)^(?:received:|-{3,} ?(?:this is a copy|original|forwarded))", text, maxsplit=1)[0]
    return ""

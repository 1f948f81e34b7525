"""Complaints of mailbox providers: the abuse reporting format (RFC 5965, types also of RFC 6591 and RFC 6650)."""

from __future__ import annotations

from collections.abc import Sequence
from email import message_from_string, policy
from email.message import Message

from nurture.intake.feedback.mail import Mail, header, words
from nurture.intake.feedback.notice import Notice, Token, Told
from nurture.intake.feedback.verp import mentioned

_MEANINGS = {
    "abuse": Told.COMPLAINT,
    "fraud": Told.COMPLAINT,
    "opt-out": Told.UNSUBSCRIBE,
    "opt-out-list": Told.UNSUBSCRIBE,
}  # auth-failure, dmarc, virus, not-spam, other: about something else than a wish of hers


def read_arf(mail: Mail, tokens: Sequence[Token]) -> Notice | None:
    """A feedback report as a notice; None if it is none."""
    report = next((p for p in mail.parts() if p.get_content_type() == "message/feedback-report"), None)
    if report is None:
        return None
    fields = _fields(report)
    kind = header(fields, "feedback-type").lower()
    told = _MEANINGS.get(kind, Told.NOTHING)
    sender = tuple(mentioned(header(fields, "original-mail-from")))
    return Notice(
        told=told,
        id=mail.id,
        via="arf",
        tokens=(*sender, *tokens),
        text=kind[:50],
        why="" if told is not Told.NOTHING else f"a report of type {kind[:50] or 'unknown'}",
    )


def _fields(report: Message) -> Message:
    """The parser reads message/feedback-report as a mail of its own, or as text."""
    payload = report.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return payload[0]
    text = words(report) or (payload if isinstance(payload, str) else "")
    return message_from_string(text.lstrip(), policy=policy.default)

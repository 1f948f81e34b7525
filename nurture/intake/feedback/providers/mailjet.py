"""Mailjet's event webhook, grouped or one by one.

https://dev.mailjet.com/email/guides/webhooks/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nurture.intake.feedback.notice import Notice, Told
from nurture.intake.feedback.providers.item import Item

_TOLD = {"spam": Told.COMPLAINT, "unsub": Told.UNSUBSCRIBE}
_CAUSES = {
    "user unknown": "5.1.1",
    "mailbox inactive": "5.2.1",
    "quota exceeded": "5.2.2",
    "invalid domain": "5.1.2",
    "no mail host": "5.1.2",
    "preblocked": "5.2.1",
    "relay/access denied": "5.7.1",
    "greylisted": "4.7.1",
    "blacklisted": "5.7.1",
    "spam reporter": "5.7.1",
    "sender blocked": "5.7.1",
    "content blocked": "5.7.1",
    "policy issue": "5.7.1",
    "spam content": "5.7.1",
}


def items(data: Any) -> Iterable[Any]:
    return data if isinstance(data, list) else [data]


def notice(item: Item) -> Notice:
    """Raises UnreadableError. Its `hard_bounce` is not looked at: the cause counts."""
    kind, error = item.text("event"), item.text("error")
    message = item.text("Message_GUID") or item.text("MessageID")
    about: dict[str, Any] = {
        "id": f"{kind} {message} {item.text('email')}" if message else "",
        "email": item.text("email"),
        "at": item.text("time"),
    }
    if kind in _TOLD:
        return item.notice(_TOLD[kind], **about)
    if kind not in {"bounce", "blocked"}:
        return item.nothing(kind or "nothing")
    cause = _CAUSES.get(error, "5.7.1" if item.text("error_related_to") in {"spam", "content", "policy"} else None)
    if cause is not None and cause.startswith(("5.7", "4.7")):
        return item.notice(Told.FAILED, enhanced=cause, text=error[:50], **about)
    return item.failed(item.text("comment") or error, cause=cause, **about)

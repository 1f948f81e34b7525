"""SendGrid's event webhook.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nurture.intake.feedback.notice import Notice, Told
from nurture.intake.feedback.providers.item import Item

_TOLD = {
    "spamreport": Told.COMPLAINT,
    "unsubscribe": Told.UNSUBSCRIBE,
    "group_unsubscribe": Told.UNSUBSCRIBE,
}
_CAUSES = {
    "Invalid Address": "5.1.1",
    "Mailbox Unavailable": "5.2.1",
    "Content": "5.7.1",
    "Reputation": "5.7.1",
    "Frequency or Volume Too High": "4.7.0",
}
_ABOUT_THE_SENDER = frozenset({"Content", "Reputation", "Frequency or Volume Too High"})
# What SendGrid does not even try, because of what came back before.
_DROPPED = {"Invalid": "5.1.3", "Bounced Address": "5.2.1"}


def items(data: Any) -> Iterable[Any]:
    return data if isinstance(data, list) else [data]


def notice(item: Item) -> Notice:
    """Raises UnreadableError."""
    kind, reason = item.text("event"), item.text("reason")
    about: dict[str, Any] = {
        "id": item.text("sg_event_id"),
        "email": item.text("email"),
        "at": item.text("timestamp"),
        "tokens": item.tokens(("smtp-id",)),
    }
    if kind in _TOLD:
        return item.notice(_TOLD[kind], **about)
    if kind == "dropped" and reason in _DROPPED:
        return item.failed("", cause=_DROPPED[reason], **about)
    if kind != "bounce":
        return item.nothing(f"{kind or 'nothing'} {reason if kind == 'dropped' else ''}".strip())
    why = item.text("bounce_classification")
    if why in _ABOUT_THE_SENDER:  # servers do answer 5.1.1 to a sender they do not want
        return item.notice(Told.FAILED, enhanced=_CAUSES[why], text=why, **about)
    cause = "5.7.1" if item.text("type") == "blocked" and not why else _CAUSES.get(why)
    return item.failed(reason, cause=cause, status=item.text("status"), **about)

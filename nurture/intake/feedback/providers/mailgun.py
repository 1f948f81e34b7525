"""Mailgun's webhooks.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nurture.intake.feedback.notice import Notice, Told
from nurture.intake.feedback.providers.item import Item

_CAUSES = {
    "suppress-bounce": "5.2.1",
    "suppress-complaint": "5.7.1",
    "suppress-unsubscribe": "5.7.1",
    "bounce": "5.2.1",
    "espblock": "5.7.1",
    "old": "4.4.7",
}
_TOLD = {"complained": Told.COMPLAINT, "unsubscribed": Told.UNSUBSCRIBE}


def items(data: Any) -> Iterable[Any]:
    return [data.get("event-data")] if isinstance(data, dict) else [data]


def notice(item: Item) -> Notice:
    """Raises UnreadableError."""
    kind = item.text("event")
    about: dict[str, Any] = {
        "id": item.text("id"),
        "email": item.text("recipient"),
        "at": item.text("timestamp"),
        "tokens": item.tokens(("envelope", "sender"), ("message", "headers", "message-id")),
    }
    if kind in _TOLD:
        return item.notice(_TOLD[kind], **about)
    if kind != "failed" or item.text("severity") == "temporary":  # it goes on trying
        return item.nothing(f"{kind or 'nothing'} {item.text('severity')}".strip())
    return item.failed(
        item.text("delivery-status", "message") or item.text("delivery-status", "description"),
        cause=_CAUSES.get(item.text("reason")),
        status=item.text("delivery-status", "enhanced-code"),
        code=item.text("delivery-status", "code"),
        **about,
    )

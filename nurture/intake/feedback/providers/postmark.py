"""Postmark: bounce, spam complaint and subscription change.

https://postmarkapp.com/developer/webhooks/webhooks-overview
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nurture.intake.feedback.notice import Notice, Told
from nurture.intake.feedback.providers.item import Item

_CAUSES: dict[str, str | None] = {
    "HardBounce": "5.2.1",
    "BadEmailAddress": "5.1.3",
    "DnsError": "4.4.4",
    "SoftBounce": None,
    "Unknown": None,
    "SpamNotification": "5.7.1",
    "VirusNotification": "5.7.1",
    "Blocked": "5.7.1",
    "DMARCPolicy": "5.7.1",
}  # the other types (AutoResponder, AddressChange, ChallengeVerification, Transient ...) are no failures


def items(data: Any) -> Iterable[Any]:
    return [data]


def notice(item: Item) -> Notice:
    """Raises UnreadableError."""
    record, kind = item.text("RecordType"), item.text("Type")
    about: dict[str, Any] = {
        "id": f"{record} {item.text('ID') or item.text('MessageID')}".strip(),
        "email": item.text("Email") or item.text("Recipient"),
        "at": item.text("BouncedAt") or item.text("ChangedAt"),
    }
    if record == "SpamComplaint" or (record == "Bounce" and kind == "SpamComplaint"):
        return item.notice(Told.COMPLAINT, **about)
    if record == "SubscriptionChange":
        her_wish = item.get("SuppressSending") is True and item.text("SuppressionReason") == "ManualSuppression"
        if her_wish and item.text("Origin") == "Recipient":
            return item.notice(Told.UNSUBSCRIBE, **{**about, "id": f"{about['id']} {about['at']}"})
        return item.nothing(f"{record} {item.text('SuppressionReason')}")
    if record == "Bounce" and kind == "Unsubscribe":
        return item.notice(Told.UNSUBSCRIBE, **about)
    if record == "Bounce" and kind in _CAUSES:
        return item.failed(item.text("Details") or item.text("Description"), cause=_CAUSES[kind], **about)
    return item.nothing(f"{record or 'nothing'} {kind}".strip())

"""Amazon SES by SNS: bounce, complaint and subscription notifications and events.

https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nurture.intake.feedback.notice import Notice, Told
from nurture.intake.feedback.providers.item import Item

# (bounceType, bounceSubType) -> what it means; what only says "permanent" is left to the words and to a second strike.
_CAUSES = {
    ("Permanent", "NoEmail"): "5.1.1",
    ("Permanent", "General"): "5.2.1",
    ("Permanent", "Suppressed"): "5.2.1",
    ("Permanent", "OnAccountSuppressionList"): "5.2.1",
    ("Transient", "MailboxFull"): "5.2.2",
    ("Transient", "MessageTooLarge"): "5.3.4",
    ("Transient", "ContentRejected"): "5.6.0",
    ("Transient", "AttachmentRejected"): "5.6.0",
}


def items(data: Any) -> Iterable[Any]:
    return [data]


def notice(item: Item) -> Notice:
    """Raises UnreadableError."""
    kind = item.text("notificationType") or item.text("eventType")
    tokens = item.tokens(("mail", "source"), ("mail", "commonHeaders", "messageId"))
    if not tokens:  # its own headers, where SES is told to include them
        headers = item.get("mail", "headers")
        found = [each for each in headers[:50] if isinstance(each, dict)] if isinstance(headers, list) else []
        tokens = tuple(
            token
            for each in found
            if str(each.get("name")).lower() == "message-id"
            for token in Item(item.provider, each).tokens(("value",))
        )
    match kind:
        case "Bounce":
            email = item.text("bounce", "bouncedRecipients", 0, "emailAddress")
            return item.failed(
                item.text("bounce", "bouncedRecipients", 0, "diagnosticCode"),
                cause=_CAUSES.get((item.text("bounce", "bounceType"), item.text("bounce", "bounceSubType"))),
                status=item.text("bounce", "bouncedRecipients", 0, "status"),
                id=item.text("bounce", "feedbackId"),
                email=email,
                at=item.text("bounce", "timestamp"),
                tokens=tokens,
            )
        case "Complaint":
            if item.text("complaint", "complaintFeedbackType") in {"not-spam", "auth-failure", "virus"}:
                return item.nothing(f"complaint of type {item.text('complaint', 'complaintFeedbackType')}")
            email = item.text("complaint", "complainedRecipients", 0, "emailAddress")
            at, name = item.text("complaint", "timestamp"), item.text("complaint", "feedbackId")
            return item.notice(Told.COMPLAINT, id=name, email=email, at=at, tokens=tokens)
        case _:
            return item.nothing(kind or "nothing")

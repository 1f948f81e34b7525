"""What mail providers report by webhooks, read into the same notices as mails that come back. Pure: JSON to values.

Each reader knows one provider's words for causes and says the status of RFC 3463 that means the same; what the
receiving server itself said goes first, wherever it names a cause.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nurture.intake.feedback.notice import Notice, UnreadableError
from nurture.intake.feedback.providers import mailgun, mailjet, postmark, sendgrid, ses, sparkpost
from nurture.intake.feedback.providers.item import Item


class Provider(StrEnum):
    SES = "ses"
    MAILGUN = "mailgun"
    POSTMARK = "postmark"
    SENDGRID = "sendgrid"
    MAILJET = "mailjet"
    SPARKPOST = "sparkpost"


_READERS: dict[Provider, tuple[Callable[[Any], Iterable[Any]], Callable[[Item], Notice]]] = {
    Provider.SES: (ses.items, ses.notice),
    Provider.MAILGUN: (mailgun.items, mailgun.notice),
    Provider.POSTMARK: (postmark.items, postmark.notice),
    Provider.SENDGRID: (sendgrid.items, sendgrid.notice),
    Provider.MAILJET: (mailjet.items, mailjet.notice),
    Provider.SPARKPOST: (sparkpost.items, sparkpost.notice),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a report, as it came, and what it says: a notice, or why it says nothing that can be read."""

    body: str
    notice: Notice | None = None
    why: str = ""


def read_report(provider: Provider, data: Any) -> list[Told]:
    """Every event of one authenticated report, each for itself: one that cannot be read spoils no other."""
    split, read = _READERS[provider]
    return [_told(Item(provider.value, each), read) for each in split(data)]


def _told(item: Item, read: Callable[[Item], Notice]) -> Told:
    body = json.dumps(item.data, ensure_ascii=False)
    try:
        if not isinstance(item.data, dict):
            raise UnreadableError("it is no JSON object")
        return Told(body, read(item))
    except UnreadableError as error:
        return Told(body, why=f"{item.provider}: {error}")


__all__ = ["Item", "Provider", "Told", "read_report"]

"""What a template may know of a person: plain dicts, lists, text, numbers and truths. Never a row, never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nurture.domain.campaign import Campaign
from nurture.domain.contact import Contact
from nurture.domain.enrolment import Grant
from nurture.domain.event import plain
from nurture.domain.programme import Programme, Sender
from nurture.domain.steps import Send


@dataclass(frozen=True, slots=True)
class Links:
    """The signed, personal addresses of one mail; `confirm` stands in transactional mail only.

    `answers` is what those of answers to surveys begin with, where there are surveys.
    """

    unsubscribe: str
    preferences: str
    view: str
    confirm: str | None = None
    answers: str | None = None


def sender_of(programme: Programme, send: Send) -> Sender:
    """The sender a step names, else the first of the project."""
    if send.sender is not None:
        return programme.senders[send.sender]
    return next(iter(programme.senders.values()))


def template_context(
    programme: Programme,
    campaign: Campaign,
    send: Send,
    contact: Contact,
    start: Mapping[str, Any],
    grant: Grant | None,
    links: Links,
) -> dict[str, Any]:
    """Everything the mail of this step can say about this person."""
    sender = sender_of(programme, send)
    begun_by = plain(start)
    context: dict[str, Any] = {
        "contact": plain({**contact.named(), "locale": contact.locale or programme.locale}),
        "start": begun_by,
        "event": begun_by,
        "campaign": {"name": campaign.name, "title": campaign.title},
        "step": send.id,
        "sender": {"name": sender.name, "email": sender.email},
        "topic": topic_title(programme, campaign),
        "unsubscribe_url": links.unsubscribe,
        "preferences_url": links.preferences,
        "view_url": links.view,
    }
    if links.confirm is not None:
        context["confirm_url"] = links.confirm
    if links.answers is not None:
        context["answers_url"] = links.answers
    if grant is not None:
        context["offer"] = plain(grant.named())
    return context


def topic_title(programme: Programme, campaign: Campaign) -> str | None:
    """What people unsubscribe from, in words."""
    topic = programme.topics.get(campaign.topic or "")
    return topic.title if topic is not None else None

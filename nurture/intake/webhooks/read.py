"""From the bytes of a webhook to what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nurture.domain.incoming import WebhookSource
from nurture.intake.events import SignalError
from nurture.intake.webhooks import mapping, shopify, stripe, woocommerce
from nurture.intake.webhooks.message import Meaning, Message

_MESSAGES: Mapping[str, Callable[[Mapping[str, str], Mapping[str, Any]], Message]] = {
    "shopify": shopify.message,
    "woocommerce": woocommerce.message,
    "stripe": stripe.message,
}
_TOPICS = {"shopify": shopify.TOPICS, "woocommerce": woocommerce.TOPICS, "stripe": stripe.TOPICS}


def message_of(source: WebhookSource, headers: Mapping[str, str], data: Any) -> Message:
    """Raises SignalError for what has no topic or id, as that shop names them."""
    if not isinstance(data, dict):
        raise SignalError("its body is no JSON object")
    if source.kind == "generic":
        return mapping.message(source, headers, data)
    told = _MESSAGES[source.kind](headers, data)
    if not told.topic or not told.id or len(told.id) > 200:
        raise SignalError(f"it does not say its topic and id as {source.kind} does")
    return told


def meaning_of(source: WebhookSource, told: Message) -> Meaning:
    """What it means. Raises SignalError for a topic that is not taken."""
    if source.kind == "generic":
        return mapping.read(source, told)
    reader = _TOPICS[source.kind].get(told.topic)
    if reader is None:
        raise SignalError(f"the topic {told.topic[:80]!r} is not taken; take it off the webhooks of {source.kind}")
    return reader(told)

"""Webhooks of any other system, read as the project's mapping says (JSON Pointer, RFC 6901)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from nurture.domain.incoming import MappedEvent, Pointer, WebhookSource
from nurture.intake.events import SignalError
from nurture.intake.webhooks.message import Meaning, Message, Told, email, instant, stated, text
from nurture.intake.whereabouts import known_locale, known_zone


def message(source: WebhookSource, headers: Mapping[str, str], data: Mapping[str, Any]) -> Message:
    """Which one it is: by its headers, by the pointer `id`, else by all that it says."""
    named = headers.get("webhook-id") or (text(at(data, source.id)) if source.id else None)
    if named is None:
        content = json.dumps(data, sort_keys=True).encode("utf-8", "surrogatepass")
        named = f"content-{hashlib.blake2b(content, digest_size=16).hexdigest()}"
    return Message("", named, data)


def read(source: WebhookSource, told: Message) -> Meaning:
    """Every event whose `when` fits. Raises SignalError if none does."""
    found = [
        _event(rule, told, place)
        for place, rule in enumerate(source.events)
        if all(at(told.data, pointer) == value for pointer, value in rule.when.items())
    ]
    if not found:
        raise SignalError("none of the events in campaigns/_webhooks.yaml is meant by it")
    return found


def _event(rule: MappedEvent, told: Message, place: int) -> Told:
    def taken(pointer: Pointer | None) -> Any:
        return at(told.data, pointer) if pointer is not None else None

    return Told(
        name=rule.event,
        message_id=f"{told.id}:{place}" if place else told.id,
        email=email(taken(rule.email)),
        user=text(taken(rule.user), 255),
        at=instant(taken(rule.at)),
        properties=_values(rule.properties, told.data),
        traits=_values(rule.traits, told.data) if rule.traits else None,
        zone=known_zone(taken(rule.zone)),
        locale=known_locale(taken(rule.locale)),
    )


def _values(rules: Mapping[str, Any], data: Any) -> dict[str, Any]:
    return stated(**{name: at(data, rule) if isinstance(rule, tuple) else rule for name, rule in rules.items()})


def at(data: Any, pointer: Pointer) -> Any:
    """What a pointer leads to; None if it leads nowhere."""
    for part in pointer:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and part.isascii() and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data

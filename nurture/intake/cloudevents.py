"""CloudEvents 1.0 (https://github.com/cloudevents/spec): attributes and data into an event. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from nurture.intake.addresses import address_problem
from nurture.intake.events import MAX_NAME, RESERVED, SignalError, read_instant
from nurture.intake.json_text import is_storable, unstorable

MAX_SOURCE, MAX_ID = 90, 255


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """(`source`, `message_id`) identifies it for ever. `at` is aware and in UTC; None means now."""

    name: str
    source: str
    message_id: str
    at: datetime | None
    email: str | None
    external_id: str | None
    properties: Mapping[str, Any]


def from_headers(headers: Iterable[tuple[str, str]], data: Any) -> dict[str, Any]:
    """Binary mode: `ce-type`, `ce-source` ... percent-decoded, as the structured event they stand for."""
    attributes: dict[str, Any] = {
        name[3:].lower(): unquote(value.strip().strip('"')) for name, value in headers if name[:3].lower() == "ce-"
    }
    if data is not None:
        attributes["data"] = data
    return attributes


def read_cloud_event(data: Any) -> CloudEvent:
    """One event from JSON data. Raises SignalError."""
    if not isinstance(data, dict):
        raise SignalError("a CloudEvent is an object")
    if data.get("specversion") != "1.0":
        raise SignalError('specversion must be "1.0"')
    name = _text(data, "type", MAX_NAME)
    if name.casefold().startswith(RESERVED):
        raise SignalError(f"types that begin with {RESERVED} are our own; choose another")
    properties = data.get("data", {})
    if "data_base64" in data or not isinstance(properties, dict):
        raise SignalError("data must be a JSON object")
    if problem := unstorable(properties):
        raise SignalError(f"its data {problem}")
    subject = _text(data, "subject", 320)
    email = subject if "@" in subject and address_problem(subject) is None else None
    return CloudEvent(
        name,
        _source(_text(data, "source", 2000)),
        _text(data, "id", MAX_ID),
        read_instant(data.get("time"), "time"),
        email,
        None if email else subject[:MAX_ID],
        properties,
    )


def _source(uri: str) -> str:
    """Marked as such, so that no source can pass for one of ours; the end of a long one is replaced by its hash."""
    if len(uri) <= MAX_SOURCE:
        return f"ce:{uri}"
    return f"ce:{uri[: MAX_SOURCE - 17]}-{hashlib.blake2b(uri.encode(), digest_size=8).hexdigest()}"


def _text(data: Mapping[str, Any], key: str, most: int) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value.strip():
        whose = ": whose event it is, an address or your own id" if key == "subject" else ""
        raise SignalError(f"{key} is needed{whose}")
    value = value.strip()
    if len(value) > most or not is_storable(value) or not value.isprintable():
        raise SignalError(f"{key} has at most {most} printable characters")
    return value

"""Segment's protocol: `track`, `identify`, `page`, `screen`, `group` and `alias`, alone or in batches.

After https://segment.com/docs/connections/spec/ as its own clients speak it. Pure: bytes and instants in, calls out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from nurture.domain.event import NOTHING
from nurture.domain.frozen import frozen
from nurture.intake.addresses import address_problem
from nurture.intake.events import MAX_NAME, RESERVED, SignalError
from nurture.intake.json_text import is_storable, unfit, unstorable
from nurture.intake.whereabouts import known_locale, known_zone

KINDS = ("track", "identify", "page", "screen", "group", "alias")
SHORT = {kind[0]: kind for kind in KINDS}  # the browser's /v1/t, /v1/i ...
MAX_ID = 255
IDENTIFIED, ALIASED = "nurture.identified", "nurture.aliased"
PAGE_VIEWED, SCREEN_VIEWED, GROUP_JOINED = "Page Viewed", "Screen Viewed", "Group Joined"


@frozen
class Call:
    """One call, checked but not yet judged. `at` is aware and in UTC, corrected by the client's clock; None means now.

    `name` is the event it is stored as, ours for `identify` and `alias`, so that each is taken once for ever.
    """

    name: str
    message_id: str | None
    at: datetime | None
    external_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    email: str | None = None
    properties: Mapping[str, Any] = field(default=NOTHING)
    traits: Mapping[str, Any] | None = None
    zone: str | None = None
    locale: str | None = None


def read_call(data: Any, kind: str | None, received: datetime, sent: Any = None, *, clean: bool = False) -> Call:
    """One call from JSON data. `kind` is that of the address it came to, else its own `type`. Raises SignalError.

    `sent` is the batch's `sentAt`: what the client's clock showed when ours showed `received`. `clean` data is of JSON
    without any character written by its number, so that all its texts can be stored.
    """
    if not isinstance(data, dict):
        raise SignalError("a call is an object with a type, a userId or anonymousId, and what happened")
    kind = kind or data.get("type")
    if kind not in KINDS:
        raise SignalError(f"type {str(kind)[:40]!r} is not one of {', '.join(KINDS)}")
    problem = unfit(data) if clean else unstorable(data)
    if problem is not None:
        raise SignalError(f"its data {problem}")
    user, browser, previous = (_id(data, key) for key in ("userId", "anonymousId", "previousId"))
    if kind == "alias":
        if user is None or previous is None:
            raise SignalError("an alias needs previousId and userId")
        return Call(ALIASED, _id(data, "messageId"), _at(data, received, sent), user, None, previous)
    if user is None and browser is None:
        raise SignalError("whose is it? userId or anonymousId is needed")
    context = _object(data, "context")
    traits = _object(data, "traits") if kind == "identify" else _object(context, "traits")
    email = _email(traits)
    zone = known_zone(context.get("timezone")) or known_zone(traits.get("timezone"))
    locale = known_locale(context.get("locale")) or known_locale(traits.get("locale"))
    name, properties = (IDENTIFIED, NOTHING) if kind == "identify" else _told(kind, data)
    return Call(
        name,
        _id(data, "messageId"),
        _at(data, received, sent),
        user,
        browser,
        None,
        email,
        properties,
        attributes_of(traits) if kind == "identify" else None,
        zone,
        locale,
    )


def attributes_of(traits: Mapping[str, Any]) -> dict[str, Any]:
    """Traits as attributes: `firstName` is `first_name`; what nurture keeps elsewhere is left out."""
    return {name: value for key, value in traits.items() if (name := snake_case(key)) not in _KEPT_ELSEWHERE}


_KEPT_ELSEWHERE = frozenset({"email", "timezone", "locale", "id", "created_at"})
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@lru_cache(4096)
def snake_case(name: str) -> str:
    """`firstName`, `First Name` and `first-name` are all `first_name`."""
    return re.sub(r"[\s\-]+", "_", _HUMPS.sub("_", name.strip())).lower()


def _told(kind: str, data: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The event's name and properties."""
    if kind == "track":
        name = data.get("event")
        if not isinstance(name, str) or not name.strip():
            raise SignalError('a track has an event, as "Order Completed"')
        name = name.strip()
        if len(name) > MAX_NAME or not name.isprintable():
            raise SignalError(f"an event's name has at most {MAX_NAME} printable characters")
        if name.casefold().startswith(RESERVED):
            raise SignalError(f"event names that begin with {RESERVED} are our own; choose another")
        return name, _object(data, "properties")
    if kind == "group":
        return GROUP_JOINED, {"group_id": _id(data, "groupId"), **_object(data, "traits")}
    seen = {key: data[key] for key in ("name", "category") if isinstance(data.get(key), str)}
    return (PAGE_VIEWED if kind == "page" else SCREEN_VIEWED), {**_object(data, "properties"), **seen}


def _at(data: Mapping[str, Any], received: datetime, sent: Any) -> datetime | None:
    """When it happened by our clock: the client's may be wrong, but it is wrong by the same for all it says."""
    told = _instant(data, "timestamp") or _instant(data, "originalTimestamp")
    if told is None:
        return None
    shown = _instant(data, "sentAt") or (_instant({"sentAt": sent}, "sentAt") if sent is not None else None)
    try:
        return told if shown is None else told + (received - shown)
    except OverflowError:
        raise SignalError("its timestamp and sentAt are too far apart") from None


def _instant(data: Mapping[str, Any], key: str) -> datetime | None:
    value = data.get(key)
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
        return instant.astimezone(UTC) if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        raise SignalError(f"{key} {str(value)[:40]!r} is no instant; write 2026-03-28T20:00:00Z") from None


def _id(data: Mapping[str, Any], key: str) -> str | None:
    """An id may be a number in other people's systems; here it is text."""
    value = data.get(key)
    if type(value) is int:
        return str(value)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise SignalError(f"{key} must be text, in quotes")
    value = value.strip()
    if len(value) > MAX_ID or not is_storable(value):
        raise SignalError(f"{key} has at most {MAX_ID} characters")
    return value or None


def _object(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    if value is None:
        return NOTHING
    if not isinstance(value, dict):
        raise SignalError(f"{key} must be an object")
    return value


def _email(traits: Mapping[str, Any]) -> str | None:
    value = traits.get("email")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise SignalError("the trait email must be text")
    value = value.strip()
    if problem := address_problem(value):
        raise SignalError(f"the trait email {problem}")
    return value

"""Events as JSON Lines: one event a line, with the names Segment's protocol uses and the ones people write by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from nurture.domain.event import NOTHING
from nurture.errors import NurtureError
from nurture.intake.addresses import address_problem
from nurture.intake.json_text import is_storable, parse_json, unstorable
from nurture.intake.whereabouts import known_locale, known_zone

MAX_LINE = 256 << 10
MAX_NAME = 200
RESERVED = "nurture."

# Segment's spelling, ours, and what both mean. Of two that stand in one line the first wins.
_KEYS: dict[str, tuple[str, ...]] = {
    "name": ("event", "name"),
    "external_id": ("userId", "user_id", "external_id"),
    "email": ("email",),
    "at": ("timestamp", "at", "originalTimestamp"),
    "message_id": ("messageId", "message_id"),
    "properties": ("properties", "with"),
    "traits": ("traits",),
    "zone": ("zone", "timezone"),
    "locale": ("locale",),
}
# Sent by Segment's clients, without meaning here (but for the zone and locale in `context`).
_PASSED_OVER = frozenset(
    {"type", "context", "integrations", "anonymousId", "anonymous_id", "sentAt", "receivedAt", "channel", "version"}
    | {"writeKey", "_metadata", "category"}
)
_ALL_KEYS = frozenset(key for keys in _KEYS.values() for key in keys) | _PASSED_OVER


class SignalError(NurtureError):
    """What came in is not an event; the message names the line and what to write."""


@dataclass(frozen=True, slots=True)
class Signal:
    """An event as somebody else sent it, checked but not yet judged. `at` is aware and in UTC, None means now."""

    name: str
    email: str | None = None
    external_id: str | None = None
    at: datetime | None = None
    properties: Mapping[str, Any] = field(default=NOTHING)
    traits: Mapping[str, Any] = field(default=NOTHING)
    message_id: str | None = None
    line: int = 0
    zone: str | None = None
    locale: str | None = None


def read_events(source: Iterable[str], name: str = "stdin") -> Iterator[Signal | SignalError]:
    """Every line as an event, or as the error of that line; empty lines are passed over."""
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            yield read_event(_parsed(line, place), place, number)
        except SignalError as error:
            yield error


def read_event(data: Any, place: str, line: int = 0) -> Signal:
    """One event from plain JSON data. Raises SignalError."""
    if not isinstance(data, dict):
        raise SignalError(f'{place}: an event is an object, as {{"event": "Order Completed", "email": "..."}}')
    for key in data:
        if key not in _ALL_KEYS:
            raise SignalError(f"{place}: {_unknown(key)}")
    event = _picked(data, "name")
    return checked_signal(
        name=event,
        email=_text(data, "email", place),
        external_id=_id(data, place),
        at=read_instant(_picked(data, "at"), place),
        properties=_object(data, "properties", place),
        traits=_object(data, "traits", place),
        message_id=_text(data, "message_id", place),
        zone=_whereabouts(data, "zone"),
        locale=_whereabouts(data, "locale"),
        place=place,
        line=line,
    )


def checked_signal(
    *,
    name: Any,
    email: str | None,
    external_id: str | None,
    at: datetime | None,
    properties: Mapping[str, Any],
    traits: Mapping[str, Any],
    message_id: str | None,
    place: str,
    line: int = 0,
    zone: Any = None,
    locale: Any = None,
) -> Signal:
    """The rules for every event, however it came in. Raises SignalError.

    A zone or locale that is none is left out, and one among the traits is hers: her days and quiet hours go by it.
    """
    if not isinstance(name, str) or not name.strip():
        raise SignalError(f'{place}: the event has no name; write "event": "Order Completed"')
    name = name.strip()
    if len(name) > MAX_NAME or not name.isprintable():
        raise SignalError(f"{place}: an event's name has at most {MAX_NAME} printable characters")
    if name.casefold().startswith(RESERVED):
        raise SignalError(f"{place}: names that begin with {RESERVED} are our own; choose another")
    if email is None and external_id is None:
        raise SignalError(f'{place}: whose event is it? Write "email" or "userId"')
    if email is not None and (problem := address_problem(email)):
        raise SignalError(f"{place}: {email[:80]!r} {problem}")
    her_zone = known_zone(zone) or known_zone(traits.get("timezone")) or known_zone(traits.get("zone"))
    her_locale = known_locale(locale) or known_locale(traits.get("locale"))
    return Signal(name, email, external_id, at, properties, traits, message_id, line, her_zone, her_locale)


def read_instant(value: Any, place: str) -> datetime | None:
    """An instant with its offset, as UTC. Raises SignalError where the zone is missing: an hour is a mail too early."""
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise SignalError(
            f"{place}: {str(value)[:40]!r} is not an instant; write 2026-03-28T20:00:00Z or with an offset, +02:00"
        ) from None
    if instant.tzinfo is None:
        raise SignalError(f"{place}: {value[:40]!r} says no zone; add Z for UTC, or an offset as in +02:00")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise SignalError(f"{place}: {value[:40]!r} is out of range") from None


def _parsed(line: str, place: str) -> Any:
    if len(line) > MAX_LINE:
        raise SignalError(f"{place}: more than {MAX_LINE >> 10} KiB for one event; send less with it")
    try:
        return parse_json(line.removeprefix("\ufeff"))
    except RecursionError:
        raise SignalError(f"{place}: nested too deep") from None
    except ValueError as error:
        where = f", column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise SignalError(f"{place}{where}: not JSON ({what}); one event a line, all of it in that line") from None


def _picked(data: Mapping[str, Any], what: str) -> Any:
    return next((data[key] for key in _KEYS[what] if data.get(key) is not None), None)


def _text(data: Mapping[str, Any], what: str, place: str) -> str | None:
    value = _picked(data, what)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise SignalError(f"{place}: {_KEYS[what][0]} must be text, in quotes")
    if len(value) > 300 or not is_storable(value):
        raise SignalError(f"{place}: {_KEYS[what][0]} must have at most 300 characters, and no NUL among them")
    return value.strip()


def _whereabouts(data: Mapping[str, Any], what: str) -> Any:
    """What the line says itself, else the `context` that Segment's clients add."""
    context = data.get("context")
    around = context if isinstance(context, dict) else {}
    return _picked(data, what) or next((around[key] for key in _KEYS[what] if around.get(key)), None)


def _id(data: Mapping[str, Any], place: str) -> str | None:
    """An id may be a number in other people's systems; here it is text."""
    value = _picked(data, "external_id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(data, "external_id", place)


def _object(data: Mapping[str, Any], what: str, place: str) -> Mapping[str, Any]:
    value = _picked(data, what)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SignalError(f'{place}: {_KEYS[what][0]} must be an object, as {{"total": 80}}')
    if problem := unstorable(value):
        raise SignalError(f"{place}: {_KEYS[what][0]} {problem}")
    return value


def _unknown(key: str) -> str:
    near = get_close_matches(key, sorted(_ALL_KEYS - _PASSED_OVER), n=1)
    hint = f"did you mean {near[0]}?" if near else 'data of the event belongs into "with" (or "properties")'
    return f"unknown key {key[:60]!r}; {hint}"

"""What values mean to each other: kinds, comparison, membership, arithmetic. None is unknown, everywhere.

Numbers and booleans never mix. A time and an ISO 8601 text compare as instants. Nothing here raises.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from nurture.domain.event import Event
from nurture.domain.expression.tree import Kind, Part, instant_of

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
LARGEST_AMOUNT = 1e12
MICROSECONDS_A_DAY = 86_400_000_000


_KINDS = {bool: Kind.TRUTH, int: Kind.NUMBER, str: Kind.TEXT, datetime: Kind.TIME, list: Kind.LIST, tuple: Kind.LIST}


def kind_of_value(value: Any) -> Kind:
    """ANY for what cannot be compared: mappings, not-a-number, anything foreign."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if isinstance(value, bool):
        return Kind.TRUTH
    if isinstance(value, int | float):
        return Kind.NUMBER if value == value else Kind.ANY
    if isinstance(value, str):
        return Kind.TEXT
    if isinstance(value, datetime):
        return Kind.TIME
    if isinstance(value, list | tuple):
        return Kind.LIST
    return Kind.EVENT if isinstance(value, Event) else Kind.ANY


def as_instant(value: Any) -> datetime | None:
    """A time, an ISO text, or the instant of an event."""
    kind = type(value)
    if kind is Event:
        at: datetime = value.at
        return at
    if value is None:
        return None
    if isinstance(value, str):
        return instant_of(value)
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return None


def compare(op: str, left: Any, right: Any) -> bool | None:
    """Unknown if either side is, or if they are of different kinds. Booleans have no order."""
    one, other = kind_of_value(left), kind_of_value(right)
    if one is Kind.TIME or other is Kind.TIME:
        if not {one, other} <= {Kind.TIME, Kind.TEXT}:
            return None
        left, right = as_instant(left), as_instant(right)
        if left is None or right is None:
            return None
    elif one is not other or one in {Kind.ANY, Kind.LIST, Kind.EVENT} or (one is Kind.TRUTH and op not in {"==", "!="}):
        return None
    return bool(OPERATORS[op](left, right))


def member(item: Any, container: Any) -> bool | None:
    """Whether some member equals the item. Unknown if there are members but none of the item's kind."""
    if not isinstance(container, list | tuple):
        return None
    if type(item) is str and item in container:
        return True
    kind = kind_of_value(item)
    if kind not in {Kind.TRUTH, Kind.NUMBER, Kind.TEXT}:
        return None
    alike = [other for other in container if kind_of_value(other) is kind]
    if container and not alike:
        return None
    return item in alike


def calculate(op: str, left: Any, right: Any) -> float | None:
    """Numbers only; division by zero and results out of bounds are unknown."""
    if kind_of_value(left) is not Kind.NUMBER or kind_of_value(right) is not Kind.NUMBER:
        return None
    try:
        if op == "+":
            result = left + right
        elif op == "-":
            result = left - right
        elif op == "*":
            result = left * right
        else:
            result = left / right
    except (ZeroDivisionError, OverflowError):
        return None
    return result if isinstance(result, int) or math.isfinite(result) else None


def days_between(earlier: datetime, later: datetime) -> float:
    """Elapsed days, one correctly rounded division of whole microseconds."""
    gap = later - earlier
    return ((gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds) / MICROSECONDS_A_DAY


def amount_of(properties: Mapping[str, Any], names: tuple[str, ...]) -> float:
    """The first of the named properties that is a number (below a million million); without one, nothing is added."""
    for name in names:
        value = properties.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_AMOUNT:
            return float(value)
    return 0.0


def reach(value: Any, parts: tuple[Part, ...]) -> Any:
    """Down into nested mappings (by text) and lists (by number); None where the way ends."""
    for part in parts:
        if type(value) is dict:
            value = value.get(part)
        elif isinstance(part, str):
            value = value.get(part) if isinstance(value, Mapping) else None
        else:
            value = value[part] if isinstance(value, list | tuple) and part < len(value) else None
        if value is None:
            return None
    return value

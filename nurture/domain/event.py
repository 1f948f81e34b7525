"""An event: a dated fact from outside, or from feedback; the only way in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import date, datetime
from typing import Any

from nurture.domain.frozen import frozen

Properties = Mapping[str, Any]


class _Nothing(Mapping[str, Any]):
    """The empty mapping, hashable, because dataclasses of Python 3.11 refuse a default that is not."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "{}"


NOTHING: Properties = _Nothing()


@frozen
class Event:
    """`at` is when it happened (never later than it was received); `id` orders events that share an instant."""

    id: int
    name: str
    at: datetime
    properties: Properties = field(default=NOTHING)


def plain(value: Any) -> Any:
    """A copy made of plain data only, fit for JSON; instants, dates and events become ISO text."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is datetime:
        return value.isoformat()
    if kind is dict:
        return {str(key): inner if type(inner) in _PLAIN else plain(inner) for key, inner in value.items()}
    if kind is list:
        return [inner if type(inner) in _PLAIN else plain(inner) for inner in value]
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Event):
        return value.at.isoformat()
    return str(value)  # an enum member is text too


_PLAIN = frozenset({str, int, float, bool, type(None)})

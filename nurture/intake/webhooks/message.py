"""A webhook that was let in, and what can come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from nurture.domain.event import NOTHING
from nurture.intake.addresses import address_problem
from nurture.intake.events import SignalError, read_instant
from nurture.intake.json_text import is_storable, unstorable
from nurture.intake.whereabouts import known_locale


@dataclass(frozen=True, slots=True)
class Message:
    """`topic` and `id` as the sender names them: the kind of message, and which one it is."""

    topic: str
    id: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event in it. `customer` is the sender's name for the person, an other name of hers; None of all: nobody.

    `name` None only says who she is. `message_id` is one for the same thing, however often it is told.
    """

    name: str | None
    message_id: str
    email: str | None = None
    user: str | None = None
    customer: str | None = None
    at: datetime | None = None
    properties: Mapping[str, Any] = field(default=NOTHING)
    traits: Mapping[str, Any] | None = None
    zone: str | None = None
    locale: str | None = None

    @property
    def is_somebodys(self) -> bool:
        return bool(self.email or self.user or self.customer)


class Ask(StrEnum):
    """What a shop has to ask of everybody who holds data of its customers."""

    EXPORT = "export"
    ERASE = "erase"
    ERASE_ALL = "erase all"


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish about one customer's data, or (ERASE_ALL) about that of all customers of the shop."""

    what: Ask
    email: str | None = None
    customer: str | None = None


Meaning = Sequence[Told] | Asked


# --- reading what strangers send


def text(value: Any, most: int = 300) -> str | None:
    """Text or a whole number, as text; None for anything else, for nothing and for what cannot be stored."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > most or not is_storable(value):
        return None
    return value.strip()


def email(value: Any) -> str | None:
    """An address; None for what is none."""
    found = text(value, 320)
    return found if found is not None and address_problem(found) is None else None


def instant(value: Any) -> datetime | None:
    """ISO 8601 with an offset; None for anything else, which means now."""
    try:
        return read_instant(value, "at") if isinstance(value, str) else None
    except SignalError:
        return None


def locale(value: Any) -> str | None:
    """A language, as de or de-DE."""
    return known_locale(value.replace("_", "-")) if isinstance(value, str) else None


def number(value: Any) -> float | int | None:
    """A number that shops write as text: "80.00" is 80."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return int(value) if value == int(value) else round(value, 4)


def inside(data: Any, *names: str) -> Any:
    """`inside(order, "customer", "email")`: None where something on the way is not there."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, at most 200 of them."""
    return [each for each in value[:200] if isinstance(each, dict)] if isinstance(value, list) else []


def stated(**properties: Any) -> dict[str, Any]:
    """Those that are there. Raises SignalError for what no database can give back."""
    found = {name: value for name, value in properties.items() if value not in (None, "", [], {})}
    if problem := unstorable(found):
        raise SignalError(f"its data {problem}")
    return found

"""What really happened, once more: events of the past under the programme of today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nurture.domain.contact import Contact
from nurture.engine.simulation.lives import Happened, Lived, Lives
from nurture.errors import NurtureError
from nurture.intake.events import Signal, SignalError, read_events


@dataclass(frozen=True, slots=True)
class Replayed:
    """One person, known since the first of what happened to her."""

    contact: Contact
    happened: tuple[Happened, ...]

    def live(self, lives: Lives) -> Lived:
        return lives.replayed(self.contact, self.happened)


@dataclass(slots=True)
class Replay:
    """The people of a file in the order in which they come up, from `begin` to `end`; `errors` are lines left out."""

    people: list[Replayed] = field(default_factory=list)
    begin: datetime | None = None
    end: datetime | None = None
    events: int = 0
    errors: list[str] = field(default_factory=list)


def read_replay(lines: Iterable[str], name: str) -> Replay:
    """JSON Lines as `nurture events send` takes them; each needs a time. Raises NurtureError when none can be used."""
    found, replay = _People(), Replay()
    for each in read_events(lines, name):
        if isinstance(each, SignalError):
            replay.errors.append(str(each))
        elif each.at is None:
            replay.errors.append(f'{name}, line {each.line}: when was it? Write "at": "2026-03-02T09:00:00Z"')
        else:
            found.add(each)
    replay.people = found.made()
    moments = [happened.at for person in replay.people for happened in person.happened]
    if not moments:
        why = f" The first line that cannot be used: {replay.errors[0]}" if replay.errors else ""
        raise NurtureError(f"{name} holds no event that could be replayed.{why}")
    replay.begin, replay.end, replay.events = min(moments), max(moments), len(moments)
    return replay


class _People:
    """Who is who: by their own id where there is one, else by address."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._told: list[list[Signal]] = []

    def add(self, signal: Signal) -> None:
        names = []
        if signal.external_id is not None:
            names.append(f"id {signal.external_id}")
        if signal.email is not None:
            names.append(f"email {signal.email.casefold()}")
        number = next((self._numbers[name] for name in names if name in self._numbers), None)
        if number is None:
            number = len(self._told)
            self._told.append([])
        for name in names:
            self._numbers.setdefault(name, number)
        self._told[number].append(signal)

    def made(self) -> list[Replayed]:
        return [_person(number, told) for number, told in enumerate(self._told, 1)]


def _person(number: int, told: list[Signal]) -> Replayed:
    happened = sorted(((each.at, each) for each in told if each.at is not None), key=lambda pair: pair[0])
    first_at, first = happened[0]
    email = next((each.email for _, each in happened if each.email is not None), None)
    contact = Contact(number, email, first_at, external_id=first.external_id, zone=first.zone, locale=first.locale)
    return Replayed(contact, tuple(Happened(at, each.name, each.properties, _changes(each)) for at, each in happened))


def _changes(signal: Signal) -> dict[str, Any]:
    """The columns of her row that an event says something new about."""
    columns = {"zone": signal.zone, "locale": signal.locale, "attributes": dict(signal.traits) or None}
    return {name: value for name, value in columns.items() if value is not None}

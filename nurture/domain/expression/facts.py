"""What an expression may ask for, and what it will ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from nurture.domain.event import NOTHING, Event
from nurture.domain.expression.tree import (
    CLICKED_EVENT,
    OPENED_EVENT,
    ORDER_EVENT,
    InSegment,
    InStage,
    Mail,
    Node,
    Past,
    Path,
    Used,
    children,
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be at hand before an expression is asked.

    `events`: event name -> how far back, None for ever. `contact`, `event`, `start`: the first names after the dot.
    `steps` as written: `step` or `campaign/step`. What a segment needs is in the segment: see `resolved`.
    """

    events: Mapping[str, timedelta | None] = field(default=NOTHING)
    contact: frozenset[str] = frozenset()
    event: frozenset[str] = frozenset()
    start: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()

    @classmethod
    def merged(cls, many: Iterable[Needs]) -> Needs:
        """All of them together; of two reaches into the past, the longer."""
        events: dict[str, timedelta | None] = {}
        names: dict[str, set[str]] = {name: set() for name in _NAMES}
        for needs in many:
            for event, reach in needs.events.items():
                events[event] = _longer(events[event], reach) if event in events else reach
            for name in _NAMES:
                names[name] |= getattr(needs, name)
        return cls(events=events, **{name: frozenset(found) for name, found in names.items()})

    def resolved(self, segments: Mapping[str, HasNeeds]) -> Needs:
        """With the needs of every segment it asks about, and of those these ask about."""
        seen: set[str] = set()
        all_needs = [self]
        waiting = sorted(self.segments)
        while waiting:
            name = waiting.pop()
            if name in seen or name not in segments:
                continue
            seen.add(name)
            all_needs.append(segments[name].needs)
            waiting.extend(sorted(segments[name].needs.segments))
        return Needs.merged(all_needs)


_NAMES = ("contact", "event", "start", "segments", "steps", "stages")


class HasNeeds(Protocol):
    """A condition, seen from below."""

    @property
    def needs(self) -> Needs: ...


class Judged(Protocol):
    """A condition, seen from below."""

    @property
    def holds(self) -> Callable[[Facts], bool | None]: ...
    @property
    def next_change(self) -> Callable[[Facts], datetime | None]: ...
    def saw(self, facts: Facts) -> list[dict[str, Any]]: ...


def _longer(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    return None if one is None or other is None else max(one, other)


_NONE_RECEIVED: Mapping[Any, datetime] = NOTHING


@dataclass(slots=True)
class Facts:
    """What an expression may ask for. `history` holds events by name, oldest first, none later than `now`.

    `contact` is `Contact.named()`; `event` the properties of the event in hand; `start` those the enrolment started
    with; `offer` has code, discount, tier, expires_at, granted_at (and `name`, for `used('name')`). `received` maps
    (campaign, step) to when that mail was last sent. `campaign` is the one that asks: `received('x')` is its step.
    """

    now: datetime
    contact: Mapping[str, Any] = field(default=NOTHING)
    event: Mapping[str, Any] | None = None
    start: Mapping[str, Any] | None = None
    offer: Mapping[str, Any] | None = None
    history: Mapping[str, Sequence[Event]] = field(default=NOTHING)
    stage: str | None = None
    stage_since: datetime | None = None
    segments: Mapping[str, Judged] = field(default=NOTHING)
    received: Mapping[tuple[str, str], datetime] = field(default=_NONE_RECEIVED)
    campaign: str | None = None
    inside: tuple[str, ...] = ()

    def copy(self) -> Facts:
        """The same facts, to be changed without changing these."""
        return Facts(
            self.now, self.contact, self.event, self.start, self.offer, self.history, self.stage, self.stage_since,
            self.segments, self.received, self.campaign, self.inside,
        )  # fmt: skip


def needs_of(tree: Node) -> Needs:
    """Collected from every corner of the tree, `where=` included."""
    return Needs.merged(_each(tree, candidate=False))


def _each(node: Node, *, candidate: bool) -> Iterable[Needs]:
    """`candidate`: inside a `where=`, where `event` is an event of the past and not the one in hand."""
    match node:
        case Path(root="contact", parts=(first, *_)):
            yield Needs(contact=frozenset({str(first)}))
        case Path(root="event", parts=(first, *_)) if not candidate:
            yield Needs(event=frozenset({str(first)}))
        case Path(root="start", parts=(first, *_)):
            yield Needs(start=frozenset({str(first)}))
        case Past(event=event, window=window, where=where):
            yield Needs(events={event: None if window is None else window.length})
            if where is not None:
                yield from _each(where, candidate=True)
        case InSegment(name=name):
            yield Needs(segments=frozenset({name}))
        case InStage(name=name):
            yield Needs(stages=frozenset({name}))
        case Mail(word=word, campaign=campaign, step=step):
            yield Needs(
                events={} if word == "received" else {OPENED_EVENT if word == "opened" else CLICKED_EVENT: None},
                steps=frozenset({step if campaign is None else f"{campaign}/{step}"}),
            )
        case Used():
            yield Needs(events={ORDER_EVENT: None})
        case _:
            pass
    for child in children(node):
        yield from _each(child, candidate=candidate)

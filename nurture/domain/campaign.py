"""A campaign: what starts and stops people in it, its goal and offers, and the steps between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from functools import cached_property
from typing import Any

from nurture.domain.conditions import Condition, Expression
from nurture.domain.event import NOTHING
from nurture.domain.steps import Send, SendWindow, Step
from nurture.domain.timing import Duration


class CampaignStatus(StrEnum):
    DRAFT = "draft"
    LIVE = "live"
    PAUSED = "paused"
    ARCHIVED = "archived"


class Meanwhile(StrEnum):
    """What a second start with the same key does to the enrolment that is inside."""

    IGNORE = "ignore"
    REFRESH = "refresh"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class EventStart:
    event: str


@dataclass(frozen=True, slots=True)
class StageStart:
    """`from_stages` is None for `*`. `to_stage` is never None."""

    from_stages: frozenset[str] | None
    to_stage: str


@dataclass(frozen=True, slots=True)
class SegmentStart:
    """On entering the segment; members at the time the campaign is first applied are not enrolled."""

    segment: str


@dataclass(frozen=True, slots=True)
class DateStart:
    """Each year on the month and day of the date (a birthday), at `at` local time; 29 February becomes the 28th."""

    date: Expression
    at: time = time(9)


@dataclass(frozen=True, slots=True)
class ManualStart:
    """Only `nurture campaigns enrol` starts it."""


Start = EventStart | StageStart | SegmentStart | DateStart | ManualStart


@dataclass(frozen=True, slots=True)
class Again:
    """Re-entry: `never`, `always`, or `after` a duration counted from the last start."""

    never: bool = False
    after: Duration | None = None


@dataclass(frozen=True, slots=True)
class EventStop:
    event: str
    where: Condition | None = None


@dataclass(frozen=True, slots=True)
class StageStop:
    from_stages: frozenset[str] | None
    to_stage: str


@dataclass(frozen=True, slots=True)
class SegmentStop:
    segment: str


Stop = EventStop | StageStop | SegmentStop


@dataclass(frozen=True, slots=True)
class Goal:
    """Counted when `event` is seen within `within` of the start; `exits` also ends the enrolment."""

    event: str
    within: Duration
    where: Condition | None = None
    value: Expression | None = None
    exits: bool = True


@dataclass(frozen=True, slots=True)
class Tier:
    """The first tier whose condition holds is granted. `code` is `fixed:TEXT` or `unique:PREFIX`."""

    name: str
    discount: str
    code: str
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    name: str
    tiers: tuple[Tier, ...]
    expires: Duration


@dataclass(frozen=True)
class Campaign:
    """One campaign file.

    `moved` maps ids of nodes that earlier revisions had to where people standing there belong now (None: the end).
    `since` is when it was applied, or applied again after an absence: segment members of before do not enter.
    """

    name: str
    title: str
    owner: str | None
    topic: str | None
    status: CampaignStatus
    priority: int
    start: Start
    nodes: Mapping[str, Step]
    first: str | None
    key: Expression | None = None
    condition: Condition | None = None
    again: Again = field(default_factory=Again)
    meanwhile: Meanwhile = Meanwhile.IGNORE
    stops: tuple[Stop, ...] = ()
    goal: Goal | None = None
    send_window: SendWindow | None = None
    hold_out: float = 0.0
    offers: Mapping[str, Offer] = field(default=NOTHING)
    moved: Mapping[str, str | None] = field(default=NOTHING)
    since: datetime | None = None
    file: str = ""
    meta: Mapping[str, Any] = field(default=NOTHING)

    @cached_property
    def sends(self) -> tuple[Send, ...]:
        """Every send of the flow, in file order."""
        return tuple(node for node in self.nodes.values() if isinstance(node, Send))

    @cached_property
    def event_stops(self) -> tuple[EventStop, ...]:
        return tuple(stop for stop in self.stops if isinstance(stop, EventStop))

    @cached_property
    def stage_stops(self) -> tuple[StageStop, ...]:
        return tuple(stop for stop in self.stops if isinstance(stop, StageStop))

    @cached_property
    def segment_stops(self) -> tuple[SegmentStop, ...]:
        return tuple(stop for stop in self.stops if isinstance(stop, SegmentStop))

    @cached_property
    def endings(self) -> frozenset[str]:
        """Events that may stop it, or be its goal: no other event changes anything for people inside."""
        goal = [self.goal.event] if self.goal is not None else []
        return frozenset([*(stop.event for stop in self.event_stops), *goal])

"""A programme: everything the campaign files say, compiled. Values only; built by `language`, read by everyone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from nurture.domain.conditions import Condition, Expression
from nurture.domain.event import NOTHING
from nurture.domain.timing import Calendar, Duration, Hours

DAY = timedelta(days=1)


class CampaignStatus(StrEnum):
    DRAFT = "draft"
    LIVE = "live"
    PAUSED = "paused"
    ARCHIVED = "archived"


class MailKind(StrEnum):
    MARKETING = "marketing"
    TRANSACTIONAL = "transactional"


class OnCap(StrEnum):
    POSTPONE = "postpone"
    SKIP = "skip"


class Meanwhile(StrEnum):
    """What a second start with the same key does to the enrolment that is inside."""

    IGNORE = "ignore"
    REFRESH = "refresh"
    RESTART = "restart"


# --- starts, stops, goals --------------------------------------------------------------------------------------------


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


# --- offers ----------------------------------------------------------------------------------------------------------


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


# --- steps: a flow is a graph of nodes, each with an id that survives edits -------------------------------------------


@dataclass(frozen=True, slots=True)
class SendWindow:
    """Local hours and weekdays (Monday is 0) in which a mail may leave; None means any."""

    hours: Hours | None = None
    days: frozenset[int] | None = None
    business_days: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`id` is the identity across edits: a send's step id, or a name derived from the step a wait leads to.

    `next` is the id of the node that follows, None at the end of the flow. `line` is 1-based in the campaign file.
    """

    id: str
    next: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Node):
    template: str
    kind: MailKind = MailKind.MARKETING
    condition: Condition | None = None
    category: str | None = None
    sender: str | None = None
    subject: str | None = None
    offer: str | None = None
    late: Duration
    on_cap: OnCap = OnCap.POSTPONE
    postpone_up_to: Duration | None = None
    urgent: bool = False
    was: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Node):
    """`duration` first (may be None), then forward to the next local `until` time on one of `days`.

    After calendar days an `until` that was missed by up to 90 minutes still holds: see `flow.A_LITTLE_LATE`.
    """

    duration: Duration | None = None
    until: time | None = None
    days: frozenset[int] | None = None
    business_days: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil(Node):
    """Until the instant or local date the expression gives; unknown or past goes on at once."""

    instant: Expression
    offset: Duration | None = None
    before: bool = False
    until: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor(Node):
    """Until `event` is seen (go to `then`) or `up_to` has passed (go to `otherwise`); None goes to `next`."""

    event: str
    up_to: Duration
    where: Condition | None = None
    then: str | None = None
    otherwise: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitQuiet(Node):
    """`duration` without any of the events `after`; each of them begins it again."""

    duration: Duration
    after: frozenset[str]


@dataclass(frozen=True, slots=True)
class Arm:
    """A way out of a branch (`condition`, None is `else`) or a split (`share`, a weight); `target` None is `next`."""

    target: str | None
    condition: Condition | None = None
    name: str = ""
    share: float = 0.0

    @property
    def label(self) -> str:
        """What the ledger calls it: its name, the text of its condition, or `else`."""
        return self.name or (self.condition.source if self.condition is not None else "else")


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Node):
    """The first arm whose condition is true; none goes to `next`. Unknown is not true."""

    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Node):
    """Sticky: hash of (programme seed, campaign, split name, contact) picks the arm."""

    name: str
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAttributes(Node):
    values: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Node):
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Node):
    event: str
    values: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Node):
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Node):
    team: str
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goto(Node):
    """Back to `target`, at most `times` times for one enrolment; then on to `next`."""

    target: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Node):
    pass


Step = (
    Send | Wait | WaitUntil | WaitFor | WaitQuiet | Branch | Split | SetAttributes | Move | Record | Webhook | Alert
    | Goto | End
)  # fmt: skip


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


# --- lifecycle and policy --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StageMove:
    """One rule of the lifecycle. Exactly one of `on`, `after`, `condition` triggers it; `from_stages` None is any.

    With `on`, `condition` may narrow it. `after` is a dwell: time since the stage was entered.
    """

    to: str
    from_stages: frozenset[str] | None = None
    on: frozenset[str] = frozenset()
    after: Duration | None = None
    condition: Condition | None = None

    def leaves(self, stage: str | None) -> bool:
        """Whether it can lead anywhere else from `stage`."""
        return self.to != stage and (self.from_stages is None or stage in self.from_stages)


@dataclass(frozen=True)
class Lifecycle:
    """What leads out of each stage is looked up, not searched: `on_event`, `dwells` and `in_time`, in file order."""

    stages: tuple[str, ...]
    first: str
    moves: tuple[StageMove, ...] = ()
    aliases: Mapping[str, str] = field(default=NOTHING)

    def on_event(self, stage: str | None, event: str) -> tuple[StageMove, ...]:
        return self._out_of(stage).on.get(event, ())

    def dwells(self, stage: str | None) -> tuple[StageMove, ...]:
        """Moves by time spent in the stage alone."""
        return self._out_of(stage).dwells

    def in_time(self, stage: str | None) -> tuple[StageMove, ...]:
        """Moves that need no event."""
        return self._out_of(stage).in_time

    def _out_of(self, stage: str | None) -> _WaysOut:
        known = self._ways_out.get(stage)
        if known is None:  # a stage of an earlier revision counts as any other
            known = self._ways_out[stage] = _ways_out(self.moves, stage)
        return known

    @cached_property
    def _ways_out(self) -> dict[str | None, _WaysOut]:
        return {}


@dataclass(frozen=True, slots=True)
class _WaysOut:
    on: Mapping[str, tuple[StageMove, ...]]
    dwells: tuple[StageMove, ...]
    in_time: tuple[StageMove, ...]


def _ways_out(moves: tuple[StageMove, ...], stage: str | None) -> _WaysOut:
    out = [move for move in moves if move.leaves(stage)]
    in_time = tuple(move for move in out if not move.on)
    return _WaysOut(
        {event: tuple(move for move in out if event in move.on) for move in out for event in move.on},
        tuple(move for move in in_time if move.after is not None and move.condition is None),
        in_time,
    )


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `max` marketing mails in any rolling `per`, of `category` only if it is given."""

    max: int
    per: timedelta
    category: str | None = None

    def __str__(self) -> str:
        hours = self.per / timedelta(hours=1)
        span = f"{hours / 24:g} days" if hours % 24 == 0 and hours > 24 else f"{hours:g} hours"
        return f"{self.max} per {span}" + (f" of {self.category}" if self.category else "")


@dataclass(frozen=True, slots=True)
class Sender:
    name: str
    email: str
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    title: str
    description: str | None = None


@dataclass(frozen=True)
class Programme:
    """All applied campaigns and the policy that holds over them. `revision` is 0 for files that were not applied."""

    lifecycle: Lifecycle
    campaigns: Mapping[str, Campaign]
    segments: Mapping[str, Condition] = field(default=NOTHING)
    senders: Mapping[str, Sender] = field(default=NOTHING)
    topics: Mapping[str, Topic] = field(default=NOTHING)
    categories: frozenset[str] = frozenset()
    caps: tuple[Cap, ...] = ()
    quiet_hours: Hours | None = None
    zone: str = "UTC"
    locale: str = "en"
    currency: str = "EUR"
    calendar: Calendar = field(default_factory=Calendar)
    postal_address: str = ""
    hold_out: float = 0.0
    seed: str = "nurture"
    consent_granted_by: frozenset[str] = frozenset()
    consent_withdrawn_by: frozenset[str] = frozenset()
    teams: Mapping[str, str] = field(default=NOTHING)
    webhooks: Mapping[str, str] = field(default=NOTHING)
    brand: Mapping[str, Any] = field(default=NOTHING)
    revision: int = 0

    @cached_property
    def longest_cap(self) -> timedelta:
        """How far back deliveries can still count against a cap."""
        return max((cap.per for cap in self.caps), default=timedelta())

    @cached_property
    def watched_segments(self) -> tuple[str, ...]:
        """Segments whose entering or holding starts or stops a campaign, sorted."""
        names = {rule.segment for _, rule in self.segment_starts}
        for campaign in self.campaigns.values():
            names.update(stop.segment for stop in campaign.segment_stops)
        return tuple(sorted(names))

    @cached_property
    def event_starts(self) -> Mapping[str, tuple[Campaign, ...]]:
        """Campaigns by the event that starts them; here and below in file order."""
        return _by_name((c.start.event, c) for c in self.campaigns.values() if isinstance(c.start, EventStart))

    @cached_property
    def stage_starts(self) -> Mapping[str, tuple[Campaign, ...]]:
        """Campaigns by the stage that must be entered."""
        return _by_name((c.start.to_stage, c) for c in self.campaigns.values() if isinstance(c.start, StageStart))

    @cached_property
    def segment_starts(self) -> tuple[tuple[Campaign, SegmentStart], ...]:
        """Campaigns that start when a segment is entered."""
        return tuple((c, c.start) for c in self.campaigns.values() if isinstance(c.start, SegmentStart))

    @cached_property
    def date_starts(self) -> tuple[tuple[Campaign, DateStart], ...]:
        """Live campaigns that start each year on a person's date."""
        live = (campaign for campaign in self.campaigns.values() if campaign.status is CampaignStatus.LIVE)
        return tuple((campaign, campaign.start) for campaign in live if isinstance(campaign.start, DateStart))


def _by_name(pairs: Iterable[tuple[str, Campaign]]) -> Mapping[str, tuple[Campaign, ...]]:
    found: dict[str, tuple[Campaign, ...]] = {}
    for name, campaign in pairs:
        found[name] = (*found.get(name, ()), campaign)
    return found

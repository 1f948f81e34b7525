"""A programme: everything the campaign files say, compiled. Values only; built by `language`, read by everyone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from nurture.domain.campaign import Campaign, CampaignStatus, DateStart, EventStart, SegmentStart, StageStart
from nurture.domain.conditions import Condition
from nurture.domain.contact import OWN_CAPS
from nurture.domain.event import NOTHING
from nurture.domain.forms import Form
from nurture.domain.incoming import EventSchema, WebhookSource
from nurture.domain.outward import Webhook
from nurture.domain.stages import Lifecycle
from nurture.domain.surveys import Survey
from nurture.domain.timing import Calendar, Hours
from nurture.domain.tracking import Tracking


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `max` marketing mails in any rolling `per`, of `category` only if given; `own`: by her own wish."""

    max: int
    per: timedelta
    category: str | None = None
    own: bool = False

    def __str__(self) -> str:
        hours = self.per / timedelta(hours=1)
        span = f"{hours / 24:g} days" if hours % 24 == 0 and hours > 24 else f"{hours:g} hours"
        of, own = f" of {self.category}" if self.category else "", " (her own wish)" if self.own else ""
        return f"{self.max} per {span}{of}{own}"


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
    tracking: Tracking | None = None
    teams: Mapping[str, str] = field(default=NOTHING)
    webhooks: Mapping[str, Webhook] = field(default=NOTHING)
    brand: Mapping[str, Any] = field(default=NOTHING)
    schemas: Mapping[str, EventSchema] = field(default=NOTHING)
    sources: Mapping[str, WebhookSource] = field(default=NOTHING)
    forms: Mapping[str, Form] = field(default=NOTHING)
    surveys: Mapping[str, Survey] = field(default=NOTHING)
    revision: int = 0

    @cached_property
    def longest_cap(self) -> timedelta:
        """How far back deliveries can still count against a cap, of the project or of a person's own."""
        return max([timedelta(days=max(OWN_CAPS)), *(cap.per for cap in self.caps)])

    @cached_property
    def watched_segments(self) -> tuple[str, ...]:
        """Segments whose entering or holding starts or stops a campaign, sorted."""
        names = {rule.segment for _, rule in self.segment_starts}
        for campaign in self.campaigns.values():
            names.update(stop.segment for stop in campaign.segment_stops)
        return tuple(sorted(names))

    @cached_property
    def watched_names(self) -> frozenset[str]:
        return frozenset(self.watched_segments)

    @cached_property
    def watched(self) -> tuple[tuple[str, Condition], ...]:
        """The same, each with its condition."""
        return tuple((name, self.segments[name]) for name in self.watched_segments)

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

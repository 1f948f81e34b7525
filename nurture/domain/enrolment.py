"""An enrolment: one contact's passage through one campaign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from nurture.domain.event import NOTHING
from nurture.domain.frozen import frozen


class EnrolmentState(StrEnum):
    ACTIVE = "active"
    ENDED = "ended"


class LeftBy(StrEnum):
    """Why an enrolment ended."""

    FINISHED = "finished"
    STOP = "stop"
    GOAL = "goal"
    EJECTED = "ejected"
    RESTARTED = "restarted"
    ARCHIVED = "archived"
    UNSUBSCRIBED = "unsubscribed"
    ERASED = "erased"


@dataclass(slots=True)
class Grant:
    """One offer given to one person: the same grant in every later step of the enrolment."""

    offer: str
    tier: str
    discount: str
    code: str
    granted_at: datetime
    expires_at: datetime

    def named(self) -> dict[str, Any]:
        """What `offer.*` can name."""
        return {
            "name": self.offer,
            "tier": self.tier,
            "discount": self.discount,
            "code": self.code,
            "granted_at": self.granted_at,
            "expires_at": self.expires_at,
        }


@dataclass(slots=True)
class Enrolment:
    """Mutable on purpose: `decide` works on its own copy, which becomes the row.

    `node` is where the person stands (None once ended) since `since`; `due_at` is when she goes on (None while a mail
    is in flight, see `in_flight`). `planned_for` is when a postponed mail was first due: lateness counts from there.
    `visits` maps send ids to the pass in which they were received or skipped; `passes` grows with every `goto`.
    `watch_until` keeps an ended enrolment in sight for its goal.
    """

    seq: int
    campaign: str
    key: str
    revision: int
    started_at: datetime
    start: Mapping[str, Any] = field(default=NOTHING)
    state: EnrolmentState = EnrolmentState.ACTIVE
    held_out: bool = False
    node: str | None = None
    since: datetime | None = None
    due_at: datetime | None = None
    planned_for: datetime | None = None
    in_flight: int | None = None
    passes: int = 1
    visits: dict[str, int] = field(default_factory=dict)
    jumps: dict[str, int] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    ended_at: datetime | None = None
    left_by: LeftBy | None = None
    goal_at: datetime | None = None
    goal_value: float | None = None
    watch_until: datetime | None = None

    def is_watched(self, since: datetime) -> bool:
        """Whether what happened at `since` can still matter to it: she is inside, or a goal may be counted."""
        watched = self.watch_until is not None and self.watch_until >= since
        return watched or self.state is EnrolmentState.ACTIVE

    @property
    def latest_grant(self) -> Grant | None:
        """The offer that `offer.*` means where a step names none."""
        if not self.grants:
            return None
        return max(self.grants.values(), key=lambda grant: grant.granted_at)


@frozen
class PastEnrolment:
    """All that re-entry needs to know of a campaign's earlier enrolments of one contact."""

    campaign: str
    last_started_at: datetime
    count: int

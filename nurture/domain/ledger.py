"""The decision ledger: closed lists of what can happen to a person, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from nurture.domain.event import NOTHING
from nurture.domain.frozen import frozen


class FactKind(StrEnum):
    STAGE_MOVED = "stage_moved"
    ENROLLED = "enrolled"
    NOT_ENROLLED = "not_enrolled"
    REFRESHED = "refreshed"
    WENT_ON = "went_on"
    BRANCHED = "branched"
    SPLIT = "split"
    PLANNED = "planned"
    GHOSTED = "ghosted"
    SKIPPED = "skipped"
    POSTPONED = "postponed"
    CANCELLED = "cancelled"
    ATTEMPTED = "attempted"
    SENT = "sent"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    GRANTED = "granted"
    GOAL_REACHED = "goal_reached"
    LEFT = "left"
    ATTRIBUTE_SET = "attribute_set"
    RECORDED = "recorded"
    CALLED = "called"
    ALERTED = "alerted"
    CONSENT_GRANTED = "consent_granted"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    TOPIC_OPTED_OUT = "topic_opted_out"
    TOPIC_OPTED_IN = "topic_opted_in"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    CLICKED = "clicked"
    OPENED = "opened"
    MERGED = "merged"
    PAUSED = "paused"
    FAILED = "failed"


class Reason(StrEnum):
    """Why. Each belongs to the kinds it can explain; `detail` of the fact holds the values that decided."""

    # stage moves
    ON_EVENT = "on_event"
    DWELLED = "dwelled"
    CONDITION_HELD = "condition_held"
    BY_STEP = "by_step"
    FIRST_STAGE = "first_stage"
    # not enrolled
    CONDITION_FALSE = "condition_false"
    CONDITION_UNKNOWN = "condition_unknown"
    AGAIN_NEVER = "again_never"
    AGAIN_TOO_SOON = "again_too_soon"
    SAME_KEY_INSIDE = "same_key_inside"
    KEY_UNKNOWN = "key_unknown"
    NOT_LIVE = "not_live"
    IMPORTED = "imported"
    # skipped, cancelled
    HELD_OUT = "held_out"
    NO_ADDRESS = "no_address"
    SUPPRESSED = "suppressed"
    NO_CONSENT = "no_consent"
    TOPIC_OPTED_OUT = "topic_opted_out"
    PERSON_PAUSED = "person_paused"
    ALREADY_RECEIVED = "already_received"
    CAP = "cap"
    LATE = "late"
    TEMPLATE_ERROR = "template_error"
    OFFER_EXPIRED = "offer_expired"
    NO_OFFER_TIER = "no_offer_tier"
    LEFT_CAMPAIGN = "left_campaign"
    CAMPAIGN_PAUSED = "campaign_paused"
    CAMPAIGN_GONE = "campaign_gone"
    NOT_ALLOWED_HERE = "not_allowed_here"
    ERASED = "erased"
    MERGED = "merged"
    # postponed
    QUIET_HOURS = "quiet_hours"
    SEND_WINDOW = "send_window"
    LOST_SLOT = "lost_slot"
    RELAY = "relay"
    # wire
    ACCEPTED = "accepted"
    ADDRESS = "address"
    SENDER = "sender"
    CONTENT = "content"
    UNSUPPORTED = "unsupported"
    NO_REPLY = "no_reply"
    CRASHED = "crashed"
    RETRIES_EXHAUSTED = "retries_exhausted"
    # waits and exits
    TIME_PASSED = "time_passed"
    EVENT_SEEN = "event_seen"
    TIMED_OUT = "timed_out"
    STOP_EVENT = "stop_event"
    STOP_STAGE = "stop_stage"
    STOP_SEGMENT = "stop_segment"
    END_STEP = "end_step"
    FLOW_ENDED = "flow_ended"
    BY_HAND = "by_hand"
    BY_EVENT = "by_event"
    MOVED_BY_EDIT = "moved_by_edit"
    LOOP_BOUND = "loop_bound"
    ERROR = "error"


@frozen
class Fact:
    """One line of the ledger. `detail` is plain JSON: the values conditions saw, the full cap, when room opens."""

    at: datetime
    kind: FactKind
    reason: Reason | None = None
    campaign: str | None = None
    enrolment: int | None = None
    step: str | None = None
    delivery: int | None = None
    detail: Mapping[str, Any] = field(default=NOTHING)


def failure(at: datetime, error: Exception, **about: Any) -> Fact:
    """That something went wrong, in words any database can hold; `about` is what of hers it concerns."""
    told = f"{type(error).__name__}: {error}"[:500].encode("ascii", "backslashreplace").decode().replace("\0", "\\0")
    return Fact(at, FactKind.FAILED, Reason.ERROR, detail={"error": told}, **about)

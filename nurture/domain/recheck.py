"""The last look before a mail is built: whether everything that let it be planned is still so.

The slot it holds under the caps is not asked for again; the gate, which comes after this, refuses when anything about
the person has changed in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from nurture.domain.arbitration import allowed_from
from nurture.domain.campaign import Campaign
from nurture.domain.case import Case
from nurture.domain.delivery import Delivery, DeliveryState
from nurture.domain.eligibility import ineligible
from nurture.domain.enrolment import Enrolment, EnrolmentState
from nurture.domain.flow import is_open
from nurture.domain.ledger import Reason
from nurture.domain.programme import Programme
from nurture.domain.snapshot import Snapshot
from nurture.domain.steps import Send

HELD = timedelta(minutes=5)  # how often a mail of a paused campaign looks whether it may go


@dataclass(frozen=True, slots=True)
class Proceed:
    """It may be built from this campaign, step and enrolment."""

    campaign: Campaign
    send: Send
    enrolment: Enrolment


@dataclass(frozen=True, slots=True)
class NotNow:
    """Ask again at `until`; it keeps its slot."""

    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Dropped:
    """It will not go: the terminal state, and why."""

    state: DeliveryState
    reason: Reason
    detail: dict[str, Any] = field(default_factory=dict)


def recheck(programme: Programme, snapshot: Snapshot, delivery: Delivery, now: datetime) -> Proceed | NotNow | Dropped:
    """Judge a planned delivery once more, from a fresh snapshot of its contact."""
    if now > delivery.expires_at:
        return Dropped(DeliveryState.EXPIRED, Reason.LATE, {"deadline": delivery.expires_at.isoformat()})
    enrolment = next((each for each in snapshot.enrolments if each.seq == delivery.enrolment), None)
    if enrolment is None or enrolment.state is not EnrolmentState.ACTIVE:
        return Dropped(DeliveryState.CANCELLED, Reason.LEFT_CAMPAIGN)
    campaign = programme.campaigns.get(delivery.campaign)
    if campaign is None:
        return Dropped(DeliveryState.CANCELLED, Reason.CAMPAIGN_GONE)
    send = _send(campaign, delivery.step)
    if send is None:
        return Dropped(DeliveryState.CANCELLED, Reason.MOVED_BY_EDIT)
    if not is_open(campaign, snapshot.paused):
        return NotNow(now + HELD, Reason.CAMPAIGN_PAUSED)
    reason = ineligible(snapshot.contact, delivery.kind, campaign.topic, now)
    if reason is not None:
        return Dropped(DeliveryState.SKIPPED, reason)
    if campaign.segment_stops or send.condition is not None or send.offer is not None:
        case = Case(programme, snapshot, now)
        dropped = _stopped(case, campaign) or _condition(case, enrolment, send)
        if dropped is not None:
            return dropped
    allowed = allowed_from(programme, campaign, send, now, snapshot.contact.zone)
    if allowed > delivery.expires_at:
        return Dropped(DeliveryState.EXPIRED, Reason.QUIET_HOURS, {"opens_at": allowed.isoformat()})
    if allowed > now:
        return NotNow(allowed, Reason.QUIET_HOURS)
    return Proceed(campaign, send, enrolment)


def _send(campaign: Campaign, step: str) -> Send | None:
    """The step, also under the name an edit has given it."""
    node = campaign.nodes.get(step) or campaign.nodes.get(campaign.moved.get(step) or "")
    if isinstance(node, Send) and (node.id == step or step in node.was):
        return node
    return None


def _stopped(case: Case, campaign: Campaign) -> Dropped | None:
    """Time alone may have brought her into a segment that ends the campaign, before her next turn sees it."""
    facts = case.facts()
    for stop in campaign.segment_stops:
        if case.programme.segments[stop.segment].holds(facts):
            return Dropped(DeliveryState.CANCELLED, Reason.STOP_SEGMENT, {"segment": stop.segment})
    return None


def _condition(case: Case, enrolment: Enrolment, send: Send) -> Dropped | None:
    grant = enrolment.grants.get(send.offer) if send.offer is not None else None
    if grant is not None and grant.expires_at <= case.now:
        return Dropped(DeliveryState.SKIPPED, Reason.OFFER_EXPIRED, {"offer": grant.offer})
    if send.condition is None:
        return None
    facts = case.facts(enrolment, grant=grant)
    holds = send.condition.holds(facts)
    if holds:
        return None
    reason = Reason.CONDITION_UNKNOWN if holds is None else Reason.CONDITION_FALSE
    return Dropped(DeliveryState.SKIPPED, reason, {"condition": send.condition.saw(facts)})

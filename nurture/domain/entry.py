"""Starts: who enters which campaign, under which key, and what a second start does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from nurture.domain.case import Case
from nurture.domain.chance import share
from nurture.domain.enrolment import Enrolment, EnrolmentState, LeftBy, PastEnrolment
from nurture.domain.event import NOTHING, Event
from nurture.domain.exits import leave
from nurture.domain.ledger import FactKind, Reason
from nurture.domain.programme import (
    Campaign,
    CampaignStatus,
    DateStart,
    EventStart,
    Meanwhile,
    SegmentStart,
    StageStart,
)
from nurture.domain.timing import add, at_local

# An anniversary that came up while the daemon was down still starts; the late policy of its steps decides what goes.
ANNIVERSARY_GRACE = timedelta(days=7)


def start_on_event(case: Case, event: Event) -> None:
    for campaign in case.programme.campaigns.values():
        if isinstance(campaign.start, EventStart) and campaign.start.event == event.name:
            start(case, campaign, event.at, event.properties, event)


def start_on_stage(case: Case, before: str | None, after: str, at: datetime, event: Event | None) -> None:
    for campaign in case.programme.campaigns.values():
        rule = campaign.start
        if isinstance(rule, StageStart) and rule.to_stage == after:
            if rule.from_stages is not None and before not in rule.from_stages:
                continue
            start(case, campaign, at, event.properties if event is not None else NOTHING, event)


def start_on_segments(case: Case, entered: frozenset[str]) -> None:
    for campaign in case.programme.campaigns.values():
        if isinstance(campaign.start, SegmentStart) and campaign.start.segment in entered:
            start(case, campaign, case.now, NOTHING)


def start_on_dates(case: Case) -> None:
    for campaign in case.programme.campaigns.values():
        if isinstance(campaign.start, DateStart) and campaign.status is CampaignStatus.LIVE:
            _start_on_date(case, campaign, campaign.start)


def start_by_hand(case: Case, campaign: Campaign, key: str, data: Mapping[str, Any], at: datetime) -> None:
    """`nurture campaigns enrol`: the operator decides, so only a running enrolment with the same key refuses."""
    running = _running(case, campaign, key)
    if running is None:
        _enrol(case, campaign, key, at, data)
    else:
        case.note(FactKind.NOT_ENROLLED, Reason.SAME_KEY_INSIDE, enrolment=running, key=key)


def start(case: Case, campaign: Campaign, at: datetime, data: Mapping[str, Any], event: Event | None = None) -> None:
    """Enrol, or write down why not."""
    refused, detail = _refusal(case, campaign, at, event)
    if refused is not None:
        case.note(FactKind.NOT_ENROLLED, refused, campaign=campaign.name, **detail)
        return
    key = detail.get("key", "")
    running = _running(case, campaign, key)
    if running is None:
        _enrol(case, campaign, key, at, data)
    elif campaign.meanwhile is Meanwhile.REFRESH:
        running.start = {**running.start, **data}
        case.touch(running)
        case.note(FactKind.REFRESHED, enrolment=running, key=key)
    elif campaign.meanwhile is Meanwhile.RESTART:
        leave(case, running, LeftBy.RESTARTED, Reason.EVENT_SEEN)
        _enrol(case, campaign, key, at, data)
    else:
        case.note(FactKind.NOT_ENROLLED, Reason.SAME_KEY_INSIDE, enrolment=running, key=key)


def _refusal(case: Case, campaign: Campaign, at: datetime, event: Event | None) -> tuple[Reason | None, dict[str, Any]]:
    """The first rule that keeps her out with the values it saw, or (None, {"key": ...})."""
    if campaign.status is not CampaignStatus.LIVE:
        return Reason.NOT_LIVE, {"status": campaign.status.value}
    if campaign.name in case.paused:
        return Reason.CAMPAIGN_PAUSED, {}
    if not case.contact.enrols and not isinstance(campaign.start, EventStart):
        return Reason.IMPORTED, {}
    facts = case.facts(event=event)
    facts.start = facts.event  # what will be `start.*` in the steps is `event.*` here; both names work
    if campaign.condition is not None:
        holds = campaign.condition.holds(facts)
        if not holds:
            reason = Reason.CONDITION_UNKNOWN if holds is None else Reason.CONDITION_FALSE
            return reason, {"condition": campaign.condition.saw(facts)}
    key = ""
    if campaign.key is not None:
        value = campaign.key.value(facts)
        if value is None:
            return Reason.KEY_UNKNOWN, {"expression": campaign.key.source}
        key = str(value)
    if _running(case, campaign, key) is None:
        past = case.past.get(campaign.name)
        if past is not None and campaign.again.never:
            return Reason.AGAIN_NEVER, {"last": past.last_started_at}
        if past is not None and campaign.again.after is not None:
            opens = add(past.last_started_at, campaign.again.after, case.zone, case.programme.calendar)
            if at < opens:
                return Reason.AGAIN_TOO_SOON, {"last": past.last_started_at, "opens_at": opens}
    return None, {"key": key}


def _running(case: Case, campaign: Campaign, key: str) -> Enrolment | None:
    for enrolment in case.enrolments:
        if enrolment.campaign == campaign.name and enrolment.key == key and enrolment.state is EnrolmentState.ACTIVE:
            return enrolment
    return None


def _enrol(case: Case, campaign: Campaign, key: str, at: datetime, data: Mapping[str, Any]) -> None:
    programme, contact_id = case.programme, case.contact.id
    held_out = (
        share(programme.seed, "hold-out", contact_id) < programme.hold_out
        or share(programme.seed, f"hold-out|{campaign.name}", contact_id) < campaign.hold_out
    )
    goal = campaign.goal
    enrolment = Enrolment(
        seq=case.take_seq(),
        campaign=campaign.name,
        key=key,
        revision=programme.revision,
        started_at=at,
        start=dict(data),
        held_out=held_out,
        node=campaign.first,
        since=at,
        watch_until=add(at, goal.within, case.zone, programme.calendar) if goal is not None else None,
    )
    case.enrolments.append(enrolment)
    case.touch(enrolment)
    past = case.past.get(campaign.name)
    case.past[campaign.name] = PastEnrolment(campaign.name, at, past.count + 1 if past is not None else 1)
    case.note(FactKind.ENROLLED, enrolment=enrolment, key=key or None, held_out=held_out or None)


def _start_on_date(case: Case, campaign: Campaign, rule: DateStart) -> None:
    anniversary = _date(rule.date.value(case.facts()))
    if anniversary is None:
        return
    today = case.now.astimezone(case.zone).date()
    last: datetime | None = None
    for year in (today.year - 1, today.year, today.year + 1):
        at = at_local(_in_year(anniversary, year), rule.at, case.zone)
        if at > case.now:
            case.wake(at)
            break
        last = at
    mark = f"{campaign.name} {last.isoformat()}" if last is not None else ""
    if last is None or case.now - last > ANNIVERSARY_GRACE or mark in case.contact.memberships:
        return
    known = {
        name: inside for name, inside in case.contact.memberships.items() if not name.startswith(f"{campaign.name} ")
    }
    case.alter(memberships={**known, mark: True})
    if last >= max(case.contact.created_at, campaign.since or last):
        start(case, campaign, last, NOTHING)


def _in_year(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError:  # 29 February in a common year
        return date(year, 2, 28)


def _date(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value[:10])
        except ValueError:
            return None
    return None

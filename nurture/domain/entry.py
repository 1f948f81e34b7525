"""Starts: who enters which campaign, under which key, and what a second start does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from nurture.domain.campaign import Campaign, CampaignStatus, DateStart, EventStart, Meanwhile, StageStart
from nurture.domain.case import Case
from nurture.domain.chance import share
from nurture.domain.enrolment import Enrolment, EnrolmentState, LeftBy, PastEnrolment
from nurture.domain.event import NOTHING, Event
from nurture.domain.exits import catch_up, leave
from nurture.domain.ledger import FactKind, Reason
from nurture.domain.programme import Programme
from nurture.domain.timing import add, at_local

# An anniversary that came up while the daemon was down still starts; the late policy of its steps decides what goes.
ANNIVERSARY_GRACE = timedelta(days=7)
# A birthday that is corrected, a zone that changes, a campaign that moves its hour: still one wish a year.
ANNIVERSARY_APART = timedelta(days=180)
LONGEST_KEY = 200


def start_on_event(case: Case, event: Event) -> None:
    for campaign in case.programme.event_starts.get(event.name, ()):
        start(case, campaign, event.at, event.properties, event)


def start_on_stage(case: Case, before: str | None, after: str, at: datetime, event: Event | None) -> None:
    for campaign in case.programme.stage_starts.get(after, ()):
        rule = campaign.start
        assert isinstance(rule, StageStart)
        if rule.from_stages is None or before in rule.from_stages:
            start(case, campaign, at, event.properties if event is not None else NOTHING, event)


def start_on_segments(case: Case, entered: Collection[str], unseen: Collection[str]) -> None:
    """`unseen` are segments she was inside of when first looked at: only somebody new to the campaign enters those."""
    for campaign, rule in case.programme.segment_starts:
        if rule.segment not in entered:
            continue
        is_new = case.contact.enrols and (campaign.since is None or case.contact.created_at >= campaign.since)
        if rule.segment not in unseen or is_new:
            start(case, campaign, case.now, NOTHING)


def start_on_dates(case: Case) -> None:
    for campaign, rule in case.programme.date_starts:
        _start_on_date(case, campaign, rule)


def start_by_hand(case: Case, campaign: Campaign, key: str, data: Mapping[str, Any], at: datetime) -> None:
    """`nurture campaigns enrol`: the operator decides, so only a running enrolment with the same key refuses."""
    running = _running(case, campaign, key)
    if campaign.status not in {CampaignStatus.LIVE, CampaignStatus.PAUSED}:
        case.note(FactKind.NOT_ENROLLED, Reason.NOT_LIVE, campaign=campaign.name, status=campaign.status.value)
    elif running is None:
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
    elif at < running.started_at:  # reported late: she is inside with newer data
        case.note(FactKind.NOT_ENROLLED, Reason.SAME_KEY_INSIDE, enrolment=running, key=key)
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
    if event is not None:  # these facts are ours alone
        facts.start = facts.event  # what will be `start.*` in the steps is `event.*` here; both names work
    if campaign.condition is not None:
        holds = campaign.condition.holds(facts)
        if not holds:
            reason = Reason.CONDITION_UNKNOWN if holds is None else Reason.CONDITION_FALSE
            return reason, {"condition": campaign.condition.saw(facts)}
    key = ""
    if campaign.key is not None:
        found = as_key(campaign.key.value(facts))
        if found is None:
            return Reason.KEY_UNKNOWN, {"expression": campaign.key.source}
        key = found
    past = case.past.get(campaign.name)
    refused = None
    if past is not None and _running(case, campaign, key) is None:
        refused = _too_soon(case, campaign, at, past)
    return refused or (None, {"key": key})


def _too_soon(
    case: Case, campaign: Campaign, at: datetime, past: PastEnrolment
) -> tuple[Reason, dict[str, Any]] | None:
    last = past.last_started_at
    if campaign.again.never:
        return Reason.AGAIN_NEVER, {"last": last}
    if campaign.again.after is not None:
        opens = add(last, campaign.again.after, case.zone, case.programme.calendar)
        if at < opens:
            return Reason.AGAIN_TOO_SOON, {"last": last, "opens_at": opens}
    return None


def as_key(value: Any) -> str | None:
    """A key as text, the same for 7 and 7.0; None for what cannot tell one thing from another."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)[:LONGEST_KEY] if isinstance(value, str | int | float) else None


def _running(case: Case, campaign: Campaign, key: str) -> Enrolment | None:
    for enrolment in case.enrolments:
        if enrolment.campaign == campaign.name and enrolment.key == key and enrolment.state is EnrolmentState.ACTIVE:
            return enrolment
    return None


def _enrol(case: Case, campaign: Campaign, key: str, at: datetime, data: Mapping[str, Any]) -> None:
    programme, contact_id = case.programme, case.contact.id
    held_out = _is_drawn(programme, "hold-out", contact_id, programme.hold_out) or _is_drawn(
        programme, f"hold-out|{campaign.name}", contact_id, campaign.hold_out
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
    past = case.past.get(campaign.name)
    case.enter(
        enrolment,
        PastEnrolment(campaign.name, max(at, past.last_started_at), past.count + 1)
        if past is not None
        else PastEnrolment(campaign.name, at, 1),
    )
    case.note(FactKind.ENROLLED, enrolment=enrolment, key=key or None, held_out=held_out or None)
    catch_up(case, campaign, enrolment)


def _is_drawn(programme: Programme, what: str, contact_id: int, part: float) -> bool:
    return part > 0 and share(programme.seed, what, contact_id) < part


def _start_on_date(case: Case, campaign: Campaign, rule: DateStart) -> None:
    value = rule.date.value(case.facts())
    if value is None:
        return
    known = _anniversaries(value if type(value) is str else _date(value, case.zone), rule.at, case.zone, case.now.year)
    if known is None:
        return
    (last, day), (coming, _) = _around(case.now, known)
    case.wake(coming)
    if case.now - last > ANNIVERSARY_GRACE:
        return
    own = {name for name in case.contact.memberships if name.startswith(f"{campaign.name} ")}
    if any(day - date.fromisoformat(name.partition(" ")[2]) < ANNIVERSARY_APART for name in own):
        return
    others = {name: inside for name, inside in case.contact.memberships.items() if name not in own}
    case.alter(memberships={**others, f"{campaign.name} {day.isoformat()}": True})
    if last >= max(case.contact.created_at, campaign.since or last):
        start(case, campaign, last, NOTHING)


def _around(now: datetime, known: Sequence[_Anniversary]) -> tuple[_Anniversary, _Anniversary]:
    """The last one until `now`, and the next one."""
    coming = 1
    while known[coming][0] <= now:
        coming += 1
    return known[coming - 1], known[coming]


_Anniversary = tuple[datetime, date]


@lru_cache(maxsize=50_000)
def _anniversaries(value: str | date | None, clock: time, zone: ZoneInfo, year: int) -> tuple[_Anniversary, ...] | None:
    """From the year before until two after: the year of the zone may be another. None for what is no date."""
    first = _date(value, zone)
    if first is None:
        return None
    days = [_in_year(first.month, first.day, each) for each in range(year - 1, year + 3)]
    return tuple((at_local(each, clock, zone), each) for each in days)


def is_mark(name: str) -> bool:
    """Beside segments, memberships hold `campaign date`: the last anniversary that was dealt with."""
    return " " in name


def _in_year(month: int, day: int, year: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:  # 29 February in a common year
        return date(year, 2, 28)


def _date(value: Any, zone: ZoneInfo) -> date | None:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value[:10])
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.astimezone(zone).date()
    return value if isinstance(value, date) else None

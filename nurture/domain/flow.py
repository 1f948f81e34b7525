"""The flow: a person goes from node to node until she has to wait, or wants a mail."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nurture.domain import lifecycle
from nurture.domain.campaign import Campaign, CampaignStatus
from nurture.domain.case import Case
from nurture.domain.chance import pick, share
from nurture.domain.conditions import Expression
from nurture.domain.enrolment import Enrolment, EnrolmentState, LeftBy
from nurture.domain.event import Event, plain
from nurture.domain.exits import leave
from nurture.domain.frozen import frozen
from nurture.domain.ledger import FactKind, Reason
from nurture.domain.snapshot import Outgoing, Recorded
from nurture.domain.steps import (
    Alert,
    Branch,
    End,
    Goto,
    Move,
    Record,
    Send,
    SetAttributes,
    Split,
    Step,
    Wait,
    WaitFor,
    WaitQuiet,
    WaitUntil,
    Webhook,
)
from nurture.domain.timing import DAY, Calendar, add, at_local, next_clock, subtract

YEARS = range(1900, 9000)  # outside of these, arithmetic with zones and durations may overflow
# "1 day, until 10:00" after a mail that left at 10:00:05, or at 11:00 where the clocks changed, is tomorrow at ten and
# not the day after: that a step ended a little late must not cost a day.
A_LITTLE_LATE = timedelta(minutes=90)
_ACTIVE = EnrolmentState.ACTIVE
FUEL = 500  # nodes one enrolment may pass in a turn; validation bounds loops, this bounds everything


@frozen
class Wish:
    """An enrolment that stands at a send and wants its mail."""

    enrolment: Enrolment
    campaign: Campaign
    send: Send


def advance(case: Case, enrolment: Enrolment) -> Wish | None:
    """Walk until something has to be waited for. Returns the mail she wants, if that is what she stands at."""
    for _ in range(FUEL):
        if enrolment.state is not _ACTIVE or enrolment.in_flight is not None:
            return None
        campaign = case.campaign_of(enrolment)
        if campaign is None:
            leave(case, enrolment, LeftBy.ARCHIVED, Reason.CAMPAIGN_GONE)
            return None
        node = standing_at(case, campaign, enrolment)
        if node is None:
            leave(case, enrolment, LeftBy.FINISHED, Reason.FLOW_ENDED)
            return None
        kind, due = type(node), enrolment.due_at
        if due is not None and due > case.now and (kind is Wait or (kind is Send and enrolment.planned_for)):
            return None  # she keeps the time that was set, whatever she stands at
        if isinstance(node, Send):
            return Wish(enrolment, campaign, node)
        if not _pass(case, campaign, enrolment, node):
            return None
    leave(case, enrolment, LeftBy.FINISHED, Reason.LOOP_BOUND)
    return None


def go_on(case: Case, enrolment: Enrolment, target: str | None, at: datetime) -> None:
    """Stand at `target` since `at`: waits there count from `at`, when the step before really ended."""
    enrolment.node = target
    enrolment.since = at
    enrolment.due_at = enrolment.planned_for = None
    case.touch(enrolment)


def standing_at(case: Case, campaign: Campaign, enrolment: Enrolment) -> Step | None:
    """The node she stands at; an edit may have moved it, or taken it away."""
    if enrolment.node is None:
        return None
    node = campaign.nodes.get(enrolment.node)
    return node if node is not None else _moved(case, campaign, enrolment)


def _moved(case: Case, campaign: Campaign, enrolment: Enrolment) -> Step | None:
    """Where an edit has put her. In another wait she keeps her time; a step she never waited for begins only now."""
    target = campaign.moved.get(enrolment.node or "")
    node = campaign.nodes.get(target) if target is not None else None
    case.note(FactKind.WENT_ON, Reason.MOVED_BY_EDIT, enrolment=enrolment, step=enrolment.node, to=target)
    if isinstance(node, Send) and enrolment.node in node.was:
        enrolment.node = node.id  # the same step by another name
    elif isinstance(node, Wait | WaitUntil | WaitFor | WaitQuiet):
        enrolment.node = node.id
        if enrolment.planned_for is not None:  # she comes from a mail: its time is not the wait's
            enrolment.planned_for = enrolment.due_at = None
    else:
        go_on(case, enrolment, target, case.now)
    case.touch(enrolment)
    return node


def was_received(enrolment: Enrolment, send: Send) -> bool:
    """Whether its mail was planned in this pass, under whatever name: it never is again."""
    return any(enrolment.visits.get(name) == enrolment.passes for name in (send.id, *send.was))


def _pass(case: Case, campaign: Campaign, enrolment: Enrolment, node: Step) -> bool:
    """Do what the node says. False when she has to wait here; her `due_at` says until when."""
    match node:
        case Wait() | WaitUntil() | WaitQuiet():
            return _wait(case, enrolment, node)
        case WaitFor():
            return _wait_for(case, enrolment, node)
        case Branch():
            _branch(case, enrolment, node)
        case Split():
            arm = pick(node.arms, share(case.programme.seed, f"{campaign.name}|{node.name}", case.contact.id))
            case.note(FactKind.SPLIT, enrolment=enrolment, step=node.id, split=node.name, arm=arm.name)
            _go_to(case, enrolment, arm.target or node.next)
        case Goto():
            _jump(case, enrolment, node)
        case End():
            leave(case, enrolment, LeftBy.FINISHED, Reason.END_STEP)
        case _:
            _act(case, enrolment, node)
            _go_to(case, enrolment, node.next)
    return True


def _go_to(case: Case, enrolment: Enrolment, target: str | None) -> None:
    """On to the next node in no time."""
    go_on(case, enrolment, target, enrolment.since or case.now)


# --- waits -----------------------------------------------------------------------------------------------------------


def _wait(case: Case, enrolment: Enrolment, node: Wait | WaitUntil | WaitQuiet) -> bool:
    since = enrolment.since or case.now
    match node:
        case Wait():  # once begun it keeps its time, also when the file changes
            due = enrolment.due_at or wait_ends(case.programme.calendar, case.zone, since, node)
        case WaitUntil():
            due = max(_until(case, enrolment, node) or since, since)
        case WaitQuiet():
            seen = [event.at for name in node.after for event in case.history.get(name, ()) if event.at >= since]
            due = add(max(seen, default=since), node.duration, case.zone, case.programme.calendar)
    if due > case.now:
        if enrolment.due_at != due:
            enrolment.due_at = due
            case.touch(enrolment)
        return False
    case.note(FactKind.WENT_ON, Reason.TIME_PASSED, enrolment=enrolment, step=node.id, since=since)
    go_on(case, enrolment, node.next, max(due, since))
    return True


def wait_ends(calendar: Calendar, zone: ZoneInfo, since: datetime, node: Wait) -> datetime:
    """When a wait begun at `since` is over for somebody in `zone`."""
    due = add(since, node.duration, zone, calendar) if node.duration is not None else since
    if node.until is None and node.days is None and not node.business_days:
        return due
    length = node.duration
    if node.until is not None and length is not None and length.approximate - length.elapsed >= DAY:
        due -= A_LITTLE_LATE
    return next_clock(due, node.until, node.days, zone, calendar, node.business_days)


def _until(case: Case, enrolment: Enrolment, node: WaitUntil) -> datetime | None:
    """The instant an expression names; a bare date is its `until` time, or its first moment, in her zone."""
    instant = as_instant(case, node.instant, enrolment)
    if instant is None:
        return None
    if node.offset is not None:
        instant = _shift(case, instant, node)
    if node.until is not None:
        return at_local(instant.astimezone(case.zone).date(), node.until, case.zone)
    return instant


def _shift(case: Case, instant: datetime, node: WaitUntil) -> datetime:
    offset = node.offset
    assert offset is not None
    if not node.before:
        return add(instant, offset, case.zone, case.programme.calendar)
    return subtract(instant, offset, case.zone, case.programme.calendar)


def as_instant(case: Case, expression: Expression, enrolment: Enrolment) -> datetime | None:
    """A datetime, or an ISO date or date-time in somebody's data; anything else is unknown.

    "Never" is often written as the year 9999: that is far ahead, not an error.
    """
    value = expression.value(case.facts(enrolment))
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if len(value) > len("2026-01-31") else date.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, Event):
        return value.at
    if not isinstance(value, date):  # a datetime is one, too
        return None
    if value.year not in YEARS:
        return datetime(min(max(value.year, YEARS.start), YEARS.stop), 1, 1, tzinfo=UTC)
    if not isinstance(value, datetime):
        return at_local(value, time(), case.zone)
    return (value if value.tzinfo is not None else value.replace(tzinfo=case.zone)).astimezone(UTC)


def _wait_for(case: Case, enrolment: Enrolment, node: WaitFor) -> bool:
    since = enrolment.since or case.now
    deadline = add(since, node.up_to, case.zone, case.programme.calendar)
    for event in case.history.get(node.event, ()):
        if since < event.at <= deadline and (node.where is None or node.where.holds(case.facts(enrolment, event))):
            case.note(FactKind.WENT_ON, Reason.EVENT_SEEN, enrolment=enrolment, step=node.id, event=node.event)
            go_on(case, enrolment, node.then or node.next, max(event.at, since))
            return True
    if deadline <= case.now:
        case.note(FactKind.WENT_ON, Reason.TIMED_OUT, enrolment=enrolment, step=node.id, event=node.event)
        go_on(case, enrolment, node.otherwise or node.next, deadline)
        return True
    if enrolment.due_at != deadline:
        enrolment.due_at = deadline
        case.touch(enrolment)
    return False


# --- ways and deeds --------------------------------------------------------------------------------------------------


def _branch(case: Case, enrolment: Enrolment, node: Branch) -> None:
    facts = case.facts(enrolment)
    saw: list[dict[str, Any]] = []
    for arm in node.arms:
        if arm.condition is None or arm.condition.holds(facts):
            if arm.condition is not None:
                saw.extend(arm.condition.saw(facts))
            case.note(FactKind.BRANCHED, enrolment=enrolment, step=node.id, arm=arm.label, conditions=saw or None)
            _go_to(case, enrolment, arm.target or node.next)
            return
        saw.extend(arm.condition.saw(facts))
    case.note(FactKind.BRANCHED, enrolment=enrolment, step=node.id, arm="none", conditions=saw or None)
    _go_to(case, enrolment, node.next)


def _jump(case: Case, enrolment: Enrolment, node: Goto) -> None:
    done = enrolment.jumps.get(node.id, 0)
    if done >= node.times:
        case.note(FactKind.WENT_ON, Reason.LOOP_BOUND, enrolment=enrolment, step=node.id)
        _go_to(case, enrolment, node.next)
        return
    enrolment.jumps[node.id] = done + 1
    enrolment.passes += 1
    _go_to(case, enrolment, node.target)


def _act(case: Case, enrolment: Enrolment, node: Step) -> None:
    facts = case.facts(enrolment)
    match node:
        case SetAttributes():
            asked = {name: plain(expression.value(facts)) for name, expression in node.values}
            values = {name: value for name, value in asked.items() if value is not None}  # unknown changes nothing
            case.alter(attributes={**case.contact.attributes, **values}, version=case.contact.version + 1)
            case.stirred = True
            case.note(FactKind.ATTRIBUTE_SET, Reason.BY_STEP, enrolment=enrolment, step=node.id, values=values)
        case Move():
            lifecycle.change_stage(case, node.stage, case.now, Reason.BY_STEP, enrolment=enrolment, step=node.id)
            case.stirred = True
        case Record():
            values = {name: plain(expression.value(facts)) for name, expression in node.values}
            case.turn.recorded.append(Recorded(node.event, case.now, values))
            case.note(FactKind.RECORDED, Reason.BY_STEP, enrolment=enrolment, step=node.id, event=node.event)
        case Webhook():
            _outgoing(case, enrolment, "webhook", node.name, node.id, None)
        case Alert():
            _outgoing(case, enrolment, "alert", node.team, node.id, node.text)


def _outgoing(case: Case, enrolment: Enrolment, kind: str, name: str, step: str, text: str | None) -> None:
    payload = {
        "campaign": enrolment.campaign,
        "enrolment": enrolment.seq,
        "step": step,
        "text": text,
        "contact": {"id": case.contact.id, "external_id": case.contact.external_id, "email": case.contact.email},
        "start": plain(enrolment.start),
        "offers": {grant.offer: {"code": grant.code, "tier": grant.tier} for grant in enrolment.grants.values()},
    }
    case.turn.outgoing.append(Outgoing(kind, name, case.now, payload))
    case.note(FactKind.CALLED if kind == "webhook" else FactKind.ALERTED, enrolment=enrolment, step=step, name=name)


def is_open(campaign: Campaign, paused: Container[str]) -> bool:
    """Mails of a paused or withdrawn campaign are held where they are; time goes on."""
    status = campaign.status
    return (status is CampaignStatus.LIVE or status is CampaignStatus.ARCHIVED) and campaign.name not in paused

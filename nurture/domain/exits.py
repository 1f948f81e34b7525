"""Stops and goals: judged on every event, and at once, wherever the person stands."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from nurture.domain.campaign import Campaign, EventStop
from nurture.domain.case import Case
from nurture.domain.enrolment import Enrolment, EnrolmentState, LeftBy
from nurture.domain.event import Event
from nurture.domain.ledger import FactKind, Reason
from nurture.domain.timing import add

MOST_WORTH = 1e15


def judge_event(case: Case, event: Event) -> None:
    """Count goals first, then stop: a purchase that ends a reminder is also the conversion it was for."""
    for enrolment in list(case.enrolments):
        campaign = case.campaign_of(enrolment)
        if campaign is not None and event.name in campaign.endings:
            _judge_for(case, campaign, enrolment, event)


def _judge_for(case: Case, campaign: Campaign, enrolment: Enrolment, event: Event) -> None:
    reached = _reach_goal(case, campaign, enrolment, event)
    if enrolment.state is not EnrolmentState.ACTIVE:
        return
    stop = _stopped_by(case, campaign, enrolment, event)
    if stop is not None:
        where = stop.where.source if stop.where is not None else None
        leave(case, enrolment, LeftBy.STOP, Reason.STOP_EVENT, event=event.name, where=where)
    elif reached and campaign.goal is not None and campaign.goal.exits:
        leave(case, enrolment, LeftBy.GOAL, Reason.EVENT_SEEN, event=event.name)


def catch_up(case: Case, campaign: Campaign, enrolment: Enrolment) -> None:
    """A start that was reported late may be over already: judge what is known to have happened since.

    Only what happened after the start: a purchase and a cart of the same instant are told apart by their order.
    """
    since = [
        event for name in campaign.endings for event in case.history.get(name, ()) if event.at > enrolment.started_at
    ]
    for event in sorted(since, key=lambda event: (event.at, event.id)):
        _judge_for(case, campaign, enrolment, event)


def stop_on_stage(case: Case, before: str | None, after: str) -> None:
    for enrolment, campaign in _active(case):
        for stop in campaign.stage_stops:
            if stop.to_stage == after and (stop.from_stages is None or before in stop.from_stages):
                leave(case, enrolment, LeftBy.STOP, Reason.STOP_STAGE, **{"from": before, "to": after})
                break


def stop_in_segments(case: Case, inside: Collection[str]) -> None:
    for enrolment, campaign in _active(case):
        for stop in campaign.segment_stops:
            if stop.segment in inside:
                leave(case, enrolment, LeftBy.STOP, Reason.STOP_SEGMENT, segment=stop.segment)
                break


def leave(case: Case, enrolment: Enrolment, left_by: LeftBy, reason: Reason, **detail: Any) -> None:
    """End the enrolment. A mail that still waits is to be cancelled, unless its gate comes first.

    Only storage learns which of the two happened, so it writes that fact; until then the mail keeps its slot.
    """
    if enrolment.in_flight is not None:
        case.turn.cancelled.append(enrolment.in_flight)
        case.freed = True
    case.note(FactKind.LEFT, reason, enrolment=enrolment, step=enrolment.node, left_by=left_by.value, **detail)
    enrolment.state = EnrolmentState.ENDED
    enrolment.left_by = left_by
    enrolment.ended_at = case.now
    enrolment.node = enrolment.due_at = enrolment.planned_for = enrolment.in_flight = None
    case.touch(enrolment)


def _active(case: Case) -> list[tuple[Enrolment, Campaign]]:
    pairs = ((enrolment, case.campaign_of(enrolment)) for enrolment in case.active())
    return [(enrolment, campaign) for enrolment, campaign in pairs if campaign is not None]


def _reach_goal(case: Case, campaign: Campaign, enrolment: Enrolment, event: Event) -> bool:
    goal = campaign.goal
    if goal is None or goal.event != event.name or enrolment.goal_at is not None:
        return False
    until = enrolment.watch_until  # None: the campaign had no goal when she came
    if until is None:
        until = add(enrolment.started_at, goal.within, case.zone, case.programme.calendar)
    if not enrolment.started_at <= event.at <= until:
        return False
    facts = case.facts(enrolment, event)
    if goal.where is not None and not goal.where.holds(facts):
        return False
    enrolment.goal_at = event.at
    enrolment.goal_value = _worth(goal.value.value(facts)) if goal.value is not None else None
    case.touch(enrolment)
    case.note(
        FactKind.GOAL_REACHED, Reason.EVENT_SEEN, enrolment=enrolment, event=event.name, value=enrolment.goal_value
    )
    return True


def _worth(value: Any) -> float | None:
    """Money, if it is a number that a ledger can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST_WORTH:
        return None
    return float(value)


def _stopped_by(case: Case, campaign: Campaign, enrolment: Enrolment, event: Event) -> EventStop | None:
    for stop in campaign.event_stops:
        if stop.event != event.name or event.at < enrolment.started_at:
            continue
        if stop.where is None or stop.where.holds(case.facts(enrolment, event)):
            return stop
    return None

"""Stops and goals: judged on every event, and at once, wherever the person stands."""

from __future__ import annotations

from typing import Any

from nurture.domain.case import Case
from nurture.domain.enrolment import Enrolment, EnrolmentState, LeftBy
from nurture.domain.event import Event
from nurture.domain.ledger import FactKind, Reason
from nurture.domain.programme import Campaign, EventStop, SegmentStop, StageStop


def judge_event(case: Case, event: Event) -> None:
    """Count goals first, then stop: a purchase that ends a reminder is also the conversion it was for."""
    for enrolment in list(case.enrolments):
        campaign = case.campaign_of(enrolment)
        if campaign is None:
            continue
        reached = _reach_goal(case, campaign, enrolment, event)
        if enrolment.state is not EnrolmentState.ACTIVE:
            continue
        stop = _stopped_by(case, campaign, enrolment, event)
        if stop is not None:
            leave(
                case,
                enrolment,
                LeftBy.STOP,
                Reason.STOP_EVENT,
                event=event.name,
                where=stop.where and stop.where.source,
            )
        elif reached and campaign.goal is not None and campaign.goal.exits:
            leave(case, enrolment, LeftBy.GOAL, Reason.EVENT_SEEN, event=event.name)


def stop_on_stage(case: Case, before: str | None, after: str) -> None:
    for enrolment, campaign in _active(case):
        for stop in campaign.stops:
            if (
                isinstance(stop, StageStop)
                and stop.to_stage == after
                and (stop.from_stages is None or before in stop.from_stages)
            ):
                leave(case, enrolment, LeftBy.STOP, Reason.STOP_STAGE, **{"from": before, "to": after})
                break


def stop_in_segments(case: Case, inside: frozenset[str]) -> None:
    for enrolment, campaign in _active(case):
        for stop in campaign.stops:
            if isinstance(stop, SegmentStop) and stop.segment in inside:
                leave(case, enrolment, LeftBy.STOP, Reason.STOP_SEGMENT, segment=stop.segment)
                break


def leave(case: Case, enrolment: Enrolment, left_by: LeftBy, reason: Reason, **detail: Any) -> None:
    """End the enrolment. A mail that still waits is to be cancelled, unless its gate comes first.

    Only storage learns which of the two happened, so it writes that fact; until then the mail keeps its slot.
    """
    if enrolment.in_flight is not None:
        case.turn.cancelled.append(enrolment.in_flight)
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
    if event.at < enrolment.started_at or (enrolment.watch_until is not None and event.at > enrolment.watch_until):
        return False
    facts = case.facts(enrolment, event)
    if goal.where is not None and not goal.where.holds(facts):
        return False
    value = goal.value.value(facts) if goal.value is not None else None
    enrolment.goal_at = event.at
    enrolment.goal_value = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    case.touch(enrolment)
    case.note(
        FactKind.GOAL_REACHED, Reason.EVENT_SEEN, enrolment=enrolment, event=event.name, value=enrolment.goal_value
    )
    return True


def _stopped_by(case: Case, campaign: Campaign, enrolment: Enrolment, event: Event) -> EventStop | None:
    for stop in campaign.stops:
        if not isinstance(stop, EventStop) or stop.event != event.name or event.at < enrolment.started_at:
            continue
        if stop.where is None or stop.where.holds(case.facts(enrolment, event)):
            return stop
    return None

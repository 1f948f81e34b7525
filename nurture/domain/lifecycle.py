"""Stage transitions: by an event, by time spent in a stage, or because a condition has come true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nurture.domain import entry, exits
from nurture.domain.case import Case
from nurture.domain.enrolment import Enrolment
from nurture.domain.event import Event
from nurture.domain.ledger import FactKind, Reason
from nurture.domain.snapshot import StageChange
from nurture.domain.stages import StageMove
from nurture.domain.timing import add

MOST_MOVES_A_TURN = 10  # a lifecycle whose rules chase each other must come to rest


def begin(case: Case, pending: Sequence[Event]) -> None:
    """Somebody new stands in the first stage, since the first thing that is known of her."""
    if case.contact.stage is None:
        since = min([case.contact.created_at, *(event.at for event in pending)])
        change_stage(case, case.programme.lifecycle.first, since, Reason.FIRST_STAGE)


def move_on_event(case: Case, event: Event) -> None:
    """The first rule that this event triggers; one event moves a person at most once."""
    for move in case.programme.lifecycle.on_event(case.contact.stage, event.name):
        if move.condition is None or move.condition.holds(case.facts(event=event)):
            change_stage(case, move.to, event.at, Reason.ON_EVENT, event)
            return


def move_until(case: Case, instant: datetime) -> None:
    """Moves by dwelling alone that were due by `instant`: after an outage, too, what happened first counts first."""
    for _ in range(MOST_MOVES_A_TURN):
        for move in case.programme.lifecycle.dwells(case.contact.stage):
            if _dwelled(case, move, instant):
                break
        else:
            return


def move_by_time(case: Case) -> None:
    """Dwell and condition rules, in file order, again after each move."""
    for _ in range(MOST_MOVES_A_TURN):
        for move in case.programme.lifecycle.in_time(case.contact.stage):
            if _move_now(case, move):
                break
        else:
            return
    case.note(FactKind.FAILED, Reason.LOOP_BOUND, stage=case.contact.stage)


def change_stage(
    case: Case,
    stage: str,
    at: datetime,
    reason: Reason,
    event: Event | None = None,
    *,
    enrolment: Enrolment | None = None,
    step: str | None = None,
) -> None:
    """Append to the history, then let campaigns stop and start on the transition."""
    before = case.contact.stage
    if before == stage:
        return
    if case.contact.stage_since is not None:  # an event may come late, but the history only grows
        at = max(at, case.contact.stage_since)
    case.alter(stage=stage, stage_since=at)
    case.turn.stages.append(StageChange(at, before, stage, event.id if event is not None else None))
    moved: dict[str, Any] = {"from": before, "to": stage, "event": event.name if event else None}
    case.note(FactKind.STAGE_MOVED, reason, enrolment=enrolment, step=step, **moved)
    exits.stop_on_stage(case, before, stage)
    entry.start_on_stage(case, before, stage, at, event)


def _dwelled(case: Case, move: StageMove, until: datetime) -> bool:
    at = _dwell_ends(case, move)
    if at > until:
        return False
    change_stage(case, move.to, at, Reason.DWELLED)
    return True


def _dwell_ends(case: Case, move: StageMove) -> datetime:
    assert move.after is not None
    since = case.contact.stage_since or case.contact.created_at
    return add(since, move.after, case.zone, case.programme.calendar)


def _move_now(case: Case, move: StageMove) -> bool:
    at = case.now
    reason = Reason.CONDITION_HELD
    if move.after is not None:
        at = _dwell_ends(case, move)
        reason = Reason.DWELLED
        if at > case.now:
            case.wake(at)
            return False
    if move.condition is not None:
        holds, change = move.condition.stands(case.facts())
        if not holds:
            case.wake(change)
            return False
        at = case.now
    change_stage(case, move.to, at, reason)
    return True

"""The heart: one pure function from what is known of a contact to what happens to her now.

No clock, no I/O, no randomness. The daemon, the simulator, `explain`, `plan` and the campaign tests all call it.
Within a turn: mails that ended, then events in order (goals, stops, stage moves, starts), then time (stages, segments,
anniversaries), then every enrolment walks on, and last the mails that want to go are judged together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from nurture.domain import lifecycle
from nurture.domain.arbitration import arbitrate
from nurture.domain.case import Case
from nurture.domain.consent import judge_consent
from nurture.domain.delivery import Settled
from nurture.domain.enrolment import LeftBy
from nurture.domain.entry import (
    as_key,
    is_mark,
    start_by_hand,
    start_on_dates,
    start_on_event,
    start_on_segments,
)
from nurture.domain.event import NOTHING, Event
from nurture.domain.exits import judge_event, leave, stop_in_segments
from nurture.domain.flow import advance, go_on, standing_at, was_received
from nurture.domain.ledger import Reason
from nurture.domain.merging import MERGED, judge_merge
from nurture.domain.programme import Programme
from nurture.domain.snapshot import Snapshot, Turn
from nurture.domain.steps import Send
from nurture.domain.tracking import FACTS_ONLY

ENROL, EJECT = "nurture.enrol", "nurture.eject"
NO_SEGMENTS: frozenset[str] = frozenset()
ROUNDS = 50  # skips and ghosts let people walk on within the turn; no flow is that long without a wait


def decide(programme: Programme, snapshot: Snapshot, now: datetime) -> Turn:
    """Everything that is due for one contact, as effects to be written in one transaction.

    The snapshot's enrolments are changed in place and handed back in the turn; the caller must not use them otherwise.
    """
    case = Case(programme, snapshot, now)
    lifecycle.begin(case, snapshot.pending)
    unseen = _first_look(case)
    for settled in snapshot.settled:
        _settle(case, settled)
    for event in snapshot.pending:
        _judge(case, event)
    _judge_time(case, unseen)
    for _ in range(ROUNDS):
        wishes = [wish for enrolment in case.active() if (wish := advance(case, enrolment)) is not None]
        if case.stirred:  # before any mail is judged: she may be elsewhere now, and others may have stopped
            case.stirred = False
            _judge_time(case, NO_SEGMENTS)
        elif not wishes or not arbitrate(case, wishes):
            break
    else:
        case.wake(now)
    return case.finish()


def _judge_time(case: Case, unseen: frozenset[str]) -> None:
    """What follows from the person as she is now, without any event. Stops come last: they see who just came in."""
    lifecycle.move_by_time(case)
    inside, entered = _judge_segments(case)
    if entered:
        start_on_segments(case, entered, unseen)
    start_on_dates(case)
    if inside:
        stop_in_segments(case, inside)


def _settle(case: Case, settled: Settled) -> None:
    """The mail an enrolment waited for has ended: she goes on from that moment."""
    for enrolment in case.active():
        if enrolment.in_flight != settled.seq:
            continue
        enrolment.in_flight = None
        enrolment.since = settled.at
        case.touch(enrolment)
        campaign = case.campaign_of(enrolment)
        node = standing_at(case, campaign, enrolment) if campaign is not None else None
        if isinstance(node, Send) and was_received(enrolment, node):
            go_on(case, enrolment, node.next, settled.at)
    if not settled.state.counts:
        _reconsider_postponed(case)


def _reconsider_postponed(case: Case) -> None:
    """A mail that did not go gave its slot back: whoever was postponed asks again."""
    for enrolment in case.active():
        campaign = case.campaign_of(enrolment)
        node = campaign.nodes.get(enrolment.node or "") if campaign is not None else None
        if isinstance(node, Send) and enrolment.in_flight is None and enrolment.planned_for is not None:
            enrolment.due_at = max(enrolment.planned_for, case.now)
            case.touch(enrolment)


def _judge(case: Case, event: Event) -> None:
    case.turn.processed.append(event.id)
    if event.name == ENROL:
        _enrol_by_hand(case, event)
        return
    if event.name == EJECT:
        _eject(case, event)
        return
    if event.name == MERGED:
        judge_merge(case, event)
        return
    if event.name not in FACTS_ONLY:
        case.remember(event)
    judge_consent(case, event)
    if event.name.startswith("nurture."):
        return
    lifecycle.move_until(case, event.at)
    judge_event(case, event)
    lifecycle.move_on_event(case, event)
    start_on_event(case, event)


def _enrol_by_hand(case: Case, event: Event) -> None:
    campaign = case.programme.campaigns.get(str(event.properties.get("campaign", "")))
    if campaign is not None:
        key, data = event.properties.get("key"), event.properties.get("with")
        start_by_hand(case, campaign, as_key(key) or "", data if isinstance(data, Mapping) else NOTHING, event.at)


def _eject(case: Case, event: Event) -> None:
    name = event.properties.get("campaign")
    for enrolment in case.active():
        if name is None or enrolment.campaign == name:
            leave(case, enrolment, LeftBy.EJECTED, Reason.BY_HAND)


def _first_look(case: Case) -> frozenset[str]:
    """Segments she was never looked at for, and is inside of before anything new is judged: she does not enter those.

    Somebody who came after the campaign was applied enters what her first events bring her into, see
    `start_on_segments`.
    """
    known = case.contact.memberships
    if case.programme.watched_names <= known.keys():
        return NO_SEGMENTS
    names = [name for name in case.programme.watched_segments if name not in known]
    facts = case.facts()
    return frozenset(
        name for name in names if not case.contact.enrols or case.programme.segments[name].holds(facts) is True
    )


def _judge_segments(case: Case) -> tuple[Collection[str], Collection[str]]:
    """Which watched segments she is inside of now, and which of them she has just entered."""
    watched = case.programme.watched
    known = case.contact.memberships
    if not watched and not known:
        return NO_SEGMENTS, NO_SEGMENTS
    facts = case.facts()
    judged = {}
    for name, condition in watched:
        answer, change = condition.stands(facts)
        judged[name] = answer is True
        if change is not None:
            case.wake(change)
    inside = [name for name, holds in judged.items() if holds]
    if judged == known:
        return inside, NO_SEGMENTS
    memberships = {**{name: value for name, value in known.items() if is_mark(name)}, **judged}
    if memberships == known:
        return inside, NO_SEGMENTS
    case.alter(memberships=memberships)
    return inside, [name for name in inside if not known.get(name, False)]

"""The heart: one pure function from what is known of a contact to what happens to her now.

No clock, no I/O, no randomness. The daemon, the simulator, `explain`, `plan` and the campaign tests all call it.
Within a turn: mails that ended, then events in order (goals, stops, stage moves, starts), then time (stages, segments,
anniversaries), then every enrolment walks on, and last the mails that want to go are judged together.
"""

from __future__ import annotations

from datetime import datetime

from nurture.domain import lifecycle
from nurture.domain.arbitration import arbitrate
from nurture.domain.case import Case
from nurture.domain.consent import judge_consent
from nurture.domain.delivery import Settled
from nurture.domain.enrolment import LeftBy
from nurture.domain.entry import start_by_hand, start_on_dates, start_on_event, start_on_segments
from nurture.domain.event import Event
from nurture.domain.exits import judge_event, leave, stop_in_segments
from nurture.domain.flow import advance, go_on
from nurture.domain.ledger import Reason
from nurture.domain.programme import Programme, SegmentStart, Send
from nurture.domain.snapshot import Snapshot, Turn

ENROL, EJECT = "nurture.enrol", "nurture.eject"
ROUNDS = 50  # skips and ghosts let people walk on within the turn; no flow is that long without a wait


def decide(programme: Programme, snapshot: Snapshot, now: datetime) -> Turn:
    """Everything that is due for one contact, as effects to be written in one transaction.

    The snapshot's enrolments are changed in place and handed back in the turn; the caller must not use them otherwise.
    """
    case = Case(programme, snapshot, now)
    lifecycle.begin(case)
    for settled in snapshot.settled:
        _settle(case, settled)
    for event in snapshot.pending:
        _judge(case, event)
    lifecycle.move_by_time(case)
    _judge_segments(case)
    start_on_dates(case)
    for _ in range(ROUNDS):
        before = len(case.turn.facts)
        wishes = [wish for enrolment in case.active() if (wish := advance(case, enrolment)) is not None]
        arbitrate(case, wishes)
        if len(case.turn.facts) == before:
            break
    return case.finish()


def _settle(case: Case, settled: Settled) -> None:
    """The mail an enrolment waited for has ended: she goes on from that moment."""
    for enrolment in case.active():
        if enrolment.in_flight != settled.seq:
            continue
        enrolment.in_flight = None
        campaign = case.campaign_of(enrolment)
        node = campaign.nodes.get(enrolment.node or "") if campaign is not None else None
        if node is not None:
            go_on(case, enrolment, node.next, settled.at)
        case.touch(enrolment)
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
    judge_consent(case, event)
    if event.name.startswith("nurture."):
        return
    case.history.setdefault(event.name, []).append(event)
    case.history[event.name].sort(key=lambda seen: (seen.at, seen.id))  # events may come late
    judge_event(case, event)
    lifecycle.move_on_event(case, event)
    start_on_event(case, event)


def _enrol_by_hand(case: Case, event: Event) -> None:
    campaign = case.programme.campaigns.get(str(event.properties.get("campaign", "")))
    if campaign is not None:
        key = str(event.properties.get("key", ""))
        start_by_hand(case, campaign, key, event.properties.get("with") or {}, event.at)


def _eject(case: Case, event: Event) -> None:
    name = event.properties.get("campaign")
    for enrolment in case.active():
        if name is None or enrolment.campaign == name:
            leave(case, enrolment, LeftBy.EJECTED, Reason.BY_HAND)


def _judge_segments(case: Case) -> None:
    """Who is inside which watched segment now, and which campaigns that starts and stops."""
    watched = case.programme.watched_segments
    if not watched:
        return
    facts = case.facts()
    inside, entered = set(), set()
    memberships = dict(case.contact.memberships)
    for name in watched:
        condition = case.programme.segments[name]
        holds = condition.holds(facts) is True
        case.wake_for(condition, facts)
        before = memberships.get(name)
        if holds:
            inside.add(name)
        if holds and (before is False or (before is None and _is_new_to(case, name))):
            entered.add(name)
        memberships[name] = holds
    if memberships != case.contact.memberships:
        case.alter(memberships=memberships)
    stop_in_segments(case, frozenset(inside))
    start_on_segments(case, frozenset(entered))


def _is_new_to(case: Case, segment: str) -> bool:
    """Never looked at before: only somebody who came after the campaign was applied can be entering."""
    if not case.contact.enrols:
        return False
    since = [
        campaign.since
        for campaign in case.programme.campaigns.values()
        if isinstance(campaign.start, SegmentStart) and campaign.start.segment == segment
    ]
    return any(at is None or case.contact.created_at >= at for at in since)

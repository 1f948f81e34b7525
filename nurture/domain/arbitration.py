"""Arbitration: who gets the slot. Highest priority first, then who was due first, then campaign and step by name.

Every wish ends in one of: a planned delivery, a ghost, a postponement with the rule that blocked it and when room
opens, or a skip with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nurture.domain import offers
from nurture.domain.campaign import Campaign
from nurture.domain.caps import Full, caps_over, first_full
from nurture.domain.case import Case
from nurture.domain.delivery import CountedMail, Delivery, DeliveryState
from nurture.domain.eligibility import ineligible
from nurture.domain.enrolment import Grant
from nurture.domain.flow import Wish, go_on, is_open, was_received
from nurture.domain.ledger import FactKind, Reason
from nurture.domain.programme import Programme
from nurture.domain.steps import MailKind, OnCap, Send
from nurture.domain.timing import add, next_allowed, zone_of

TRIES = 12  # a cap and a window may push each other ahead a few times before both have room


def arbitrate(case: Case, wishes: Sequence[Wish]) -> bool:
    """Judge all wishes of this moment together. True when somebody has gone on, to where there may be a next wish."""
    waiting = [wish for wish in wishes if _is_due(case, wish)]
    if len(waiting) > 1:
        waiting.sort(key=lambda wish: (-wish.campaign.priority, _due(wish), wish.campaign.name, wish.send.id))
    for wish in waiting:
        _judge(case, wish)
    return any(wish.enrolment.node != wish.send.id for wish in waiting)


def allowed_from(programme: Programme, campaign: Campaign, send: Send, at: datetime, zone_name: str | None) -> datetime:
    """The first instant from `at` on that quiet hours and the campaign's window allow this mail."""
    if send.kind is MailKind.TRANSACTIONAL:
        return at
    window = None if send.urgent else campaign.send_window
    return next_allowed(
        at,
        zone_of(zone_name, programme.zone),
        quiet=programme.quiet_hours,
        window=window.hours if window is not None else None,
        days=window.days if window is not None else None,
        business_days=window.business_days if window is not None else False,
        calendar=programme.calendar,
    )


def deadline_of(case: Case, send: Send, due: datetime) -> datetime:
    """The end of the validity window: past it the mail does not go."""
    return add(due, send.late, case.zone, case.programme.calendar)


def _due(wish: Wish) -> datetime:
    due = wish.enrolment.planned_for
    assert due is not None
    return due


def _is_due(case: Case, wish: Wish) -> bool:
    """Set when the mail is first due, and hold it until then."""
    enrolment, send = wish.enrolment, wish.send
    if enrolment.planned_for is None:
        since = enrolment.since or case.now
        due = allowed_from(case.programme, wish.campaign, send, since, case.contact.zone)
        enrolment.planned_for = enrolment.due_at = due
        case.touch(enrolment)
        if due == case.now:
            case.may_now.add(enrolment.seq)
        else:  # what an earlier mail of this turn might do is not said of this one
            case.may_now.discard(enrolment.seq)
        if due > since and due > case.now:
            quiet = case.programme.quiet_hours
            in_quiet = quiet is not None and quiet.contains(since.astimezone(case.zone).time())
            reason = Reason.QUIET_HOURS if in_quiet else Reason.SEND_WINDOW
            case.note(FactKind.POSTPONED, reason, enrolment=enrolment, step=send.id, until=due)
    if not is_open(wish.campaign, case.paused):
        if enrolment.due_at is not None and enrolment.due_at <= case.now:
            enrolment.due_at = None  # whoever resumes the campaign wakes its people
            case.touch(enrolment)
        return False
    return enrolment.due_at is None or enrolment.due_at <= case.now


def _judge(case: Case, wish: Wish) -> None:
    enrolment, send, campaign = wish.enrolment, wish.send, wish.campaign
    due = _due(wish)
    deadline = deadline_of(case, send, due)
    if was_received(enrolment, send):
        _skip(case, wish, Reason.ALREADY_RECEIVED)
        return
    if case.now > deadline:
        _skip(case, wish, Reason.LATE, due=due, deadline=deadline)
        return
    reason = ineligible(case.contact, send.kind, campaign.topic, case.now)
    if reason is not None:
        _skip(case, wish, reason)
        return
    granted: Grant | None = None
    if send.offer is not None:
        offered = offers.grant(case, campaign, enrolment, send.offer)
        if isinstance(offered, Reason):
            _skip(case, wish, offered, offer=send.offer)
            return
        granted = offered
    if send.condition is not None:
        facts = case.facts(enrolment, grant=granted)
        holds = send.condition.holds(facts)
        if not holds:
            unknown = Reason.CONDITION_UNKNOWN if holds is None else Reason.CONDITION_FALSE
            _skip(case, wish, unknown, condition=send.condition.saw(facts))
            return
    if _find_slot(case, wish, due, deadline):
        _plan(case, wish, due, deadline, granted)


def _find_slot(case: Case, wish: Wish, due: datetime, deadline: datetime) -> bool:
    """True when it may go now; otherwise it is postponed or skipped, and written down why."""
    enrolment, send = wish.enrolment, wish.send
    if send.kind is MailKind.TRANSACTIONAL:
        return True
    caps = caps_over(case.contact, case.programme.caps)
    at, full, reason = case.now, None, None
    for _ in range(TRIES):
        asked = at is case.now and enrolment.seq in case.may_now
        allowed = at if asked else allowed_from(case.programme, wish.campaign, send, at, case.contact.zone)
        if allowed > at and reason is None:
            reason = Reason.QUIET_HOURS
        blocked = first_full(caps, case.mails, send.category, allowed, case.now, enrolment.held_out)
        at = allowed
        if blocked is None:
            break
        full, reason, at = full or blocked, Reason.CAP, blocked.opens_at
    if at <= case.now and full is None:
        return True
    limit = deadline
    if full is not None and send.postpone_up_to is not None:
        limit = min(limit, add(due, send.postpone_up_to, case.zone, case.programme.calendar))
    detail = _full_detail(full) if full is not None else {}
    if full is not None and send.on_cap is OnCap.SKIP:
        _skip(case, wish, Reason.CAP, **detail)
    elif at > limit:
        _skip(case, wish, reason or Reason.LATE, opens_at=at, deadline=limit, **detail)
    else:
        enrolment.due_at = at
        case.touch(enrolment)
        case.note(FactKind.POSTPONED, reason, enrolment=enrolment, step=send.id, until=at, **detail)
    return False


def _full_detail(full: Full) -> dict[str, Any]:
    return {
        "cap": str(full.cap),
        "filled_by": [
            {"campaign": mail.campaign, "step": mail.step, "at": mail.at.isoformat() if mail.at else "pending"}
            for mail in full.by
        ],
        "room_opens": full.opens_at,
    }


def _plan(case: Case, wish: Wish, due: datetime, deadline: datetime, granted: Grant | None) -> None:
    enrolment, send, campaign = wish.enrolment, wish.send, wish.campaign
    if granted is not None:
        offers.keep(case, enrolment, granted, send.id)
    ghost = enrolment.held_out and send.kind is MailKind.MARKETING
    seq = case.take_seq()
    if send.kind is MailKind.MARKETING:
        sent_at = case.now if ghost else None
        case.reserve(CountedMail(sent_at, send.category, campaign.name, send.id, ghost))
    delivery = Delivery(
        contact_id=case.contact.id,
        seq=seq,
        enrolment=enrolment.seq,
        campaign=campaign.name,
        step=send.id,
        visit=enrolment.passes,
        kind=send.kind,
        template=send.template,
        category=send.category,
        priority=campaign.priority,
        planned_at=case.now,
        due_at=due,
        not_before=case.now,
        expires_at=deadline,
        revision=case.programme.revision,
    )
    enrolment.visits[send.id] = enrolment.passes
    case.touch(enrolment)
    if ghost:
        case.turn.deliveries.append(delivery.in_state(DeliveryState.GHOST))
        case.note(FactKind.GHOSTED, Reason.HELD_OUT, enrolment=enrolment, step=send.id, delivery=seq)
        go_on(case, enrolment, send.next, case.now)
        return
    case.turn.deliveries.append(delivery)
    enrolment.in_flight = seq
    enrolment.due_at = None
    case.note(FactKind.PLANNED, enrolment=enrolment, step=send.id, delivery=seq, due=due, category=send.category)


def _skip(case: Case, wish: Wish, reason: Reason, **detail: Any) -> None:
    """The step ends here, without a mail; the campaign goes on."""
    enrolment, send = wish.enrolment, wish.send
    case.note(FactKind.SKIPPED, reason, enrolment=enrolment, step=send.id, **detail)
    go_on(case, enrolment, send.next, case.now)

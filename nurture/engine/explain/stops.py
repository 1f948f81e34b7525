"""What could still stop a campaign, or keep its next mail from going: each rule with the values it has now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nurture.domain.campaign import Campaign, EventStop, SegmentStop, StageStop, Stop
from nurture.domain.caps import caps_over, counts, first_full
from nurture.domain.case import Case
from nurture.domain.enrolment import Enrolment
from nurture.domain.flow import is_open
from nurture.domain.programme import Cap, Programme
from nurture.domain.refusals import DomainPause
from nurture.domain.steps import MailKind, OnCap, Send, Step
from nurture.engine.explain.dossier import Dossier
from nurture.engine.explain.fact_words import Clock, Written, observed


def could_stop(
    programme: Programme,
    campaign: Campaign,
    enrolment: Enrolment,
    dossier: Dossier,
    clock: Clock,
    ahead: Iterable[Written],
    step: str | None,
) -> Iterator[str]:
    """What ends the campaign for her, then what may keep the mail she comes to next (or `step`) from going."""
    case = dossier.case(programme)
    send = _next_send(campaign, enrolment, ahead, step)
    if not is_open(campaign, case.paused):
        pause = dossier.pauses.get(campaign.name)
        because = f": {pause.why}" if pause is not None and pause.why else ""
        yield f"nothing goes while the campaign is paused{because}"
    if dossier.domain_pause is not None:
        yield _domain_paused(dossier.domain_pause, clock)
    if send is None or send.kind is MailKind.MARKETING:
        yield "unsubscribing" + (f", or leaving topic {campaign.topic}" if campaign.topic else "")
    for stop in campaign.stops:
        yield from _stop(programme, stop, case, clock)
    goal = campaign.goal
    if goal is not None and goal.exits:
        yield f"reaching the goal: event {goal.event}" + (f" where {goal.where.source}" if goal.where else "")
    if send is not None:
        yield from _kept_back(programme, send, enrolment, dossier, clock)


def _domain_paused(pause: DomainPause, clock: Clock) -> str:
    return (
        f"mail to {pause.domain} is paused since {clock.said(pause.since)}: {pause.refused} of {pause.mails} mails "
        f"were refused, the last with: {pause.text}; one mail tries it again {clock.said(pause.probe_at)}"
    )


def _stop(programme: Programme, stop: Stop, case: Case, clock: Clock) -> Iterator[str]:
    match stop:
        case EventStop():
            yield f"event {stop.event}" + (f" where {stop.where.source}" if stop.where else "")
        case StageStop():
            before = f"from {' or '.join(sorted(stop.from_stages))} " if stop.from_stages else ""
            yield f"going {before}to stage {stop.to_stage}"
        case SegmentStop():
            yield f"coming into segment {stop.segment}"
            for saw in programme.segments[stop.segment].saw(case.facts()):
                yield from observed(saw, clock, "  now ")


def _kept_back(programme: Programme, send: Send, enrolment: Enrolment, dossier: Dossier, clock: Clock) -> Iterator[str]:
    if send.condition is not None:
        yield f"{send.id} goes only if {send.condition.source}"
        for saw in send.condition.saw(dossier.case(programme).facts(enrolment)):
            yield from observed(saw, clock, "  now ")
    if send.kind is MailKind.MARKETING:
        fate = "is skipped" if send.on_cap is OnCap.SKIP else "waits"
        for cap in caps_over(dossier.contact, programme.caps):
            if cap.category in {None, send.category}:
                yield f"{send.id} {fate} while there is no room under cap {cap_line(cap, dossier, clock)}"


def _next_send(campaign: Campaign, enrolment: Enrolment, ahead: Iterable[Written], step: str | None) -> Send | None:
    """The mail asked about, else the one she stands at, else the first that is to come."""
    names = [step, enrolment.node, *(each.fact.step for each in ahead)]
    found: list[Step | None] = [campaign.nodes.get(name) for name in names if name is not None]
    return next((node for node in found if isinstance(node, Send)), None)


def cap_line(cap: Cap, dossier: Dossier, clock: Clock) -> str:
    """`1 per 20 hours: full until Thu 12 Mar 09:30, by c/a Wed 11 Mar 13:30`."""
    mails = dossier.counted()
    inside = [mail for mail in mails if counts(cap, mail, dossier.now, dossier.now, False)]
    by = ", ".join(f"{each.campaign}/{each.step} {clock.said(each.at) if each.at else 'on its way'}" for each in inside)
    full = first_full([cap], mails, cap.category, dossier.now, dossier.now)
    if full is not None:
        return f"{cap}: full until {clock.said(full.opens_at)}, by {by}"
    return f"{cap}: {len(inside)} used" + (f", by {by}" if by else "")

"""Why somebody is not in a campaign: the part of its start that was not met, and when it nearly was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from nurture.domain.campaign import (
    Campaign,
    CampaignStatus,
    DateStart,
    EventStart,
    ManualStart,
    SegmentStart,
    StageStart,
)
from nurture.domain.enrolment import Enrolment
from nurture.domain.event import Event
from nurture.domain.ledger import Fact, FactKind
from nurture.domain.programme import Programme
from nurture.engine.explain.dossier import Dossier
from nurture.engine.explain.fact_words import Clock, Written, observed, told

MOMENT = timedelta(seconds=1)


def why_not(
    programme: Programme, campaign: Campaign, dossier: Dossier, ahead: Sequence[Written], clock: Clock
) -> Iterator[str]:
    """In order: how she left it, what its start wants and she has not, the last time it nearly was, what lies ahead."""
    past = [each for each in dossier.enrolments if each.campaign == campaign.name]
    if past:
        yield _left(past[-1], dossier, clock, programme)
    if campaign.status is not CampaignStatus.LIVE:
        yield f"nobody enters: its status is {campaign.status.value}"
    elif campaign.name in dossier.paused:
        yield "nobody enters: it is paused by hand"
    yield from _not_met(programme, campaign, dossier, clock, new=not past)
    yield from _nearly(programme, campaign, dossier, clock)
    yield from _what_if(programme, campaign, dossier, clock)
    enters = next(
        (one for one in ahead if one.fact.kind is FactKind.ENROLLED and one.fact.campaign == campaign.name), None
    )
    if enters is not None:
        will = "entered" if dossier.person is None else "enters, if nothing else happens,"
        yield f"{will} on {clock.said(enters.fact.at)}"


def _left(enrolment: Enrolment, dossier: Dossier, clock: Clock, programme: Programme) -> str:
    fact = next(
        (w for w in reversed(dossier.written) if w.fact.kind is FactKind.LEFT and w.fact.enrolment == enrolment.seq),
        None,
    )
    if fact is None:
        at = f" on {clock.said(enrolment.ended_at)}" if enrolment.ended_at else ""
        return f"left{at} by {enrolment.left_by}"
    line = told(fact, clock, programme)
    return f"left on {clock.said(line.at)}, {line.why[0] if line.why else ''}".rstrip(", ")


def _not_met(programme: Programme, campaign: Campaign, dossier: Dossier, clock: Clock, *, new: bool) -> Iterator[str]:
    start, contact = campaign.start, dossier.contact
    match start:
        case EventStart():
            event = dossier.events.get(start.event)
            if event is None:
                yield f"never had event {start.event}"
            elif new and not _refusals(campaign, dossier):
                since = f", which was applied on {clock.said(campaign.since)}" if campaign.since else ""
                yield f"last had event {start.event} on {clock.said(event.at)}, before it could start this{since}"
        case StageStart():
            yield from _stage_not_met(programme, start, dossier, clock)
        case SegmentStart() if dossier.person is not None:
            inside = contact.memberships.get(start.segment)
            if inside and new:
                yield f"in segment {start.segment} since before the campaign looked; only coming into it starts it"
            else:
                yield (
                    f"in segment {start.segment} already; only coming into it again starts it"
                    if inside
                    else (f"not in segment {start.segment}")
                )
            for saw in programme.segments[start.segment].saw(dossier.case(programme).facts()):
                yield from observed(saw, clock, "  ")
        case DateStart() if dossier.person is not None:
            value = start.date.value(dossier.case(programme).facts())
            known = f"is {clock.text(value)}" if value is not None else "is unknown"
            yield f"starts each year on {start.date.source}, which {known}"
        case ManualStart():
            yield f"only by hand: nurture campaigns enrol {campaign.name} CONTACT"


def _stage_not_met(programme: Programme, start: StageStart, dossier: Dossier, clock: Clock) -> Iterator[str]:
    before = " or ".join(sorted(start.from_stages)) if start.from_stages else "any stage"
    moves = [each.fact for each in dossier.written if each.fact.kind is FactKind.STAGE_MOVED]
    there = [fact for fact in moves if fact.detail.get("to") == start.to_stage]
    fitting = [fact for fact in there if start.from_stages is None or fact.detail.get("from") in start.from_stages]
    stage = dossier.contact.stage
    since = f" since {clock.said(dossier.contact.stage_since)}" if dossier.contact.stage_since else ""
    if not fitting:
        yield f"never went from {before} to {start.to_stage}; in stage {stage}{since}"
        if there:
            yield f"nearly on {clock.said(there[-1].at)}: went to {start.to_stage} from {there[-1].detail.get('from')}"
    for move in programme.lifecycle.moves:
        if (
            move.to == start.to_stage
            and move.leaves(stage)
            and (start.from_stages is None or stage in start.from_stages)
        ):
            ways = [f"on {' or '.join(sorted(move.on))}"] if move.on else []
            ways += [f"after {move.after.text}"] if move.after is not None else []
            ways += [f"if {move.condition.source}"] if move.condition is not None else []
            yield f"goes there from {stage} {', '.join(ways)}"
            if move.condition is not None and not move.on and dossier.person is not None:
                for saw in move.condition.saw(dossier.case(programme).facts()):
                    yield from observed(saw, clock, "  now ")


def _refusals(campaign: Campaign, dossier: Dossier) -> list[Written]:
    return [
        each
        for each in dossier.written
        if each.fact.campaign == campaign.name and each.fact.kind is FactKind.NOT_ENROLLED
    ]


def _nearly(programme: Programme, campaign: Campaign, dossier: Dossier, clock: Clock) -> Iterator[str]:
    """The last time its start came and she was kept out, with the values that kept her out."""
    refused = _refusals(campaign, dossier)
    if not refused:
        return
    line = told(refused[-1], clock, programme)
    often = f", for the {_nth(len(refused))} time" if len(refused) > 1 else ""
    first, *others = line.why or ("",)
    revision = f" (revision {line.revision})" if line.revision and line.revision != programme.revision else ""
    yield f"nearly on {clock.said(line.at)}{often}{revision}: {first}"
    for text in others:
        yield f"  {text}"


def _nth(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _what_if(programme: Programme, campaign: Campaign, dossier: Dossier, clock: Clock) -> Iterator[str]:
    """What `decide` would answer if the event that starts it came once more now, as it came last."""
    if not isinstance(campaign.start, EventStart) or dossier.person is None:
        return
    last = dossier.events.get(campaign.start.event)
    if last is None:
        return
    person = dossier.played(programme, dossier.now + MOMENT, Event(0, last.name, dossier.now, last.properties))
    assert person is not None
    answer = next((fact for fact in person.ledger if _answers(fact, campaign)), None)
    if answer is None:
        return
    if answer.kind is FactKind.ENROLLED:
        yield f"the same event now would let her in: {last.name}"
        return
    line = told(Written(answer), clock, programme)
    yield f"the same event now would not let her in, either: {line.why[0]}"


def _answers(fact: Fact, campaign: Campaign) -> bool:
    return fact.campaign == campaign.name and fact.kind in {FactKind.ENROLLED, FactKind.NOT_ENROLLED}

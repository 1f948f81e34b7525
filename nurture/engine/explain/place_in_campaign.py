"""Where she stands in a campaign, and what comes next and when: played forward by `decide`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from nurture.domain.campaign import Campaign
from nurture.domain.enrolment import Enrolment
from nurture.domain.event import Event
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.programme import Programme
from nurture.domain.steps import Send, WaitFor, WaitQuiet, WaitUntil
from nurture.engine.explain.dossier import Dossier
from nurture.engine.explain.fact_words import Clock, Told, Written, told
from nurture.engine.explain.stops import could_stop
from nurture.engine.resident import Resident

HORIZON = timedelta(days=400)  # how far ahead is looked: a year, and the birthday after it
_PASSING = {FactKind.PLANNED, FactKind.ATTEMPTED}  # the next line says how it ended


@dataclass(frozen=True, slots=True)
class Place:
    """One enrolment: where she stands and why, what comes next, and what could still stop it."""

    key: str
    node: str | None
    now: str
    next: tuple[Told, ...]
    stops: tuple[str, ...]
    held_out: bool = False


def coming(programme: Programme, dossier: Dossier) -> list[Written]:
    """All that is to come: as it went on, for a moment of the past, else as it is expected."""
    if dossier.person is None:
        return [each for each in dossier.after if tells(each)]
    person = dossier.played(programme, dossier.now + HORIZON)
    assert person is not None
    found = [Written(fact, programme.revision, expected=True) for fact in person.ledger]
    return [each for each in found if tells(each)]


def played_on(programme: Programme, dossier: Dossier, *happens: Event) -> tuple[Resident, list[Fact]]:
    """She after HORIZON, if only `happens` comes from outside, and the mails she got until then, soonest first."""
    person = dossier.played(programme, dossier.now + HORIZON, *happens)
    assert person is not None, "a moment of the past has no future to play"
    return person, [fact for fact in person.ledger if fact.kind is FactKind.SENT]


def tells(each: Written) -> bool:
    """Whether a fact is worth a line."""
    fact = each.fact
    return fact.kind not in _PASSING and not (fact.kind is FactKind.WENT_ON and fact.reason is Reason.TIME_PASSED)


def place(
    programme: Programme, campaign: Campaign, enrolment: Enrolment, dossier: Dossier, ahead: Sequence[Written],
    clock: Clock, most: int, step: str | None,
) -> Place:  # fmt: skip
    """One enrolment that is active at the moment of the dossier."""
    mine = [each for each in ahead if each.fact.campaign == campaign.name and each.fact.enrolment == enrolment.seq]
    chosen = [each for each in mine if step is None or each.fact.step == step][:most]
    lines = tuple(told(each, clock, programme, ahead) for each in chosen)
    if dossier.person is None:
        return Place(enrolment.key, None, "", lines, (), enrolment.held_out)
    now = _now(campaign, enrolment, dossier, clock)
    stops = tuple(could_stop(programme, campaign, enrolment, dossier, clock, mine, step))
    return Place(enrolment.key, enrolment.node, now, lines, stops, enrolment.held_out)


def _now(campaign: Campaign, enrolment: Enrolment, dossier: Dossier, clock: Clock) -> str:
    if enrolment.in_flight is not None:
        mail = next((mail for mail, _ in dossier.mails if mail.seq == enrolment.in_flight), None)
        if mail is None:
            return "its mail is on its way"
        later = f", next try {clock.said(mail.not_before)}" if mail.not_before > dossier.now else ""
        return f"its mail is {mail.state.value}{later}"
    node = campaign.nodes.get(enrolment.node or "")
    if enrolment.due_at is None:
        return "held while the campaign is paused" if node is not None else "goes on at the next turn"
    until = clock.said(enrolment.due_at)
    if enrolment.due_at <= dossier.now:
        return "goes on at the next turn"
    match node:
        case WaitFor():
            where = f" where {node.where.source}" if node.where is not None else ""
            return f"waits for event {node.event}{where}, up to {until}"
        case WaitQuiet():
            return f"waits until {until}, and longer with every {' or '.join(sorted(node.after))}"
        case WaitUntil():
            offset = f" {'-' if node.before else '+'} {node.offset.text}" if node.offset is not None else ""
            return f"waits for {node.instant.source}{offset}: {until}"
        case Send():
            return f"holds the mail until {until}" + _because(node, enrolment, dossier)
        case _:
            return f"waits until {until}"


def _because(send: Send, enrolment: Enrolment, dossier: Dossier) -> str:
    """The reason of the last time it was put off."""
    reasons = [
        each.fact.reason
        for each in dossier.written
        if each.fact.kind is FactKind.POSTPONED
        and each.fact.step == send.id
        and each.fact.enrolment == enrolment.seq
        and each.fact.reason is not None
    ]
    return f" ({reasons[-1].value.replace('_', ' ')})" if reasons else ""

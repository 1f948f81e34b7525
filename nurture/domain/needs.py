"""What a turn has to read: only what this programme's expressions can ask for is loaded from the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from nurture.domain.campaign import Campaign, DateStart
from nurture.domain.conditions import Condition, Expression
from nurture.domain.consent import withdrawn_by
from nurture.domain.event import NOTHING
from nurture.domain.programme import Programme
from nurture.domain.steps import Branch, Record, Send, SetAttributes, WaitFor, WaitQuiet, WaitUntil

SLACK = timedelta(days=4)  # months have up to 31 days, holidays lengthen business days, and turns may come late
LATE = timedelta(days=3)  # how late a start may be reported and still be seen to be over already


@dataclass(frozen=True, slots=True)
class SnapshotNeeds:
    """`events`: name -> how far back (None: for ever). `caps`: how far back mails count. `received`: campaign, step."""

    events: Mapping[str, timedelta | None] = field(default=NOTHING)
    caps: timedelta = timedelta()
    received: frozenset[tuple[str, str]] = frozenset()


def needs_of(programme: Programme) -> SnapshotNeeds:
    """The union over everything the programme may evaluate."""
    events: dict[str, timedelta | None] = {}
    received: set[tuple[str, str]] = set()
    for campaign, asked in _expressions(programme):
        for name, back in asked.needs.events.items():
            _widen(events, name, back)
        for step in asked.needs.steps:
            received.add(_step(campaign, step))
    for name in withdrawn_by(programme):
        _widen(events, name, None)
    for campaign in programme.campaigns.values():
        for name in sorted(campaign.endings):
            _widen(events, name, LATE)
        for node in campaign.nodes.values():
            if isinstance(node, WaitFor):
                _widen(events, node.event, 1.1 * node.up_to.approximate + SLACK)
            elif isinstance(node, WaitQuiet):
                for name in node.after:
                    _widen(events, name, 1.1 * node.duration.approximate + SLACK)
    return SnapshotNeeds(events, programme.longest_cap, frozenset(received))


def _widen(events: dict[str, timedelta | None], name: str, back: timedelta | None) -> None:
    known = events.get(name, timedelta())
    events[name] = None if back is None or known is None else max(known, back)


def _step(campaign: Campaign | None, step: str) -> tuple[str, str]:
    if "/" in step:
        name, _, step = step.partition("/")
        return name, step
    return (campaign.name if campaign is not None else "", step)


def _expressions(programme: Programme) -> Iterator[tuple[Campaign | None, Condition | Expression]]:
    for segment in programme.segments.values():
        yield None, segment
    for move in programme.lifecycle.moves:
        if move.condition is not None:
            yield None, move.condition
    for campaign in programme.campaigns.values():
        for asked in _of_campaign(campaign):
            yield campaign, asked


def _of_campaign(campaign: Campaign) -> Iterator[Condition | Expression]:
    start, goal = campaign.start, campaign.goal
    candidates: list[Condition | Expression | None] = [campaign.condition, campaign.key]
    if isinstance(start, DateStart):
        candidates.append(start.date)
    candidates += [stop.where for stop in campaign.event_stops]
    if goal is not None:
        candidates += [goal.where, goal.value]
    candidates += [tier.condition for offer in campaign.offers.values() for tier in offer.tiers]
    for node in campaign.nodes.values():
        match node:
            case Send() | WaitFor():
                candidates.append(node.condition if isinstance(node, Send) else node.where)
            case Branch():
                candidates += [arm.condition for arm in node.arms]
            case WaitUntil():
                candidates.append(node.instant)
            case SetAttributes() | Record():
                candidates += [expression for _, expression in node.values]
    yield from (candidate for candidate in candidates if candidate is not None)

"""When time alone may change an answer: windows that slide, `days_since` that grows, `now` that passes a time.

Sound, not always tight: between `facts.now` and the instant given here the answer cannot change unless the facts
do. It rests on what the parser guarantees: of the two sides of a comparison at most one moves, and only by sums,
differences and products with what does not move, or both are bare. So each side is monotone, even when rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from nurture.domain.expression.evaluate import compiled, entering, seen_events, truth
from nurture.domain.expression.facts import Facts
from nurture.domain.expression.tree import (
    Compare,
    DaysSince,
    Either,
    Every,
    InSegment,
    Kind,
    Node,
    Now,
    Past,
    children,
    moving,
)
from nurture.domain.expression.values import as_instant, compare, kind_of_value

_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_HORIZON = datetime(9999, 1, 1, tzinfo=UTC)


def next_change(node: Node, facts: Facts) -> datetime | None:
    """The earliest instant after `facts.now` at which the value of the node may differ; None: never."""
    match node:
        case Every() | Either():
            return _joined_change(node, facts)
        case Compare():
            return _compare_change(node, facts)
        case Past():
            return _past_change(node, facts)
        case InSegment(name=name):
            segment = None if name in facts.inside else facts.segments.get(name)
            return None if segment is None else segment.next_change(entering(facts, name))
        case _:
            return _earliest(next_change(child, facts) for child in children(node))


def _earliest(instants: Iterable[datetime | None]) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)


def _joined_change(node: Every | Either, facts: Facts) -> datetime | None:
    """While one part decides, the others do not matter; so a decided answer stands until the last decider may fall."""
    decisive = isinstance(node, Either)
    deciders = [part for part in node.parts if truth(part)(facts) is decisive]
    if not deciders:
        return _earliest(next_change(part, facts) for part in node.parts)
    latest = facts.now
    for part in deciders:
        change = next_change(part, facts)
        if change is None:
            return None
        latest = max(latest, change)
    return latest


def _past_change(node: Past, facts: Facts) -> datetime | None:
    """An event leaves the window, or `where=` changes its mind about one."""
    changes: list[datetime | None] = []
    events = seen_events(node)(facts)
    if node.window is not None and events:
        leaving = events[-1] if node.word in {"did", "last"} else events[0]
        changes.append(leaving.at + node.window.length)
    if node.where is not None and passing(node.where):
        inner = facts.copy()
        for event in seen_events(Past(node.word, node.event, node.window))(facts):
            inner.event = event.properties
            changes.append(next_change(node.where, inner))
    return _earliest(changes)


def passing(node: Node) -> bool:
    """Whether the instant of asking is part of the question."""
    return isinstance(node, Now | DaysSince) or any(passing(child) for child in children(node))


def _compare_change(node: Compare, facts: Facts) -> datetime | None:
    steps = _earliest((next_change(node.left, facts), next_change(node.right, facts)))
    if moving(node.left) is moving(node.right):
        return steps  # nothing moves, or both do at the same pace
    end = _HORIZON if steps is None else min(steps - _TICK, _HORIZON)
    return _crossing(node, facts, end) or steps


def _crossing(node: Compare, facts: Facts, end: datetime) -> datetime | None:
    """The first instant in (now, end] at which the comparison comes out differently, None if there is none.

    Both sides are monotone, so an answer once left does not come back, and halving finds where it is left. The guess,
    solved as a straight line, nearly always saves the halving.
    """
    outcome = _outcome(node, facts)
    present = outcome(facts.now)
    if end <= facts.now or outcome(end) == present:
        return None
    for guess in _guesses(node, facts):
        if facts.now < guess <= end and outcome(guess) != present and outcome(guess - _TICK) == present:
            return guess
    same, other = facts.now, end
    while other - same > _TICK:
        middle = same + (other - same) // 2
        if outcome(middle) == present:
            same = middle
        else:
            other = middle
    return other


def _outcome(node: Compare, facts: Facts) -> Callable[[datetime], object]:
    """How the sides compare at an instant. Equality is passed through from one side to the other: both are told."""
    left, right, op = compiled(node.left), compiled(node.right), node.op
    inner = facts.copy()

    def at(instant: datetime) -> object:
        inner.now = instant
        one, other = left(inner), right(inner)
        if op in {"==", "!="}:
            return compare("<", one, other), compare("==", one, other)
        return compare(op, one, other)

    return at


def _guesses(node: Compare, facts: Facts) -> list[datetime]:
    mover, still = (node.left, node.right) if moving(node.left) else (node.right, node.left)
    goal = compiled(still)(facts)
    if isinstance(mover, Now):
        instant = as_instant(goal)
        return [] if instant is None else [instant, instant + _TICK]
    value = compiled(mover)
    start = value(facts)
    later = facts.copy()
    later.now = min(facts.now + _DAY, _HORIZON)
    slope = (value(later) or 0) - start if kind_of_value(start) is Kind.NUMBER else 0
    if not slope or kind_of_value(goal) is not Kind.NUMBER:
        return []
    try:
        found = facts.now + timedelta(days=(goal - start) / slope)
    except OverflowError:
        return []
    return [found, found + _TICK, found - _TICK]

"""When time alone may change an answer: windows that slide, `days_since` that grows, `now` that passes a time.

Sound, not always tight: between `facts.now` and the instant given here the answer cannot change unless the facts
do. It rests on what the parser guarantees: of the two sides of a comparison at most one moves, and only by sums,
differences and products with what does not move, or both are bare. So each side is monotone, even when rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from nurture.domain.event import Event
from nurture.domain.expression.evaluate import compiled, entering, seen_events, summed, truth
from nurture.domain.expression.facts import Facts
from nurture.domain.expression.tree import (
    Compare,
    DaysSince,
    Either,
    Every,
    InSegment,
    Kind,
    Literal,
    Node,
    Past,
    children,
    moving,
)
from nurture.domain.expression.values import OPERATORS, as_instant, compare, kind_of_value

Changes = Callable[[Facts], datetime | None]
Standing = Callable[[Facts], tuple[bool | None, datetime | None]]
Before = Callable[[datetime, Facts], datetime | None]

_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_NO_TIME = timedelta()
_EXACT_DAYS = 50_000  # up to here a microsecond more is a larger number of days, also as a float
_HORIZON = datetime(9999, 1, 1, tzinfo=UTC)


def changes(node: Node) -> Changes:
    """A function that gives the earliest instant after `facts.now` at which the value may differ; None: never."""
    match node:
        case Every() | Either():
            return _joined_changes(node)
        case Compare():
            return _compare_changes(node)
        case Past():
            return _past_changes(node)
        case InSegment(name=name):
            return _segment_changes(name)
        case _:
            return _first_of([changes(child) for child in children(node)])


def standing(node: Node) -> Standing:
    """`truth` and `changes` in one pass: what both would look at is looked at once."""
    judge, change = truth(node), changes(node)
    if change is never:
        return lambda facts: (judge(facts), None)
    if isinstance(node, Every | Either):
        return _joined_standing(node)
    found = _window_standing(node) or _age_standing(node) if isinstance(node, Compare) else None
    return found or (lambda facts: (judge(facts), change(facts)))


def never(_: Facts) -> datetime | None:
    """Time does not matter."""
    return None


def _earliest(instants: Iterable[datetime | None]) -> datetime | None:
    return min([instant for instant in instants if instant is not None], default=None)


def _first_of(many: list[Changes]) -> Changes:
    some = [change for change in many if change is not never]
    if not some:
        return never
    return some[0] if len(some) == 1 else lambda facts: _earliest(change(facts) for change in some)


def _joined_changes(node: Every | Either) -> Changes:
    """While one part decides, the others do not matter; so a decided answer stands until the last decider may fall."""
    decisive = isinstance(node, Either)
    judges = [truth(part) for part in node.parts if changes(part) is never]
    parts = [(truth(part), change) for part in node.parts if (change := changes(part)) is not never]
    if not parts:
        return never

    def find(facts: Facts) -> datetime | None:
        for judge in judges:
            if judge(facts) is decisive:
                return None  # for good
        deciders = [change(facts) for judge, change in parts if judge(facts) is decisive]
        if not deciders:
            return _earliest([change(facts) for _, change in parts])
        return None if None in deciders else max(change for change in deciders if change is not None)

    return find


def _joined_standing(node: Every | Either) -> Standing:
    decisive = isinstance(node, Either)
    judges = [truth(part) for part in node.parts if changes(part) is never]
    parts = [standing(part) for part in node.parts if changes(part) is not never]

    def stand(facts: Facts) -> tuple[bool | None, datetime | None]:
        answer: bool | None = not decisive
        for judge in judges:
            said = judge(facts)
            if said is decisive:
                return decisive, None  # for good
            if said is None:
                answer = None
        found = [part(facts) for part in parts]
        deciders = [change for said, change in found if said is decisive]
        if deciders:
            return decisive, None if None in deciders else max(change for change in deciders if change is not None)
        if any(said is None for said, _ in found):
            answer = None
        return answer, _earliest([change for _, change in found])

    return stand


def _segment_changes(name: str) -> Changes:
    def find(facts: Facts) -> datetime | None:
        segment = None if name in facts.inside else facts.segments.get(name)
        return None if segment is None else segment.next_change(entering(facts, name))

    return find


def _past_changes(node: Past) -> Changes:
    """An event leaves the window, or `where=` changes its mind about one."""
    window, where = node.window, never if node.where is None else changes(node.where)
    matching, candidates = seen_events(node), seen_events(replace(node, where=None))
    leaving, name = -1 if node.word in {"did", "last"} else 0, node.event

    def find(facts: Facts) -> datetime | None:
        if not facts.history.get(name):
            return None
        found: list[datetime | None] = []
        if window is not None and (events := matching(facts)):
            found.append(events[leaving].at + window.length)
        if where is not never:
            inner = facts.copy()
            for event in candidates(facts):
                inner.event = event.properties
                found.append(where(inner))
        return _earliest(found)

    return never if window is None and where is never else find


def _compare_changes(node: Compare) -> Changes:
    steps = _first_of([changes(node.left), changes(node.right)])
    if moving(node.left) is moving(node.right):
        return steps  # nothing moves, or both do at the same pace
    before = _age_before(node) or _Crossing(node).before

    def find(facts: Facts) -> datetime | None:
        step = steps(facts)
        return before(_HORIZON if step is None else min(step - _TICK, _HORIZON), facts) or step

    return find


def _window_standing(node: Compare) -> Standing | None:
    """How often or how much within a window, against a number: looked up once for the answer and for its end."""
    past, right, apply = node.left, node.right, OPERATORS[node.op]
    if not isinstance(past, Past) or past.window is None or past.where is not None or not isinstance(right, Literal):
        return None
    if past.word not in {"count", "orders", "spent"} or type(right.value) not in {int, float}:
        return None
    find, length, wanted = seen_events(past), past.window.length, right.value
    measured: Callable[[Sequence[Event]], float] = summed if past.word == "spent" else len

    def stand(facts: Facts) -> tuple[bool | None, datetime | None]:
        events = find(facts)
        return apply(measured(events), wanted), events[0].at + length if events else None

    return stand


def _age_standing(node: Compare) -> Standing | None:
    """An age is reached at one instant: before it the answer is one, from it on the other for good."""
    reached, judge, is_below = _age_reached(node), truth(node), node.op in {"<", "<="}
    if reached is None or changes(node.left) is not never:
        return None

    def stand(facts: Facts) -> tuple[bool | None, datetime | None]:
        at = reached(facts)
        if at is None:
            return judge(facts), None
        return (not is_below, None) if facts.now >= at else (is_below, at)

    return stand


def _age_before(node: Compare) -> Before | None:
    reached = _age_reached(node)
    if reached is None:
        return None

    def before(end: datetime, facts: Facts) -> datetime | None:
        at = reached(facts)
        return at if at is not None and facts.now < at <= end else None

    return before


def _age_reached(node: Compare) -> Changes | None:
    """`days_since(...)` against a whole number of days, the usual case, in one sum: see `_Crossing` for all others.

    The instant from which on it comes out differently; None when it is unknown, or beyond all calendars.
    """
    age, days = node.left, node.right
    if (
        not isinstance(age, DaysSince)
        or moving(age.operand)
        or not isinstance(days, Literal)
        or node.op in {"==", "!="}
    ):
        return None
    if type(days.value) is not int or abs(days.value) > _EXACT_DAYS:
        return None
    origin, length = compiled(age.operand), _DAY * days.value + (_TICK if node.op in {">", "<="} else _NO_TIME)

    def reached(facts: Facts) -> datetime | None:
        since = as_instant(origin(facts))
        return None if since is None or length > _HORIZON - since else since + length

    return reached


class _Crossing:
    """Finds when a comparison with one moving side comes out differently.

    Both sides are monotone, so an answer once left does not come back, and halving finds where it is left. The guess,
    solved as a straight line, nearly always saves the halving.
    """

    def __init__(self, node: Compare) -> None:
        self.op = node.op
        self.left, self.right = compiled(node.left), compiled(node.right)
        mover, still = (node.left, node.right) if moving(node.left) else (node.right, node.left)
        self.mover, self.still = compiled(mover), compiled(still)

    def before(self, end: datetime, facts: Facts) -> datetime | None:
        """The first instant in (now, end] with another outcome, None if there is none."""
        inner = facts.copy()
        present = self._outcome(inner, facts.now)
        if end <= facts.now or self._outcome(inner, end) == present:
            return None
        for guess in self._guesses(facts):
            near = facts.now < guess <= end and self._outcome(inner, guess) != present
            if near and self._outcome(inner, guess - _TICK) == present:
                return guess
        same, other = facts.now, end
        while other - same > _TICK:
            middle = same + (other - same) // 2
            if self._outcome(inner, middle) == present:
                same = middle
            else:
                other = middle
        return other

    def _outcome(self, inner: Facts, instant: datetime) -> object:
        """How the sides compare at an instant. Equality is passed through from one side to the other: both are told."""
        inner.now = instant
        one, other = self.left(inner), self.right(inner)
        if self.op in {"==", "!="}:
            return compare("<", one, other), compare("==", one, other)
        return compare(self.op, one, other)

    def _guesses(self, facts: Facts) -> list[datetime]:
        start, goal = self.mover(facts), self.still(facts)
        if kind_of_value(start) is Kind.TIME:
            instant = as_instant(goal)
            return [] if instant is None else [instant, min(instant, _HORIZON) + _TICK]
        later = facts.copy()
        later.now = min(facts.now + _DAY, _HORIZON)
        end = self.mover(later)
        if not all(kind_of_value(value) is Kind.NUMBER for value in (start, goal, end)) or start == end:
            return []
        try:
            found = facts.now + timedelta(days=(goal - start) / (end - start))
            return [found, found + _TICK, found - _TICK]
        except OverflowError:
            return []

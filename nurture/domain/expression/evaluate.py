"""Compiles a tree to closures over Facts: about a microsecond an evaluation, three-valued, never raising."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from nurture.domain.event import Event
from nurture.domain.expression.facts import Facts
from nurture.domain.expression.tree import (
    AMOUNTS,
    CLICKED_EVENT,
    OPENED_EVENT,
    ORDER_EVENT,
    Arithmetic,
    Compare,
    DaysSince,
    Either,
    Every,
    Field,
    InSegment,
    InStage,
    Items,
    Kind,
    Known,
    Length,
    Literal,
    Lower,
    Mail,
    Member,
    Node,
    Not,
    Now,
    Past,
    Path,
    StageSince,
    StartsWith,
    Used,
    kind_of,
)
from nurture.domain.expression.values import (
    OPERATORS,
    amount_of,
    as_instant,
    calculate,
    compare,
    days_between,
    member,
    reach,
)

Asked = Callable[[Facts], Any]
Judge = Callable[[Facts], bool | None]


def truth(node: Node) -> Judge:
    """The node as an answer: True, False, or None for unknown. Data that is not a boolean is unknown."""
    value = compiled(node)
    if kind_of(node) is Kind.TRUTH:
        return value

    def judge(facts: Facts) -> bool | None:
        found = value(facts)
        return found if found is True or found is False else None

    return judge


def compiled(node: Node) -> Asked:
    """The node as a function of the facts."""
    make: Callable[[Any], Asked] = _MAKERS[type(node)]
    return make(node)


# --- leaves -----------------------------------------------------------------------------------------------------------


def _literal(node: Literal) -> Asked:
    value = node.value
    return lambda _: value


def _items(node: Items) -> Asked:
    values = node.values
    return lambda _: values


def _now(_: Now) -> Asked:
    return lambda facts: facts.now


def _stage_since(_: StageSince) -> Asked:
    return lambda facts: facts.stage_since


def _path(node: Path) -> Asked:
    root, parts = node.root, node.parts
    if root == "contact" and len(parts) == 1:
        name = str(parts[0])
        return lambda facts: facts.contact.get(name)
    if root == "contact":
        return lambda facts: reach(facts.contact, parts)
    if root == "event":
        return lambda facts: reach(facts.event, parts)
    if root == "start":
        return lambda facts: reach(facts.start, parts)
    return lambda facts: reach(facts.offer, parts)


def _in_stage(node: InStage) -> Asked:
    name = node.name
    return lambda facts: None if facts.stage is None else facts.stage == name


def _in_segment(node: InSegment) -> Asked:
    name = node.name

    def judge(facts: Facts) -> bool | None:
        segment = facts.segments.get(name)
        # A segment that asks about itself has no answer.
        return None if segment is None or name in facts.inside else segment.holds(entering(facts, name))

    return judge


def entering(facts: Facts, segment: str) -> Facts:
    """The facts as a segment sees them: it speaks of the contact only, never of the event or campaign in hand."""
    inner = facts.copy()
    inner.event = inner.start = inner.offer = inner.campaign = None
    inner.inside = (*facts.inside, segment)
    return inner


def _mail(node: Mail) -> Asked:
    campaign, step = node.campaign, node.step
    event = {"opened": OPENED_EVENT, "clicked": CLICKED_EVENT}.get(node.word)

    def judge(facts: Facts) -> bool | None:
        of = campaign if campaign is not None else facts.campaign
        if of is None:
            return None
        if event is None:
            return (of, step) in facts.received
        return any(
            seen.properties.get("campaign") == of and seen.properties.get("step") == step
            for seen in facts.history.get(event, ())
        )

    return judge


def _used(node: Used) -> Asked:
    name = node.name

    def judge(facts: Facts) -> bool | None:
        offer = facts.offer
        if offer is None or (name is not None and offer.get("name", name) != name):
            return None
        code, granted_at = offer.get("code"), as_instant(offer.get("granted_at"))
        if not isinstance(code, str) or granted_at is None:
            return None
        orders = facts.history.get(ORDER_EVENT, ())
        return any(order.properties.get("code") == code for order in orders if order.at >= granted_at)

    return judge


# --- the past ---------------------------------------------------------------------------------------------------------


def seen_events(node: Past) -> Callable[[Facts], Sequence[Event]]:
    """The events the node looks at: inside its window and meeting its `where=`, oldest first."""
    name, where = node.event, None if node.where is None else truth(node.where)
    length = None if node.window is None else node.window.length

    def find(facts: Facts) -> Sequence[Event]:
        events = facts.history.get(name, ())
        if length is not None and events:
            since = facts.now - length
            if events[0].at <= since:
                events = [event for event in events if event.at > since]
        if where is None or not events:
            return events
        inner = facts.copy()
        kept = []
        for event in events:
            inner.event = event.properties
            if where(inner) is True:
                kept.append(event)
        return kept

    return find


def _past(node: Past) -> Asked:
    if node.where is None and node.window is None:
        return _ever(node)
    find = seen_events(node)
    if node.word == "did":
        return lambda facts: bool(find(facts))
    if node.word in {"count", "orders"}:
        return lambda facts: len(find(facts))
    if node.word == "spent":
        return lambda facts: summed(find(facts))
    which = -1 if node.word == "last" else 0

    def pick(facts: Facts) -> Event | None:
        events = find(facts)
        return events[which] if events else None

    return pick


def _ever(node: Past) -> Asked:
    """The commonest questions, in one call: of all events of a name."""
    name = node.event
    match node.word:
        case "did":
            return lambda facts: bool(facts.history.get(name))
        case "count" | "orders":
            return lambda facts: len(facts.history.get(name, ()))
        case "spent":
            return lambda facts: summed(facts.history.get(name, ()))
    which = -1 if node.word == "last" else 0

    def pick(facts: Facts) -> Event | None:
        events = facts.history.get(name)
        return events[which] if events else None

    return pick


def summed(events: Sequence[Event]) -> float:
    """Rounded: amounts are money, and 0.1 + 0.2 must be 0.3 in every back end."""
    return round(math.fsum([amount_of(event.properties, AMOUNTS) for event in events]), 6)


def _field(node: Field) -> Asked:
    pick, parts = _past(node.of), node.parts

    def ask(facts: Facts) -> Any:
        event = pick(facts)
        if event is None:
            return None
        return event.at if parts == ("at",) else reach(event.properties, parts)

    return ask


# --- operators --------------------------------------------------------------------------------------------------------


def _compare(node: Compare) -> Asked:
    op, left, right = node.op, compiled(node.left), compiled(node.right)
    if not isinstance(node.right, Literal) or isinstance(node.right.value, bool):
        return lambda facts: compare(op, left(facts), right(facts))
    apply, wanted = OPERATORS[op], node.right.value
    kinds = {str} if isinstance(wanted, str) else {int, float}

    def judge(facts: Facts) -> bool | None:
        value = left(facts)
        if type(value) in kinds and value == value:
            answer: bool = apply(value, wanted)
            return answer
        return compare(op, value, wanted)

    return judge


def _member(node: Member) -> Asked:
    item, container, negated = compiled(node.item), compiled(node.container), node.negated
    texts = frozenset(node.container.values) if isinstance(node.container, Items) else frozenset()
    if texts and all(isinstance(text, str) for text in texts):

        def judge_text(facts: Facts) -> bool | None:
            value = item(facts)
            return (value in texts) is not negated if type(value) is str else None

        return judge_text

    def judge(facts: Facts) -> bool | None:
        inside = member(item(facts), container(facts))
        return inside if inside is None else inside is not negated

    return judge


def _known(node: Known) -> Asked:
    value, wanted = compiled(node.operand), node.wanted
    return lambda facts: (value(facts) is not None) is wanted


def _not(node: Not) -> Asked:
    judge = truth(node.operand)

    def negated(facts: Facts) -> bool | None:
        answer = judge(facts)
        return None if answer is None else not answer

    return negated


def _joined(node: Every | Either) -> Asked:
    """Kleene: one part may decide; otherwise an unknown part leaves the whole unknown."""
    judges = tuple(truth(part) for part in node.parts)
    decisive = isinstance(node, Either)

    def judge(facts: Facts) -> bool | None:
        result: bool | None = not decisive
        for part in judges:
            answer = part(facts)
            if answer is decisive:
                return decisive
            if answer is None:
                result = None
        return result

    return judge


def _arithmetic(node: Arithmetic) -> Asked:
    op, left, right = node.op, compiled(node.left), compiled(node.right)
    return lambda facts: calculate(op, left(facts), right(facts))


# --- functions --------------------------------------------------------------------------------------------------------


def _days_since(node: DaysSince) -> Asked:
    of, value = node.operand, compiled(node.operand)
    if isinstance(of, Past) and of.word in {"last", "first"} and of.where is None and of.window is None:
        name, which = of.event, -1 if of.word == "last" else 0

        def ask_event(facts: Facts) -> float | None:
            events = facts.history.get(name)
            return days_between(events[which].at, facts.now) if events else None

        return ask_event

    def ask(facts: Facts) -> float | None:
        instant = as_instant(value(facts))
        return None if instant is None else days_between(instant, facts.now)

    return ask


def _length(node: Length) -> Asked:
    value = compiled(node.operand)

    def ask(facts: Facts) -> int | None:
        found = value(facts)
        return len(found) if isinstance(found, str | list | tuple) else None

    return ask


def _lower(node: Lower) -> Asked:
    value = compiled(node.operand)

    def ask(facts: Facts) -> str | None:
        found = value(facts)
        return found.lower() if isinstance(found, str) else None

    return ask


def _starts_with(node: StartsWith) -> Asked:
    value, prefix = compiled(node.operand), node.prefix

    def judge(facts: Facts) -> bool | None:
        found = value(facts)
        return found.startswith(prefix) if isinstance(found, str) else None

    return judge


_MAKERS: dict[type, Callable[[Any], Asked]] = {
    Literal: _literal, Items: _items, Now: _now, Path: _path, Past: _past, Field: _field, Compare: _compare,
    Member: _member, Known: _known, Not: _not, Every: _joined, Either: _joined, Arithmetic: _arithmetic,
    InSegment: _in_segment, InStage: _in_stage, StageSince: _stage_since, Mail: _mail, Used: _used,
    DaysSince: _days_since, Length: _length, Lower: _lower, StartsWith: _starts_with,
}  # fmt: skip

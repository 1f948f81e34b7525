"""What each question of a condition saw, so that an answer can be understood afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from nurture.domain.event import Event
from nurture.domain.expression.evaluate import compiled, entering, truth
from nurture.domain.expression.facts import Facts
from nurture.domain.expression.tree import (
    Either,
    Every,
    InSegment,
    Items,
    Literal,
    Node,
    Not,
    Past,
    children,
)


def observations(tree: Node, facts: Facts) -> list[dict[str, Any]]:
    """One entry for each question: the leaves below `and`, `or` and `not`, in the order they are written.

    `saw` maps every part of the question that is not written out in it to its value (times as ISO 8601 text). A segment
    also has `because`: the entries of its own condition.
    """
    return [_observed(leaf, facts) for leaf in questions(tree)]


def questions(tree: Node) -> Iterator[Node]:
    """The parts of a condition that `and`, `or` and `not` join."""
    if isinstance(tree, Every | Either | Not):
        for child in children(tree):
            yield from questions(child)
    else:
        yield tree


def _observed(leaf: Node, facts: Facts) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    parts = children(leaf) or (leaf,)
    for part in parts:
        _look(part, facts, seen)
    entry: dict[str, Any] = {"text": str(leaf), "value": truth(leaf)(facts), "saw": seen}
    if isinstance(leaf, InSegment) and leaf.name in facts.segments and leaf.name not in facts.inside:
        entry["because"] = facts.segments[leaf.name].saw(entering(facts, leaf.name))
    return entry


def _look(node: Node, facts: Facts, seen: dict[str, Any]) -> None:
    if isinstance(node, Literal | Items):
        return
    seen[str(node)] = plain(compiled(node)(facts))
    if isinstance(node, Past) and node.word == "did":
        latest = replace(node, word="last")
        seen[str(latest)] = plain(compiled(latest)(facts))
    for child in children(node):
        _look(child, facts, seen)


def plain(value: Any) -> Any:
    """As JSON can hold it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Event):
        return {"event": value.name, "at": value.at.isoformat()}
    return list(value) if isinstance(value, tuple) else value

"""What each question of a condition saw, so that an answer can be understood afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

Observe = Callable[[Facts], list[dict[str, Any]]]


def observations(tree: Node) -> Observe:
    """A function of the facts, with one entry for each question: the leaves below `and`, `or` and `not`, as written.

    `saw` maps every part of the question that is not written out in it to its value (times as ISO 8601 text). A segment
    also has `because`: the entries of its own condition.
    """
    leaves = [_Leaf(leaf) for leaf in questions(tree)]
    return lambda facts: [leaf.observed(facts) for leaf in leaves]


def questions(tree: Node) -> Iterator[Node]:
    """The parts of a condition that `and`, `or` and `not` join."""
    if isinstance(tree, Every | Either | Not):
        for child in children(tree):
            yield from questions(child)
    else:
        yield tree


class _Leaf:
    """One question, compiled together with all its parts."""

    def __init__(self, leaf: Node) -> None:
        self._text, self._judge = str(leaf), truth(leaf)
        self._segment = leaf.name if isinstance(leaf, InSegment) else None
        self._parts = {str(part): compiled(part) for whole in children(leaf) or (leaf,) for part in _parts(whole)}

    def observed(self, facts: Facts) -> dict[str, Any]:
        seen = {text: plain(value(facts)) for text, value in self._parts.items()}
        entry: dict[str, Any] = {"text": self._text, "value": self._judge(facts), "saw": seen}
        name = self._segment
        if name is not None and name in facts.segments and name not in facts.inside:
            entry["because"] = facts.segments[name].saw(entering(facts, name))
        return entry


def _parts(node: Node) -> Iterator[Node]:
    """The node and all below it whose value is not written out; with `did()`, when it last happened."""
    if isinstance(node, Literal | Items):
        return
    yield node
    if isinstance(node, Past) and node.word == "did":
        yield replace(node, word="last")
    for child in children(node):
        yield from _parts(child)


def plain(value: Any) -> Any:
    """As JSON can hold it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Event):
        return {"event": value.name, "at": value.at.isoformat()}
    return list(value) if isinstance(value, tuple) else value

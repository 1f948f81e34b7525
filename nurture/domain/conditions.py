"""Conditions and expressions: what a campaign file may ask about a person. Parsed by `language.expressions`.

Three-valued: an answer is True, False or None, and None (unknown, for want of data) never sends anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nurture.domain.expression.change import Changes, Standing, changes, never, standing
from nurture.domain.expression.evaluate import compiled, truth
from nurture.domain.expression.explain import Observe, observations
from nurture.domain.expression.facts import Facts, Needs, needs_of
from nurture.domain.expression.tree import Node

__all__ = ["Condition", "Expression", "Facts", "Needs"]


@dataclass(frozen=True, eq=False)
class Condition:
    """A question with the answers yes, no and unknown. Equal when its source is; made by `parse_condition`.

    `holds(facts)` is the answer now; None is unknown. `next_change(facts)` is the earliest instant after `facts.now` at
    which time alone may change the answer; None: it never will. `stands(facts)` is both,
    in one pass. `ages`: whether time alone ever may. None of them raises.
    """

    source: str
    tree: Node = field(repr=False)
    needs: Needs = field(init=False, repr=False)
    holds: Callable[[Facts], bool | None] = field(init=False, repr=False)
    next_change: Changes = field(init=False, repr=False)
    stands: Standing = field(init=False, repr=False)
    ages: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", needs_of(self.tree))
        object.__setattr__(self, "holds", truth(self.tree))
        object.__setattr__(self, "next_change", changes(self.tree))
        object.__setattr__(self, "stands", standing(self.tree))
        object.__setattr__(self, "ages", self.next_change is not never)

    def saw(self, facts: Facts) -> list[dict[str, Any]]:
        """Why: one entry for each question asked, `{"text", "value", "saw": {what: value}}`, in order, plain data."""
        return self._observe(facts)

    @cached_property
    def _observe(self) -> Observe:
        return observations(self.tree)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __reduce__(self) -> tuple[type[Condition], tuple[str, Node]]:
        return Condition, (self.source, self.tree)


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A question with any answer. Equal when its source is; made by `parse_expression`.

    `value(facts)`: text, a number, a truth, a time, a list or mapping; None is unknown. Never raises.
    """

    source: str
    tree: Node = field(repr=False)
    needs: Needs = field(init=False, repr=False)
    value: Callable[[Facts], Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", needs_of(self.tree))
        object.__setattr__(self, "value", compiled(self.tree))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __reduce__(self) -> tuple[type[Expression], tuple[str, Node]]:
        return Expression, (self.source, self.tree)

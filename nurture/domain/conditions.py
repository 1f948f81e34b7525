"""Conditions and expressions: what a campaign file may ask about a person. Parsed by `language.expressions`.

Three-valued: an answer is True, False or None, and None (unknown, for want of data) never sends anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from nurture.domain.expression.change import Changes, changes, never
from nurture.domain.expression.evaluate import compiled, truth
from nurture.domain.expression.explain import Observe, observations
from nurture.domain.expression.facts import Facts, Needs, needs_of
from nurture.domain.expression.tree import Node

__all__ = ["Condition", "Expression", "Facts", "Needs"]


@dataclass(frozen=True, eq=False)
class Condition:
    """A question with the answers yes, no and unknown. Equal when its source is; made by `parse_condition`."""

    source: str
    tree: Node = field(repr=False)
    needs: Needs = field(init=False, repr=False)
    _judge: Callable[[Facts], bool | None] = field(init=False, repr=False)
    _changes: Changes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", needs_of(self.tree))
        object.__setattr__(self, "_judge", truth(self.tree))
        object.__setattr__(self, "_changes", changes(self.tree))

    def holds(self, facts: Facts) -> bool | None:
        """The answer now; None is unknown. Never raises."""
        return self._judge(facts)

    def saw(self, facts: Facts) -> list[dict[str, Any]]:
        """Why: one entry for each question asked, `{"text", "value", "saw": {what: value}}`, in order, plain data."""
        return self._observe(facts)

    @cached_property
    def _observe(self) -> Observe:
        return observations(self.tree)

    @cached_property
    def ages(self) -> bool:
        """Whether time alone may ever change the answer."""
        return self._changes is not never

    def next_change(self, facts: Facts) -> datetime | None:
        """The earliest instant after `facts.now` at which time alone may change the answer; None: it never will."""
        return self._changes(facts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __reduce__(self) -> tuple[type[Condition], tuple[str, Node]]:
        return Condition, (self.source, self.tree)


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A question with any answer. Equal when its source is; made by `parse_expression`."""

    source: str
    tree: Node = field(repr=False)
    needs: Needs = field(init=False, repr=False)
    _ask: Callable[[Facts], Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", needs_of(self.tree))
        object.__setattr__(self, "_ask", compiled(self.tree))

    def value(self, facts: Facts) -> Any | None:
        """Text, a number, a truth, a time, a list or mapping; None is unknown. Never raises."""
        return self._ask(facts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __reduce__(self) -> tuple[type[Expression], tuple[str, Node]]:
        return Expression, (self.source, self.tree)

"""Parses conditions and expressions: Python's syntax on a white list, with errors that teach.

The text never runs. It becomes the typed tree of `domain.expression`, and what that tree cannot say is refused here.
"""

from __future__ import annotations

from nurture.domain.conditions import Condition, Expression
from nurture.domain.expression.tree import Kind, kind_of
from nurture.errors import ExpressionError
from nurture.language.expression_names import ANYTHING, Names
from nurture.language.expression_text import syntax_of
from nurture.language.expression_tree import Builder
from nurture.language.expression_types import require_truth

__all__ = ["Names", "parse_condition", "parse_expression"]


def parse_condition(text: str, names: Names | None = None) -> Condition:
    """A yes-or-no question. Raises ExpressionError(message, column, hint); the column is 0-based in `text`."""
    syntax, flat = syntax_of(text)
    tree = Builder(flat, names or ANYTHING).build(syntax)
    require_truth(tree)
    return Condition(text.strip(), tree)


def parse_expression(text: str, names: Names | None = None) -> Expression:
    """A question with any answer. Raises ExpressionError(message, column, hint); the column is 0-based in `text`."""
    syntax, flat = syntax_of(text)
    tree = Builder(flat, names or ANYTHING).build(syntax)
    if kind_of(tree) is Kind.EVENT:
        raise ExpressionError(
            f"{tree} is an event, not a value", tree.column, f"name a property of it, or its time: {tree}.at"
        )
    return Expression(text.strip(), tree)

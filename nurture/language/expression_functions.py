"""The functions of the expression language, and the reading of their arguments."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.domain.expression.tree import (
    ORDER_EVENT,
    DaysSince,
    InSegment,
    InStage,
    Kind,
    Known,
    Length,
    Literal,
    Lower,
    Mail,
    Node,
    Past,
    StageSince,
    StartsWith,
    Used,
    Window,
)
from nurture.domain.timing import parse_duration
from nurture.errors import ExpressionError
from nurture.language.expression_names import OWN_EVENTS, meant, require_known
from nurture.language.expression_text import syntax_of
from nurture.language.expression_types import checked_days_since, checked_known, require_kind, require_truth

if TYPE_CHECKING:
    from nurture.language.expression_tree import Builder


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call, half read."""

    builder: Builder
    word: str
    given: tuple[ast.expr, ...]
    named: dict[str, ast.keyword]
    column: int

    def text(self, what: str) -> tuple[str, int]:
        """The first argument, which must be a text in quotes."""
        node = self.given[0]
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip():
            return node.value, self.builder.at(node)
        written = ast.unparse(node)
        hint = f"{self.word}('{written}')" if isinstance(node, ast.Name) else f"for instance: {self.word}('...')"
        raise ExpressionError(f"{self.word}() needs the name of {what} in quotes", self.builder.at(node), hint)

    def window(self) -> Window | None:
        if (argument := self.named.get("last")) is None:
            return None
        value, column = argument.value, self.builder.at(argument.value)
        if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
            raise ExpressionError("last= needs a duration in quotes", column, "for instance: last='30 days'")
        try:
            duration = parse_duration(value.value)
        except ValueError as error:
            raise ExpressionError(str(error), column, "for instance: last='30 days'") from None
        if duration.business_days:
            raise ExpressionError("last= looks back over plain days", column, "write days, weeks or months")
        if not duration.approximate:
            raise ExpressionError(
                f"last={value.value!r} looks back no time at all", column, "for instance: last='30 days'"
            )
        return Window(duration.approximate, " ".join(value.value.split()))

    def where(self) -> Node | None:
        """A condition on each event, written bare or in quotes."""
        if (argument := self.named.get("where")) is None:
            return None
        value, column = argument.value, self.builder.at(argument.value)
        if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
            return require_truth(self.builder.candidate_in(self.builder.text, self.builder.shift).build(value))
        shift = column + 1
        try:
            syntax, flat = syntax_of(value.value)
        except ExpressionError as error:
            raise ExpressionError(str(error), shift + error.column, error.hint) from None
        return require_truth(self.builder.candidate_in(flat, shift).build(syntax))


def _past(arguments: Arguments) -> Node:
    event, column = arguments.text("an event")
    known = arguments.builder.names.events
    require_known("event", event, None if known is None else known | OWN_EVENTS, column)
    return Past(
        arguments.word, event, arguments.window(), arguments.where(), arguments.column  # type: ignore[arg-type]
    )  # fmt: skip


def _orders(arguments: Arguments) -> Node:
    return Past(
        arguments.word, ORDER_EVENT, arguments.window(), arguments.where(), arguments.column  # type: ignore[arg-type]
    )  # fmt: skip


def _segment(arguments: Arguments) -> Node:
    name, column = arguments.text("a segment")
    require_known("segment", name, arguments.builder.names.segments, column)
    return InSegment(name, arguments.column)


def _in_stage(arguments: Arguments) -> Node:
    name, column = arguments.text("a stage")
    names = arguments.builder.names
    name = names.aliases.get(name, name)
    require_known("stage", name, names.stages, column)
    return InStage(name, arguments.column)


def _stage_since(arguments: Arguments) -> Node:
    return StageSince(arguments.column)


def _mail(arguments: Arguments) -> Node:
    name, column = arguments.text("a step")
    require_known("step", name, arguments.builder.names.steps, column)
    campaign, slash, step = name.partition("/")
    return Mail(
        arguments.word, campaign if slash else None, step if slash else name, arguments.column  # type: ignore[arg-type]
    )  # fmt: skip


def _used(arguments: Arguments) -> Node:
    node = arguments.given[0]
    if isinstance(node, ast.Name) and node.id == "offer":
        arguments.builder.missable(node)
        return Used(None, arguments.column)
    name, column = arguments.text("an offer")
    require_known("offer", name, arguments.builder.names.offers, column)
    return Used(name, arguments.column)


def _days_since(arguments: Arguments) -> Node:
    return checked_days_since(DaysSince(arguments.builder.build(arguments.given[0]), arguments.column))


def _exists(arguments: Arguments) -> Node:
    return checked_known(Known(arguments.builder.missable(arguments.given[0]), True, True, arguments.column))


def _len(arguments: Arguments) -> Node:
    operand = require_kind(arguments.builder.build(arguments.given[0]), {Kind.TEXT, Kind.LIST}, "len()")
    return Length(operand, arguments.column)


def _lower(arguments: Arguments) -> Node:
    operand = require_kind(arguments.builder.build(arguments.given[0]), {Kind.TEXT}, "lower()")
    return Lower(operand, arguments.column)


def _starts_with(arguments: Arguments) -> Node:
    operand = require_kind(arguments.builder.build(arguments.given[0]), {Kind.TEXT}, "starts_with()")
    prefix = arguments.builder.build(arguments.given[1])
    if not isinstance(prefix, Literal) or not isinstance(prefix.value, str) or not prefix.value:
        raise ExpressionError("starts_with() needs the start in quotes", prefix.column, "starts_with(x, 'abc')")
    return StartsWith(operand, prefix.value, arguments.column)


@dataclass(frozen=True, slots=True)
class Function:
    """How a function is called; `pure` ones ask about the value they are given and may stand inside `where=`."""

    make: Callable[[Arguments], Node]
    example: str
    count: int = 1
    named: frozenset[str] = frozenset()
    pure: bool = False


_PAST = frozenset({"last", "where"})
FUNCTIONS: dict[str, Function] = {
    "did": Function(_past, "did('Order Completed', last='30 days')", named=_PAST),
    "count": Function(_past, "count('Product Viewed', last='7 days')", named=_PAST),
    "last": Function(_past, "last('Order Completed').total", named=_PAST),
    "first": Function(_past, "days_since(first('Order Completed'))", named=_PAST),
    "orders": Function(_orders, "orders(last='365 days')", count=0, named=_PAST),
    "spent": Function(_orders, "spent(last='365 days')", count=0, named=_PAST),
    "segment": Function(_segment, "segment('loyal')"),
    "in_stage": Function(_in_stage, "in_stage('retention')"),
    "stage_since": Function(_stage_since, "days_since(stage_since())", count=0),
    "received": Function(_mail, "received('reminder')"),
    "opened": Function(_mail, "opened('reminder')"),
    "clicked": Function(_mail, "clicked('reminder')"),
    "used": Function(_used, "used(offer)"),
    "days_since": Function(_days_since, "days_since(contact.created_at)", pure=True),
    "exists": Function(_exists, "exists(contact.first_name)", pure=True),
    "len": Function(_len, "len(start.items)", pure=True),
    "lower": Function(_lower, "lower(contact.country)", pure=True),
    "starts_with": Function(_starts_with, "starts_with(contact.email, 'info@')", count=2, pure=True),
}
_METHODS = {"lower": "lower(x)", "startswith": "starts_with(x, 'abc')", "get": "x.name", "count": "len(x)"}


def call(builder: Builder, node: ast.Call) -> Node:
    """One of the functions, with its arguments checked."""
    column = builder.at(node)
    if isinstance(node.func, ast.Attribute):
        use = _METHODS.get(node.func.attr)
        raise ExpressionError(f"`.{node.func.attr}()` is not part of the language", column, use and f"write {use}")
    if not isinstance(node.func, ast.Name):
        raise ExpressionError("this cannot be called", column, None)
    word = node.func.id
    function = FUNCTIONS.get(word)
    if function is None:
        raise ExpressionError(f'no function "{word}"', column, meant(word, FUNCTIONS))
    if builder.candidate and not function.pure:
        raise ExpressionError(
            f"{word}() cannot stand inside where=", column, "where= looks at one event: event.name, contact.name"
        )
    if len(node.args) != function.count or any(isinstance(given, ast.Starred) for given in node.args):
        count = {0: "no argument", 1: "one argument", 2: "two arguments"}[function.count]
        raise ExpressionError(f"{word}() takes {count}", column, f"for instance: {function.example}")
    for argument in node.keywords:
        if argument.arg not in function.named:
            hint = meant(argument.arg or "", function.named) or f"for instance: {function.example}"
            raise ExpressionError(f"{word}() knows no `{argument.arg}=`", builder.at(argument), hint)
    named = {str(argument.arg): argument for argument in node.keywords}
    return function.make(Arguments(builder, word, tuple(node.args), named, column))

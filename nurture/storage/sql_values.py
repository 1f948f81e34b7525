"""Values of unknown kind as SQL, and their reading out of JSON columns in the dialect of either database.

What is not of the wanted kind is NULL, so that a comparison of different kinds is unknown, as in the evaluator. Numbers
compare as double precision; whole numbers beyond 2**53 and magnitudes beyond 1e300 are not told apart, or unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Double,
    Integer,
    Numeric,
    Text,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB

from nurture.domain.expression.tree import Part
from nurture.domain.expression.values import OPERATORS

Column = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Value:
    """One value as SQL: an expression for each kind it may be of, NULL in every row where it is of another.

    `known` is never NULL. `time` is in microseconds since 1970. `among` asks, of a list, whether an expression equals a
    member of that kind (`number`, `text` or `truth`): NULL if it is no list or has members of other kinds only.
    """

    known: Column
    number: Column | None = None
    text: Column | None = None
    truth: Column | None = None
    time: Column | None = None
    length: Column | None = None
    among: Callable[[str, Column], Column] | None = None


UNKNOWN = Value(known=false())
UNKNOWN_TRUTH: Column = cast(null(), Boolean)


def constant(value: str | float | bool) -> Value:
    """What an author wrote."""
    if isinstance(value, bool):
        return Value(known=true(), truth=true() if value else false())
    if isinstance(value, str):
        return text(literal(value, Text))
    return Value(known=true(), number=literal(float(value), Double))


def text(column: Column) -> Value:
    """A column of text."""
    return Value(known=column.is_not(None), text=column, length=func.length(column))


def number(column: Column) -> Value:
    """A number, NULL if unknown."""
    return Value(known=column.is_not(None), number=column)


def compared(dialect: str, op: str, left: Value, right: Value) -> Column:
    """Numbers with numbers, texts with texts (in the order of code points), truths for being the same only."""
    apply = OPERATORS[op]
    answers: list[Column] = []
    if left.number is not None and right.number is not None:
        answers.append(apply(left.number, right.number))
    if left.text is not None and right.text is not None:
        ordered = op not in {"==", "!="} and dialect == "postgresql"
        answers.append(apply(left.text.collate("C") if ordered else left.text, right.text))
    if left.truth is not None and right.truth is not None and op in {"==", "!="}:
        answers.append(apply(left.truth, right.truth))
    return first_known(answers)


def first_known(answers: list[Column]) -> Column:
    """One answer for each kind the sides may have in common; at most one of them is not NULL."""
    if not answers:
        return UNKNOWN_TRUTH
    return answers[0] if len(answers) == 1 else func.coalesce(*answers, type_=Boolean)


def bounded(number: Column) -> Column:
    """A number fit to calculate with: within 1e-30..1e30, or zero."""
    size = func.abs(number)
    return case((or_(size.between(1e-30, 1e30), number == 0), cast(number, Double)))


def json_value(dialect: str, document: Column, parts: tuple[Part, ...]) -> Value | None:
    """The value at a path of a JSON document; None if this dialect cannot write the path."""
    if dialect == "sqlite":
        path = _sqlite_path(parts)
        return None if path is None else _sqlite_value(document, path)
    return _postgres_value(document, parts)


# --- SQLite -----------------------------------------------------------------------------------------------------------


def _sqlite_path(parts: tuple[Part, ...]) -> str | None:
    path = "$"
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif any(character in '"\\' or not character.isprintable() for character in part):
            return None  # SQLite has no way to escape these in a path
        else:
            path += f'."{part}"'
    return path


def _sqlite_value(document: Column, path: str) -> Value:
    kind = func.json_type(document, path, type_=Text)
    raw = func.json_extract(document, path)

    def among(wanted: str, item: Column) -> Column:
        each = func.json_each(document, path).table_valued("value", "type")
        kinds = {"number": ("integer", "real"), "text": ("text",), "truth": ("true", "false")}[wanted]
        alike = each.c.type.in_(kinds)
        equal = type_coerce(each.c.value, item.type) == item
        return case((kind == "array", _verdict(each, alike, equal)))

    text = case((kind == "text", type_coerce(raw, Text)))
    return Value(
        known=func.coalesce(kind, "null") != "null",
        number=case((kind.in_(("integer", "real")), type_coerce(raw, Double))),
        text=text,
        truth=case((kind == "true", true()), (kind == "false", false())),
        length=case((kind == "array", func.json_array_length(document, path, type_=Integer)), else_=func.length(text)),
        among=among,
    )


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def _postgres_value(document: Column, parts: tuple[Part, ...]) -> Value:
    found: Column = type_coerce(document, JSONB)
    for part in parts:
        inner = found.op("->", return_type=JSONB())(literal(part, Text if isinstance(part, str) else Integer))
        # to `-> 0` PostgreSQL takes a scalar for a list of one
        found = inner if isinstance(part, str) else case((func.jsonb_typeof(found) == "array", inner))
    kind = func.jsonb_typeof(found, type_=Text)

    def among(wanted: str, item: Column) -> Column:
        listed = case((kind == "array", found), else_=cast(literal_column("'[]'"), JSONB))
        each = func.jsonb_array_elements(listed).table_valued("value")
        member = type_coerce(each.c.value, JSONB)
        alike = func.jsonb_typeof(member) == {"number": "number", "text": "string", "truth": "boolean"}[wanted]
        read = {"number": _postgres_number, "text": _postgres_text, "truth": _postgres_truth}[wanted]
        return case((kind == "array", _verdict(each, alike, read(member) == item)))

    text = _postgres_text(found)
    return Value(
        known=func.coalesce(kind, "null") != "null",
        number=_postgres_number(found),
        text=text,
        truth=_postgres_truth(found),
        length=case((kind == "array", func.jsonb_array_length(found, type_=Integer)), else_=func.char_length(text)),
        among=among,
    )


def _postgres_number(found: Column) -> Column:
    """A number out of bounds would fail the cast, and with it the query for everyone."""
    exact = cast(found, Numeric)
    bounded = case((func.abs(exact) < literal_column("1e300"), cast(exact, Double)))
    return case((func.jsonb_typeof(found) == "number", bounded))


def _postgres_text(found: Column) -> Column:
    return case((func.jsonb_typeof(found) == "string", found.op("#>>", return_type=Text())(literal_column("'{}'"))))


def _postgres_truth(found: Column) -> Column:
    return case((func.jsonb_typeof(found) == "boolean", cast(found, Boolean)))


def _verdict(each: Any, alike: Column, equal: Column) -> Column:
    """Whether a member equals; unknown if there are members but none alike."""
    hits = func.coalesce(func.sum(case((alike, case((equal, 1), else_=0)), else_=0)), 0)
    kin = func.coalesce(func.sum(case((alike, 1), else_=0)), 0)
    verdict = case((hits > 0, true()), (kin > 0, false()), (func.count() == 0, false()))
    return select(verdict).select_from(each).correlate_except(each).scalar_subquery()

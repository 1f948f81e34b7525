# ruff: noqa: S608 - the SQL here is put together from names in this code only
"""Column types, and the two constructs that hand a batch of ids or rows to a statement as one parameter."""

from __future__ import annotations

import json
import json.encoder
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Self

from sqlalchemy import JSON, BigInteger, Boolean, ColumnElement, Dialect, Integer, Text, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from nurture.domain.event import NOTHING

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
BigId = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER PRIMARY KEY is SQLite's row id


def micros(instant: datetime) -> int:
    """Microseconds since 1970, exactly; a naive datetime is refused."""
    if instant.tzinfo is None:
        raise ValueError(f"naive datetime {instant!r}: instants are aware, in UTC")
    return (instant - EPOCH) // MICROSECOND


def instant_of(stored: int) -> datetime:
    """What `micros` counted."""
    return EPOCH + timedelta(microseconds=stored)


class UTCDateTime(TypeDecorator[datetime]):
    """An instant: timestamptz on PostgreSQL, microseconds since 1970 on SQLite. Refuses naive, always returns UTC."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if dialect.name == "postgresql":
            if value.tzinfo is None:
                raise ValueError(f"naive datetime {value!r}: instants are aware, in UTC")
            return value.astimezone(UTC)
        return micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "postgresql":
            instant: datetime = value
            return instant.astimezone(UTC)
        return instant_of(value)


def _plain(value: Any) -> Any:
    """What JSON does not know: mapping proxies, sets (sorted, so that equal sets are equal text), dates, decimals."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, AbstractSet):
        return sorted(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def _encoder() -> Callable[[Any], str]:
    """What `json.dumps` makes anew for each value, which takes longer than encoding it."""
    made = getattr(json.encoder, "c_make_encoder", None)
    if made is None:
        return json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain).encode
    chunks = made(None, _plain, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    return lambda value: "".join(chunks(value, 0))


_encode = _encoder()
_decode = json.JSONDecoder().raw_decode
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000").search


class JsonText(str):
    """A value that is JSON text already: whoever checked it had to write it, and it need not be written again."""

    __slots__ = ()


def dump_json(value: Any) -> str:
    """Compact JSON, the same for both databases: no NaN, and no NUL, which PostgreSQL cannot hold."""
    if type(value) is JsonText:
        return value
    if not value:  # most of all JSON there is here
        if value is NOTHING or type(value) is dict:
            return "{}"
        if type(value) is list:
            return "[]"
    encoded = _encode(value)
    if "\\u0000" in encoded and _NUL(encoded):  # and not a backslash that somebody wrote
        raise ValueError("text with a NUL character cannot be stored")
    return encoded


def load_json(encoded: str) -> Any:
    """What `dump_json` wrote."""
    return {} if encoded == "{}" else _decode(encoded)[0]


def array(values: Iterable[Any], *, text: bool = False) -> str:
    """A list as PostgreSQL writes arrays: far cheaper than the driver's way, which looks up a type for each value."""
    if text:
        return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _quoted(value: str) -> str:
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    return '"' + value.replace('"', '\\"') + '"'


class _Many(TypeDecorator[Iterable[Any]]):
    """A list as the text of one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, text: bool) -> None:
        super().__init__()
        self.text = text

    def process_bind_param(self, value: Iterable[Any] | None, dialect: Dialect) -> str:
        if dialect.name == "postgresql":
            return array(value or (), text=self.text)
        return json.dumps(list(value or ()), ensure_ascii=False)


class _Among(FunctionElement[bool]):
    """See `among`."""

    name = "among"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Self:  # noqa: ARG002 - SQLAlchemy's signature
        """As it is: SQLite would be given "... = 1" otherwise, and read the whole table."""
        return self


@compiles(_Among)
def _among_json(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(_Among, "postgresql")
def _among_array(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(part, **options) for part in element.clauses)
    many = element.clauses.clauses[1].type
    assert isinstance(many, _Many)
    return f"{column} = ANY(CAST({values} AS {'text' if many.text else 'bigint'}[]))"


def among(column: ColumnElement[Any], name: str = "ids", *, text: bool = False) -> ColumnElement[bool]:
    """`column` is one of the list bound to `name`: one statement text (one plan) whatever the length of the list."""
    return _Among(column, bindparam(name, type_=_Many(text)))


class Batch:
    """Rows handed to a statement as one parameter: JSON text, read as a table by either database.

    `columns` maps names to int, text, instant or bool. `sql(dialect)` is the FROM item (name it yourself);
    `text(dialect, rows)` is the value of its parameter `:batch`.
    """

    def __init__(self, **columns: str) -> None:
        self.columns = columns
        self._instants = [place for place, kind in enumerate(columns.values()) if kind == "instant"]

    def sql(self, dialect: str) -> str:
        if dialect == "sqlite":
            read = ", ".join(f"json_extract(value, '$[{n}]') AS {name}" for n, name in enumerate(self.columns))
            return f"(SELECT {read} FROM json_each(:batch))"
        casts = {"int": "bigint", "text": "text", "instant": "timestamptz", "bool": "boolean"}
        read = ", ".join(
            f"CAST(row ->> {n} AS {casts[kind]}) AS {name}" for n, (name, kind) in enumerate(self.columns.items())
        )
        return f"(SELECT {read} FROM json_array_elements(CAST(:batch AS json)) AS rows(row))"

    def text(self, dialect: str, rows: Iterable[Sequence[Any]]) -> str:
        if not self._instants:
            return dump_json(list(rows))
        sqlite = dialect == "sqlite"
        plain = [list(row) for row in rows]
        for row in plain:
            for place in self._instants:
                if (instant := row[place]) is not None:
                    row[place] = micros(instant) if sqlite else instant.astimezone(UTC).isoformat()
        return dump_json(plain)


INSTANTS = ("now", "until", "since", "after")


@lru_cache(maxsize=512)  # hot paths put the same few together again and again
def sql(statement: str) -> TextClause:
    """A statement in SQL; its parameters named `now`, `until`, `since` and `after` are instants."""
    used = [bindparam(name, type_=UTCDateTime()) for name in INSTANTS if re.search(rf":{name}\b", statement)]
    return text(statement).bindparams(*used)

# ruff: noqa: S608 - the SQL here is put together from names in this code only
"""Rows by the hundred, past SQLAlchemy's work for each value: one statement, tuples in and out.

The one place that knows how either driver likes its rows: SQLite takes them one by one, PostgreSQL as one array for
each column. What goes in and comes out are the same values as through SQLAlchemy: aware instants in UTC, plain data for
JSON, truth values. Columns are converted as a whole, because most of their values repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Float, Integer, Select, Table
from sqlalchemy.sql.dml import ReturningDelete, ReturningUpdate
from sqlalchemy.types import TypeEngine

from nurture.storage.database import Transaction
from nurture.storage.types import Batch, UTCDateTime, array, dump_json, instant_of, load_json, micros

Values = tuple[Any, ...]
Statement = Select[*Values] | ReturningUpdate[*Values] | ReturningDelete[*Values]
Convert = Callable[[Sequence[Any]], Any]


class Query:
    """A SELECT, or a change with RETURNING, whose rows are read as plain tuples."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self._readers = {
            dialect: [
                (place, reader)
                for place, column in enumerate(statement.exported_columns)
                if (reader := reader_of(column.type)) is not None
            ]
            for dialect, reader_of in (("sqlite", _sqlite_reader), ("postgresql", _postgres_reader))
        }

    def __call__(self, tx: Transaction, **values: Any) -> list[Values]:
        """All rows."""
        result = tx.execute(self.statement, values)
        assert result.cursor is not None
        rows = list(result.cursor.fetchall())
        result.close()
        readers = self._readers[tx.dialect]
        return list(_converted(rows, readers)) if rows and readers else rows


class _Rows:
    """A statement for many rows, each a tuple in the order of `columns`."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        types = [table.c[name].type for name in columns]
        self._writers = [(place, writer) for place, kind in enumerate(types) if (writer := _sqlite_writer(kind))]
        self._arrays = [_postgres_writer(kind) for kind in types]
        self._unnested = "unnest(" + ", ".join(f"CAST(%s AS {_array_type(kind)})" for kind in types) + ")"
        self._sql: dict[str, str] = {}

    def _run(self, tx: Transaction, rows: Sequence[Values]) -> int:
        """Run it for all rows at once; how many rows of the table were touched."""
        if not rows:
            return 0
        values: Any
        if tx.dialect == "sqlite":
            values = list(_converted(rows, self._writers)) if self._writers else list(rows)
        else:
            columns = zip(*rows, strict=True)
            values = tuple(write(column) for write, column in zip(self._arrays, columns, strict=True))
        return tx.connection.exec_driver_sql(self._sql[tx.dialect], values).rowcount


class Insert(_Rows):
    """INSERT. `conflict` says what to do about a row that is there, as in "DO NOTHING"."""

    def __init__(self, table: Table, columns: Sequence[str], *, conflict: str = "") -> None:
        super().__init__(table, columns)
        into = f"INSERT INTO {table.name} ({', '.join(columns)})"
        tail = f" ON CONFLICT {conflict}" if conflict else ""
        self._sql["sqlite"] = f"{into} VALUES ({', '.join('?' * len(columns))}){tail}"
        self._sql["postgresql"] = f"{into} SELECT * FROM {self._unnested}{tail}"

    def __call__(self, tx: Transaction, rows: Sequence[Values]) -> None:
        self._run(tx, rows)


class Update(_Rows):
    """UPDATE of rows found by `keys`. A row is the new values of `columns`, then its keys."""

    def __init__(self, table: Table, columns: Sequence[str], keys: Sequence[str]) -> None:
        super().__init__(table, [*columns, *keys])
        set_ = f"UPDATE {table.name} SET "
        names = ", ".join([*(f"new_{name}" for name in columns), *(f"key_{name}" for name in keys)])
        self._sql["sqlite"] = set_ + ", ".join(f"{name} = ?" for name in columns) + f" WHERE {_are(keys)}"
        self._sql["postgresql"] = (
            set_ + ", ".join(f"{name} = new_{name}" for name in columns)
        ) + f" FROM {self._unnested} AS rows ({names}) WHERE {_match(keys)}"

    def __call__(self, tx: Transaction, rows: Sequence[Values]) -> int:
        """How many of the rows were there."""
        return self._run(tx, rows)


class Delete(_Rows):
    """DELETE of rows found by `keys`; those that are gone already do not matter."""

    def __init__(self, table: Table, keys: Sequence[str]) -> None:
        super().__init__(table, keys)
        delete = f"DELETE FROM {table.name}"
        names = ", ".join(f"key_{name}" for name in keys)
        self._sql["sqlite"] = f"{delete} WHERE {_are(keys)}"
        self._sql["postgresql"] = f"{delete} USING {self._unnested} AS rows ({names}) WHERE {_match(keys)}"

    def __call__(self, tx: Transaction, rows: Sequence[Values]) -> None:
        self._run(tx, rows)


def _are(keys: Sequence[str]) -> str:
    return " AND ".join(f"{name} = ?" for name in keys)


def _match(keys: Sequence[str]) -> str:
    return " AND ".join(f"{name} = key_{name}" for name in keys)


def _converted(rows: Sequence[Values], converters: Sequence[tuple[int, Convert]]) -> Iterable[Values]:
    columns: list[Any] = list(zip(*rows, strict=True))
    for place, convert in converters:
        columns[place] = convert(columns[place])
    return zip(*columns, strict=True)


def _sqlite_reader(kind: TypeEngine[Any]) -> Convert | None:
    if isinstance(kind, UTCDateTime):
        return _once_each(instant_of)
    if isinstance(kind, JSON):
        return _once_each(load_json)
    return _once_each(bool) if isinstance(kind, Boolean) else None


def _once_each(read: Callable[[Any], Any]) -> Convert:
    """Equal values are read once. Equal JSON becomes one object, which nobody may change."""

    def column(stored: Sequence[Any]) -> list[Any]:
        known = {value: read(value) if value is not None else None for value in set(stored)}
        return [known[value] for value in stored]

    return column


def _postgres_reader(kind: TypeEngine[Any]) -> Convert | None:
    return _in_utc if isinstance(kind, UTCDateTime) else None


def _in_utc(stored: Sequence[datetime | None]) -> list[datetime | None]:
    return [None if instant is None else instant.astimezone(UTC) for instant in stored]


def _sqlite_writer(kind: TypeEngine[Any]) -> Convert | None:
    if isinstance(kind, UTCDateTime):
        return lambda column: _each(column, micros)
    if isinstance(kind, JSON):
        return lambda column: [None if value is None else dump_json(value) for value in column]
    return None


def _postgres_writer(kind: TypeEngine[Any]) -> Convert:
    if isinstance(kind, JSON):
        return lambda column: array([None if value is None else dump_json(value) for value in column], text=True)
    if isinstance(kind, UTCDateTime):
        return lambda column: array(_each(column, _iso), text=True)
    if isinstance(kind, Boolean | Integer | Float):
        return array
    return lambda column: array(column, text=True)


def _each(column: Sequence[datetime | None], write: Callable[[datetime], Any]) -> list[Any]:
    """Most instants of a batch are its "now", the very same object, and most columns have one alone, or none."""
    first = column[0]
    if column.count(first) == len(column):  # objects that are the same are not compared
        return [None if first is None else write(first)] * len(column)
    written: list[Any] = []
    last: datetime | None = None
    text: Any = None
    for instant in column:
        if instant is not last:
            last, text = instant, None if instant is None else write(instant)
        written.append(text)
    return written


def _iso(instant: datetime) -> str:
    if instant.tzinfo is None:
        raise ValueError(f"naive datetime {instant!r}: instants are aware, in UTC")
    return instant.isoformat()


def _array_type(kind: TypeEngine[Any]) -> str:
    """What PostgreSQL calls an array of such values."""
    for ours, theirs in (
        (UTCDateTime, "timestamptz[]"),
        (JSON, "jsonb[]"),
        (Boolean, "boolean[]"),
        (Integer, "bigint[]"),
        (Float, "double precision[]"),
    ):
        if isinstance(kind, ours):
            return theirs
    return "text[]"


def in_batch(dialect: str, keys: Batch) -> str:
    """The condition that (contact_id, seq) is among the first two columns of the batch."""
    first, second = list(keys.columns)[:2]
    return f"(contact_id, seq) IN (SELECT {first}, {second} FROM {keys.sql(dialect)} AS keys)"

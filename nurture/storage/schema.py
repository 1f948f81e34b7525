"""The schema of a database: which one it has, whether we can work with it, and how it is brought forward.

Alembic brings it forward; to ask which one it is takes a look at names alone, so that every start need not load it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from nurture.errors import StorageError
from nurture.storage import sqlite
from nurture.storage.database import WRITE, Database
from nurture.storage.faults import explain

if TYPE_CHECKING:
    from alembic.config import Config

VERSIONS = "alembic_version"
UPGRADE_LOCK = 0x6E757274757265  # of PostgreSQL, for one upgrade at a time


@dataclass(frozen=True, slots=True)
class Upgraded:
    """`before` is None for a database that was empty. `backup` is the copy made first, where one was needed."""

    before: str | None
    after: str
    backup: Path | None

    @property
    def changed(self) -> bool:
        return self.before != self.after


def migrations() -> Path:
    """Where the migrations lie: inside the installed package, or beside it in the repository."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "_shipped" / "migrations", package.parent / "migrations"):
        if (place / "env.py").is_file():
            return place
    raise StorageError("The migrations are missing from this installation. Install nurture again.")


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for a connection whose transaction is already open."""
    from alembic.config import Config

    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The revision of the schema this nurture works with."""
    return max(_known())


def current(database: Database) -> str | None:
    """The revision of the schema the database has; None if it has none of ours."""
    with database.read() as tx:
        return _revision(tx.connection)


def require_current(database: Database) -> None:
    """Raise StorageError unless the schema is the one this nurture works with, and the address secret its own."""
    found = current(database)
    if found is None:
        raise StorageError(f"The database {database.name} is empty. Run `nurture db upgrade`.")
    if found != head():
        raise StorageError(_mismatch(database, found))


def upgrade(database: Database) -> Upgraded:
    """Bring the schema forward in one transaction: killed midway, it leaves the database as it was.

    A SQLite file that holds something is copied first, to `<name>.before-<revision>`. PostgreSQL is not: take a dump.
    Raises StorageError for a schema this nurture does not know.
    """
    from alembic import command

    before = current(database) if database.dialect == "postgresql" or database.path.exists() else None
    target = head()
    if before == target:
        return Upgraded(before, target, None)
    if before is not None and before not in _known():
        raise StorageError(_mismatch(database, before))
    backup = _copy_aside(database, before) if before is not None and database.dialect == "sqlite" else None
    engine = database.make_engine(foreign_keys=False, pooled=False)
    try:
        with engine.connect() as connection, connection.execution_options(**WRITE).begin():
            if database.dialect == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
            command.upgrade(configuration(connection), "head")
            if database.dialect == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise StorageError(f"The upgrade of {database.name} would break references; nothing was changed.")
    except SQLAlchemyError as error:
        raise explain(database.url, error) from error
    finally:
        engine.dispose()
    return Upgraded(before, target, backup)


def differences(database: Database) -> list[str]:
    """What the schema in the database has other than the tables of this nurture; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from nurture.storage.tables import metadata

    with database.read() as tx:
        context = MigrationContext.configure(
            tx.connection, opts={"compare_type": True, "compare_server_default": True, "render_as_batch": True}
        )
        return [str(difference) for difference in compare_metadata(context, metadata)]


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSIONS):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar()  # noqa: S608
    return found


def _known() -> set[str]:
    """Our revisions are numbers that grow, and each migration's file begins with its own."""
    return {script.name.partition("_")[0] for script in (migrations() / "versions").glob("[0-9]*_*.py")}


def _mismatch(database: Database, found: str) -> str:
    if found in _known():
        return f"The schema of {database.name} is {found}; this nurture needs {head()}. Run `nurture db upgrade`."
    return (
        f"The schema of {database.name} is {found}, which this nurture does not know: a newer nurture made it. "
        "Install that one, or restore the backup made before the upgrade."
    )


def _copy_aside(database: Database, before: str) -> Path:
    """A copy of the file as it was, beside it."""
    target = database.path.with_name(f"{database.path.name}.before-{before}")
    sqlite.copy_file(database.path, target)
    return target

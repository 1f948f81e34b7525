"""One database: its connections, and transactions that end in a commit, a rollback, or an error we can explain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from nurture.errors import StorageError
from nurture.storage import sqlite
from nurture.storage.addresses import address_hash, canonical
from nurture.storage.faults import DatabaseFault, Fault, explain, name_of
from nurture.storage.types import dump_json, load_json

Result = TypeVar("Result")
Dialect = Literal["sqlite", "postgresql"]
WRITE = {"nurture_begin": "BEGIN IMMEDIATE"}

# Seconds. A turn or a gate takes milliseconds: whoever holds a lock this long is broken.
LOCK_SECONDS, STATEMENT_SECONDS, IDLE_SECONDS = 10, 300, 60


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction. Commits when the block that opened it ends, rolls back when it raises."""

    connection: Connection
    database: Database

    @property
    def dialect(self) -> Dialect:
        return self.database.dialect

    def execute(
        self, statement: Executable, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        result = self.connection.execute(statement, values)
        assert isinstance(result, CursorResult)
        return result

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that can fail alone: when the block raises, only what was done inside it is undone."""
        try:
            with self.connection.begin_nested():
                yield
        except SQLAlchemyError as error:
            raise explain(self.database.url, error) from error

    def address_key(self, email: str) -> str:
        """The keyed hash of an address, as suppressions know it."""
        return address_hash(self.database.address_secret, canonical(email))

    @property
    def lease_clock(self) -> str:
        """SQL for the instant leases are judged by: the server's, or the parameter `:now`."""
        return "clock_timestamp()" if self.database.leases_by_server else ":now"


class Database:
    """A SQLite file (`sqlite:///path`) or a PostgreSQL database (`postgresql://...`).

    `address_secret` keys the hashes by which suppressions outlive addresses: one for the life of the database.
    `prepare_threshold` None switches prepared statements off; behind a pooler of connections they always are.
    `leases_by_server` (default: yes on PostgreSQL) judges leases by the server's clock, so that hosts with different
    clocks cannot steal from one another; otherwise by the `now` they are handed.
    Raises StorageError for an address it cannot use.
    """

    def __init__(
        self,
        url: str,
        *,
        address_secret: str = "",
        prepare_threshold: int | None = 5,
        pool_size: int = 8,
        leases_by_server: bool | None = None,
    ) -> None:
        self.url = _parse(url)
        self.address_secret = address_secret
        self.dialect: Dialect = "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        self.leases_by_server = self.dialect == "postgresql" if leases_by_server is None else leases_by_server
        self._prepare_threshold = prepare_threshold
        self._pool_size = pool_size
        self._writing = threading.Lock()
        self._guard: sqlite.FileGuard | None = None
        if self.dialect == "sqlite":
            if self.leases_by_server:
                raise StorageError("SQLite has no server whose clock could judge leases.")
            self._guard = sqlite.FileGuard(self.path)
            sqlite.refuse_network(self.path)
        self.engine = self.make_engine()

    @property
    def name(self) -> str:
        """For messages: never holds a password."""
        return name_of(self.url)

    @property
    def address(self) -> str:
        """What another process of ours opens it by. Holds the password: never shown."""
        return self.url.render_as_string(hide_password=False)

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "").absolute()

    def make_engine(self, *, foreign_keys: bool = True, pooled: bool = True) -> Engine:
        """An engine of its own; `foreign_keys` off is for migrations, which rebuild SQLite tables."""
        options: dict[str, Any] = {"json_serializer": dump_json}
        options |= {"pool_size": self._pool_size, "max_overflow": 8} if pooled else {"poolclass": NullPool}
        if self.dialect == "sqlite":
            options["json_deserializer"] = load_json
            engine = create_engine(self.url, connect_args={"timeout": sqlite.BUSY_SECONDS}, **options)
            event.listen(engine, "connect", lambda raw, _: sqlite.configure(raw, foreign_keys=foreign_keys))
            event.listen(engine, "begin", _begin)
        else:
            engine = create_engine(
                self.url,
                isolation_level="READ COMMITTED",
                pool_pre_ping=pooled,
                connect_args={
                    "prepare_threshold": self._prepare_threshold,
                    "connect_timeout": LOCK_SECONDS,
                    "application_name": "nurture",
                },
                **options,
            )
            event.listen(engine, "connect", _set_limits)
        return engine

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Look. On SQLite one consistent snapshot; on PostgreSQL each statement sees what is committed."""
        with self._transaction({}) as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Change. SQLite: the write lock is taken at once, so that nothing read inside can be stale."""
        if self.dialect == "postgresql":
            with self._transaction({}) as tx:
                yield tx
            return
        if not self._writing.acquire(timeout=3 * sqlite.BUSY_SECONDS):
            raise DatabaseFault(
                Fault.BUSY, f"The database {self.name} is busy: another thread has been writing too long."
            )
        try:
            with self._transaction(WRITE) as tx:
                yield tx
        finally:
            self._writing.release()

    @contextmanager
    def _transaction(self, options: dict[str, Any]) -> Iterator[Transaction]:
        if self._guard is not None:
            self._guard.check()
        committing = False
        try:
            with (
                self.engine.connect() as connection,
                connection.execution_options(**options).begin() as transaction,
            ):
                yield Transaction(connection, self)
                committing = True
                transaction.commit()
        except SQLAlchemyError as error:
            raise explain(self.url, error, committing=committing) from error

    def transact(self, work: Callable[[Transaction], Result], *, tries: int = 5) -> Result:
        """Run `work` in a write transaction; again when the database undid it for a deadlock or a collision.

        `work` may run several times, so it must do nothing outside the transaction.
        """
        while True:
            tries -= 1
            try:
                with self.write() as tx:
                    return work(tx)
            except DatabaseFault as fault:
                if fault.fault is not Fault.SERIALIZATION or tries <= 0:
                    raise

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
    except ArgumentError:
        raise StorageError(
            "The database address cannot be read. Write sqlite:///nurture.db or postgresql://user:password@host/name."
        ) from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        if find_spec("psycopg") is None:
            raise StorageError("PostgreSQL needs the extra postgres: pip install 'nurture-engine[postgres]'.")
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise StorageError(f"nurture keeps its data in SQLite or PostgreSQL, not in {backend}.")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise StorageError("A SQLite database needs a file: sqlite:///nurture.db.")
    return parsed.set(drivername="sqlite", query={})


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("nurture_begin", "BEGIN"))


def _set_limits(raw: Any, _: Any) -> None:
    """Every connection gives up rather than hang, and speaks UTC. Plain SETs: start-up options do not pass poolers."""
    raw.autocommit = True
    with raw.cursor() as cursor:
        cursor.execute(
            f"SET timezone = 'UTC'; SET lock_timeout = '{LOCK_SECONDS}s'; "
            f"SET statement_timeout = '{STATEMENT_SECONDS}s'; "
            f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"
        )
        # A pooler tells of a backend that is not the one that answers: what is prepared there may be gone next time.
        if cursor.execute("SELECT pg_backend_pid()").fetchone()[0] != raw.info.backend_pid:
            raw.prepare_threshold = None
    raw.autocommit = False

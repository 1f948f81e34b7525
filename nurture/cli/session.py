"""What every command shares: the project folder, the settings and the app, built when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from nurture.app import App
    from nurture.clock import Clock
    from nurture.engine.revisions import Applied
    from nurture.settings import Settings
    from nurture.storage.database import Database

F = TypeVar("F", bound=Callable[..., Any])


def _system_clock() -> Clock:
    from nurture.clock import SystemClock

    return SystemClock()


@dataclass
class Session:
    """One call of `nurture`. `json` and `quiet` decide how results are told, never what is done."""

    project: Path = Path()
    env_file: Path | None = None
    verbosity: int = 0
    json: bool = False
    make_clock: Callable[[], Clock] = field(default=_system_clock)

    @property
    def quiet(self) -> bool:
        return self.verbosity < 0

    @cached_property
    def clock(self) -> Clock:
        return self.make_clock()

    @cached_property
    def settings(self) -> Settings:
        from nurture.settings import load

        return load(self.env_file)

    @cached_property
    def app(self) -> App:
        from nurture.app import App

        app = App(self.settings, self.clock, Path())
        if self.settings.secret_key is not None:
            app.database = self.any_database
        return app

    @cached_property
    def any_database(self) -> Database:
        """The database, whatever its schema. Opened without the app, whose other parts take a second to import."""
        from nurture.storage.database import Database

        url = self.settings.database_url.get_secret_value()
        return Database(url, address_secret=self.settings.secrets()[-1])

    @cached_property
    def database(self) -> Database:
        """The database, once it is certain that it has the schema this nurture needs. Raises StorageError."""
        from nurture.errors import StorageError
        from nurture.storage.schema import require_current

        database = self.any_database
        if database.dialect == "sqlite" and not database.path.exists():
            raise StorageError(f"There is no database {database.name} yet. Run nurture db upgrade; it makes one.")
        require_current(database)
        return database

    def applied(self) -> Applied:
        """The newest revision, from a database that is there. Raises StorageError, ConfigurationError."""
        _ = self.database  # asked first: opening a file that is not there would make it
        return self.app.applied()

    def close(self) -> None:
        """Let go of the database, if this call has opened it."""
        if "any_database" in self.__dict__:
            self.any_database.close()


pass_session = click.make_pass_decorator(Session, ensure=True)


def _ask_for_json(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Session).json = True


def json_option(command: F) -> F:
    """Add `--json`: the answer as one JSON object on stdout."""
    option = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_ask_for_json,
        help='Answer as JSON: {"ok": ..., "data": ..., "problems": [...]}.',
    )
    return option(command)


def yes_option(command: F) -> F:
    """Add `--yes`: go ahead without being asked."""
    return click.option("--yes", "-y", is_flag=True, help="Go ahead without being asked.")(command)

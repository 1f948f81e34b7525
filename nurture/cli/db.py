"""`nurture db`: the schema and the safety of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nurture.cli.lazy import Command, Group
from nurture.cli.output import answer, confirm, good, say, show
from nurture.cli.session import Session, json_option, pass_session, yes_option


@click.group(cls=Group)
def db() -> None:
    """Upgrade, check and back up the database."""


@db.command(cls=Command)
@yes_option
@pass_session
def upgrade(session: Session, yes: bool) -> None:
    """Bring the schema to what this nurture needs.

    One transaction: killed midway, it leaves the database as it was. A SQLite file that holds data is copied first; of
    PostgreSQL take a dump yourself before.
    """
    from nurture.storage.schema import current, head
    from nurture.storage.schema import upgrade as upgrade_schema

    database = session.any_database
    if database.dialect == "postgresql" and current(database) != head():
        confirm(f"Change the schema of {database.name} to {head()}?", yes)
    done = upgrade_schema(database)
    if not done.changed:
        show(f"{database.name} is up to date ({done.after}).")
        return
    if done.backup is not None:
        say(f"A copy from before is in {done.backup}.")
    show(f"{database.name}: {done.before or 'empty'} -> {done.after}")


@db.command(cls=Command)
@json_option
@pass_session
def status(session: Session) -> None:
    """Say which schema the database has, and whether it fits.

    Exits with 3 if it does not.
    """
    from nurture.storage.schema import current, head

    database = session.any_database
    found = None if _is_missing(session) else current(database)
    fits = found == head()
    data: dict[str, Any] = {"database": database.name, "schema": found, "needed": head(), "fits": fits}
    if database.dialect == "sqlite" and database.path.exists():
        data["bytes"] = database.path.stat().st_size
    problems = [] if fits else [{"severity": "error", "message": "the schema does not fit; run nurture db upgrade"}]

    def tell() -> None:
        size = f", {data['bytes'] / 1e6:,.1f} MB" if "bytes" in data else ""
        show(f"database  {database.name}{size}")
        told = good(found or "") if fits else f"{found or 'none'}; needed: {head()}. Run: nurture db upgrade"
        show(f"schema    {told}")

    answer(data, tell, problems, ok=fits)
    if not fits:
        click.get_current_context().exit(3)


@db.command(cls=Command)
@click.argument("file", type=click.Path(dir_okay=False, resolve_path=True, path_type=Path), required=False)
@pass_session
def backup(session: Session, file: Path | None) -> None:
    """Copy a SQLite database to FILE, whole and consistent, while daemons go on writing.

    Without FILE, beside the database, named by the time. The copy is on hold: a daemon that is started on it waits for
    `nurture run --confirm`. PostgreSQL has tools of its own: pg_dump.
    """
    from nurture.engine.hold import back_up

    database = session.database
    if file is None:
        stamp = session.clock.now().strftime("%Y%m%d-%H%M%S")
        path = database.path if database.dialect == "sqlite" else Path("nurture.db")
        file = path.with_name(f"{path.stem}-{stamp}{path.suffix}")
    target = back_up(database, file, session.clock.now())
    show(f"{target}  {target.stat().st_size / 1e6:,.1f} MB")


@db.command("copy-to", cls=Command)
@click.argument("url")
@yes_option
@pass_session
def copy_to(session: Session, url: str, yes: bool) -> None:
    """Copy everything into another, empty database, and verify it.

    From SQLite to PostgreSQL or back. Stop the daemons first; set NURTURE_DATABASE_URL to URL after.
    """
    from nurture.storage.backup import copy_database
    from nurture.storage.database import Database
    from nurture.storage.schema import upgrade as upgrade_schema

    source = session.database
    _refuse_daemons(session)
    target = Database(url, address_secret=source.address_secret)
    try:
        confirm(f"Copy {source.name} to {target.name}?", yes)
        upgrade_schema(target)
        copied = copy_database(source, target, progress=lambda table, rows: say(f"{table}  {rows:,} rows"))
    finally:
        target.close()
    show(f"{sum(copied.rows.values()):,} rows in {len(copied.rows)} tables are in {target.name}, and were compared.")


def _refuse_daemons(session: Session) -> None:
    """What a daemon writes during a copy would be missing from it, and mailed again."""
    from nurture.errors import StorageError
    from nurture.storage.heartbeats import heartbeats

    with session.database.read() as tx:
        alive = [one for one in heartbeats(tx) if one.is_alive(session.clock.now())]
    if alive:
        names = ", ".join(one.owner for one in alive)
        raise StorageError(
            f"a daemon works on {session.database.name}: {names}. Stop it first; "
            "one that was killed counts as gone after two minutes"
        )


def _is_missing(session: Session) -> bool:
    database = session.any_database
    return database.dialect == "sqlite" and not database.path.exists()

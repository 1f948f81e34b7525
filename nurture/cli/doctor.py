"""`nurture doctor`: everything sending depends on, looked at, with a fix for each fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nurture.cli import output
from nurture.cli.lazy import Command
from nurture.cli.output import answer, faint, plural, printable, show
from nurture.cli.session import Session, json_option, pass_session

if TYPE_CHECKING:
    from nurture.domain.programme import Programme
    from nurture.engine.doctor import Checkup
    from nurture.settings import Settings


@click.command(cls=Command)
@click.option("--dns", is_flag=True, help="Also look up SPF, DKIM and DMARC of the senders' domains.")
@click.option("--offline", is_flag=True, help="Do not connect to the relay.")
@json_option
@pass_session
def doctor(session: Session, dns: bool, offline: bool) -> None:
    """Check everything sending depends on, with a fix for each.

    Nothing is sent. Where NURTURE_DELIVERY is smtp, the relay is greeted and the base URL asked; name servers
    only with --dns. Exits
    with 3 if something is bad.
    """
    from nurture.engine.doctor import Health

    found = list(_checkups(session, dns=dns, offline=offline))
    broken = [one for one in found if one.health is Health.BAD]
    doubtful = [one for one in found if one.health is Health.CAREFUL]

    def tell() -> None:
        width = max(len(one.name) for one in found) + 2
        marks = {
            Health.GOOD: output.good("ok  "),
            Health.CAREFUL: output.careful("hm  "),
            Health.BAD: output.bad("bad "),
        }
        for one in found:
            show(f"{marks[one.health]}{one.name.ljust(width)}{printable(one.found)}")
            if one.fix:
                show(f"{' ' * (width + 4)}{faint('->')} {printable(one.fix)}")
        show(f"{plural(len(found), 'check')}: {len(broken)} bad, {len(doubtful)} to think about.")

    problems = [
        {
            "severity": "error" if one.health is Health.BAD else "warning",
            "check": one.name,
            "message": one.found,
            "hint": one.fix,
        }
        for one in (*broken, *doubtful)
    ]
    answer([asdict(one) for one in found], tell, problems, ok=not broken)
    if broken:
        click.get_current_context().exit(3)


def _checkups(session: Session, *, dns: bool, offline: bool) -> Iterator[Checkup]:
    from nurture.engine import doctor as d
    from nurture.errors import ConfigurationError

    yield d.check_python()
    yield d.check_loop()
    yield d.check_zones()
    yield d.check_env_file(session.env_file or Path(".env"))
    try:
        settings = session.settings
    except ConfigurationError as error:
        yield d.bad("settings", str(error), "correct them in .env or the environment")
        return
    programme: Programme | None = None
    try:
        from nurture.language.source import read_project

        checkup, programme = d.check_files(read_project(Path()))
        yield checkup
    except ConfigurationError as error:
        yield d.bad("files", str(error), "nurture init starts a project")
    if programme is not None:
        yield from d.check_brand(programme)
    yield from _secret(session, settings)
    yield from _delivery(settings, session.clock.now(), offline=offline)
    if dns and programme is not None:
        from nurture.intake.dns_records import records_of

        for domain in sorted({sender.email.rpartition("@")[2] for sender in programme.senders.values()}):
            dkim = settings.dkim_selector, settings.dkim_domain
            yield from d.check_domain(domain, records_of(domain, *dkim), *dkim)


def _secret(session: Session, settings: Settings) -> Iterator[Checkup]:
    """The key, and what only works with it: the database."""
    from nurture.engine import doctor as d
    from nurture.engine.hold import ALIVE
    from nurture.errors import StorageError
    from nurture.storage.duties import marked

    if settings.secret_key is None:
        yield d.bad(
            "secret key", "NURTURE_SECRET_KEY is not set", "nurture init writes one; or use any long random text"
        )
        return
    yield d.good("secret key", f"{len(settings.secret_key.get_secret_value())} characters")
    now = session.clock.now()
    try:
        checks = d.check_database(session.any_database, now)
    except StorageError as error:
        yield d.bad("database", str(error), "see NURTURE_DATABASE_URL")
        return
    yield from checks
    if checks[0].health is d.Health.GOOD:
        from nurture.engine.doctor_work import check_work

        with session.any_database.read() as tx:
            alive = marked(tx, ALIVE)
        yield d.check_clock(now, datetime.fromisoformat(alive["at"]) if alive is not None else None)
        yield from check_work(session.any_database, now)


def _delivery(settings: Settings, now: datetime, *, offline: bool) -> Iterator[Checkup]:
    from nurture.engine import doctor as d

    if settings.delivery == "inbox":
        yield d.check_folder("inbox", settings.inbox)
        yield d.good("delivery", "all mail stays on this machine; NURTURE_DELIVERY=smtp sends it")
        return
    assert settings.smtp_url is not None
    if not offline:
        yield from d.check_relay(settings.smtp_url.get_secret_value())
    if settings.allow_list:
        yield d.careful(
            "allow list", f"only {', '.join(settings.allow_list)} are mailed", "unset NURTURE_ALLOW_LIST to go live"
        )
    if not settings.base_url.startswith("https://"):
        fix = "set NURTURE_BASE_URL to an https address; one-click unsubscribe needs it"
        yield d.careful("base url", settings.base_url, fix)
    elif offline:
        yield d.good("base url", settings.base_url)
    else:
        from nurture.engine.doctor_work import check_base_url

        yield check_base_url(settings.base_url, now)

"""`nurture run`: the daemon, or everything that is due now."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from nurture.cli.lazy import Command
from nurture.cli.output import bad, careful, faint, plural, printable, say, show, strong, when
from nurture.cli.session import Session, pass_session

if TYPE_CHECKING:
    from nurture.app import App
    from nurture.web.server import WebServer


def _known_roles(_ctx: click.Context, option: click.Parameter, value: str) -> frozenset[str]:
    roles = frozenset(part.strip() for part in value.split(",") if part.strip())
    if not roles or roles - {"advance", "dispatch"}:
        raise click.BadParameter(f"{value!r} is not advance, dispatch, or both with a comma between", param=option)
    return roles


@click.command(cls=Command)
@click.option("--once", is_flag=True, help="Do everything that is due now, and end.")
@click.option("--roles", callback=_known_roles, metavar="ROLES", default="advance,dispatch", show_default=True,
              help="What this daemon does: advance (decide), dispatch (send), or both.")  # fmt: skip
@click.option("--confirm", "go_on", is_flag=True, help="Go on after a hold: a restored backup, a clock that jumped.")
@click.option("--drain", type=click.FloatRange(0, 600), default=30.0, show_default=True, metavar="SECONDS",
              help="How long to let mails on the wire end when stopping.")  # fmt: skip
@click.option("--http", "address", metavar="HOST:PORT",
              help="Serve HTTP too, as 127.0.0.1:8025: events in, people's pages, probes.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
              help="Run so many daemons on this host, one for each core.")  # fmt: skip
@click.option("--worker-of", type=click.IntRange(1, 64), hidden=True, help="Be one of so many workers.")
@pass_session
def run(
    session: Session,
    once: bool,
    roles: frozenset[str],
    go_on: bool,
    drain: float,
    address: str | None,
    workers: int,
    worker_of: int | None,
) -> None:
    """Run the daemon: decide, send, follow up.

    It works from the applied revision and runs until SIGTERM or Ctrl-C; then it lets what is on the wire end. A second
    signal stops at once. With --workers one process watches over N daemons and starts again those that die. Any number
    of hosts may share one PostgreSQL database.
    """
    if workers > 1:
        if once:
            raise click.UsageError("--once is for one daemon: leave --workers out.")
        _run_workers(session, workers, roles, go_on, drain, address)
        return
    from nurture.daemon.service import Service
    from nurture.engine.pump import Role
    from nurture.sending import loop
    from nurture.storage.controls import sending_stopped

    if once and address is not None:
        raise click.UsageError("--once and --http do not go together: there is nothing to wait for requests")
    app = session.app
    _ = session.database
    app.require_ready()
    chosen = frozenset(Role(role) for role in roles)
    companions = [_web_server(app, address)] if address is not None else []
    alone = worker_of is None
    service = Service(app, roles=chosen, confirm=go_on, grace=drain, companions=companions, ends_with_stdin=not alone)
    if not once:
        if alone:
            _introduce(app)
        loop.run(service.run())
        return
    began = app.clock.now()
    pumped = loop.run(service.once())
    _tell(app, pumped.turns, began)
    for contact, error in pumped.failures:
        say(bad(f"the turn of contact {contact} failed: {error}"))
    if app.relay_trouble is not None:
        say(bad(f"The relay takes no mail: {printable(app.relay_trouble)}."))
        say("What waits for it goes when it is well again; nurture doctor looks closer.")
    with session.database.read() as tx:
        stopped = sending_stopped(tx)
    if stopped is not None:
        because = f": {printable(stopped.why)}" if stopped.why else ""
        say(bad(f"Sending is stopped since {when(stopped.at)} UTC by {printable(stopped.by)}{because}."))
        say("What is due waits; nurture start-sending lets it go.")
    if stopped is not None or pumped.failures or app.relay_trouble is not None:
        click.get_current_context().exit(1)


def _web_server(app: App, address: str) -> WebServer:
    from nurture.web.server import Address, WebServer

    return WebServer(app, Address.parse(address))


def _run_workers(
    session: Session, count: int, roles: frozenset[str], go_on: bool, drain: float, address: str | None
) -> None:
    import asyncio
    import sys

    from nurture.daemon.workers import Workers
    from nurture.engine.hold import release

    app = session.app
    _ = session.database
    app.require_ready()
    if go_on:
        release(app.database, app.clock.now())
    _introduce(app, count)
    session.close()  # nothing of ours stays open beside the workers
    command = [sys.executable, "-m", "nurture"]
    if session.env_file is not None:
        command += ["--env-file", str(session.env_file)]
    command += ["run", "--worker-of", str(count), "--roles", ",".join(sorted(roles)), "--drain", str(drain)]
    commands = [list(command) for _ in range(count)]
    if address is not None:  # a port is one process's; whoever it wakes, all workers find
        commands[0] += ["--http", address]
    code = asyncio.run(Workers(commands, app.journal).run())
    if code:
        click.get_current_context().exit(code)


def _tell(app: App, turns: int, began: datetime) -> None:
    """What one round has done: sent, and what was held or dropped, by reason."""
    from nurture.domain.ledger import FactKind
    from nurture.storage.reports import count_facts

    with app.database.read() as tx:
        facts = count_facts(tx, since=began)
    sent = sum(count for (_, _, kind, _), count in facts.items() if kind is FactKind.SENT)
    where = " into the local inbox: nurture inbox list" if app.settings.delivery == "inbox" and sent else ""
    show(f"{plural(turns, 'turn')}, {plural(sent, 'mail')} sent{where}.")
    words = {
        FactKind.POSTPONED: "held",
        FactKind.SKIPPED: "skipped",
        FactKind.EXPIRED: "too late",
        FactKind.DEFERRED: "to be tried again",
        FactKind.REJECTED: "refused",
        FactKind.UNKNOWN: "unknown",
    }
    for (campaign, step, kind, reason), count in sorted(facts.items(), key=str):
        if kind in words:
            why = f" ({reason.value.replace('_', ' ')})" if reason is not None else ""
            show(f"  {count:,} {words[kind]}: {campaign}/{step}{why}")


def _introduce(app: App, workers: int = 1) -> None:
    summary = app.summary()
    programme = app.applied().programme
    caps = ", ".join(str(cap) for cap in programme.caps) or "none"
    lines = {
        "database": summary["database"],
        "mail goes to": summary["delivery"],
        "revision": f"{summary['revision']}, {plural(summary['campaigns'], 'campaign')}",
        "caps": caps,
        "quiet hours": _quiet(programme.quiet_hours),
        **({"workers": f"{workers} processes"} if workers > 1 else {}),
    }
    say(strong("nurture is running.") + faint(" Stop it with Ctrl-C."))
    for name, value in lines.items():
        say(f"  {faint(name.ljust(14))}{value}")
    if app.settings.allow_list:
        say(careful(f"  only {', '.join(app.settings.allow_list)} are mailed (NURTURE_ALLOW_LIST)"))


def _quiet(hours: object) -> str:
    start, end = getattr(hours, "start", None), getattr(hours, "end", None)
    return f"{start:%H:%M} to {end:%H:%M}, in each person's zone" if start is not None and end is not None else "none"

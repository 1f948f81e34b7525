"""`nurture stop-sending` and `nurture start-sending`: everything at once, on every daemon."""

from __future__ import annotations

import click

from nurture.cli.campaigns import by
from nurture.cli.lazy import Command
from nurture.cli.output import confirm, plural, printable, say, show, when
from nurture.cli.session import Session, pass_session, yes_option


@click.command("stop-sending", cls=Command)
@click.option("--why", default="", metavar="TEXT", help="Said to everybody who asks why nothing goes.")
@pass_session
def stop_sending(session: Session, why: str) -> None:
    """Stop all sending at once, on every daemon.

    It is not asked for a second time, needs no daemon, and lasts until `nurture start-sending`. Mail that is claimed
    already stays here too; only what stands behind its final dot cannot be called back. People are decided about as
    before: their stops count, and what they are due waits, each mail within its own `late` rule.
    """
    from nurture.storage.controls import stop_sending as stop
    from nurture.storage.database import Transaction
    from nurture.storage.reports import count_gated

    now = session.clock.now()

    def work(tx: Transaction) -> tuple[str, int]:
        found = stop(tx, now, by(), why)
        return f"Sending is stopped since {when(found.at)} UTC by {printable(found.by)}.", count_gated(tx)

    told, gated = session.database.transact(work)
    show(f"{told} Go on with: nurture start-sending")
    if gated:
        say(f"{plural(gated, 'mail is', 'mails are')} past the last gate: the relay may have taken them already.")


@click.command("start-sending", cls=Command)
@yes_option
@pass_session
def start_sending(session: Session, yes: bool) -> None:
    """Let all sending go on after a stop."""
    from nurture.errors import ConflictError
    from nurture.storage.controls import sending_stopped
    from nurture.storage.controls import start_sending as start
    from nurture.storage.reports import count_waiting

    database, now = session.database, session.clock.now()
    with database.read() as tx:
        found, (fresh, late) = sending_stopped(tx), count_waiting(tx, now)
    if found is None:
        raise ConflictError("Sending is not stopped.")
    told = f"{plural(fresh, 'mail')} may go at once"
    if late:
        told += f", {plural(late, 'mail has', 'mails have')} grown too late and will be dropped"
    because = f" ({printable(found.why)})" if found.why else ""
    confirm(f"Stopped since {when(found.at)} UTC by {printable(found.by)}{because}: {told}. Go on?", yes)
    database.transact(lambda tx: start(tx, now))
    show(f"Sending goes on: {told}.")

"""`nurture hubspot`: what the daemon does every minute, by hand; and how far it is."""

from __future__ import annotations

import click

from nurture.cli.lazy import Command, Group
from nurture.cli.output import answer, plural, show
from nurture.cli.session import Session, json_option, pass_session
from nurture.errors import ConfigurationError


@click.group(cls=Group)
def hubspot() -> None:
    """Take in what has changed in HubSpot; see how far that is."""


@hubspot.command(cls=Command)
@json_option
@pass_session
def pull(session: Session) -> None:
    """Take in every contact that was changed since the last time; at the first time, all.

    The daemon does it every minute where NURTURE_HUBSPOT_TOKEN is set.
    """
    from nurture.engine.hubspot import pull as pull_in

    database = session.database
    if session.app.hubspot is None:
        raise ConfigurationError("NURTURE_HUBSPOT_TOKEN is not set; it is the token of a private app of HubSpot")
    pulled = pull_in(database, session.app.hubspot, session.clock.now())
    data = {"contacts": pulled.contacts, "events": pulled.events, "odd": pulled.odd}
    told = f"{plural(pulled.contacts, 'contact')} read, {plural(pulled.events, 'event')} new, {pulled.odd:,} odd."
    answer(data, lambda: show(told))


@hubspot.command(cls=Command)
@json_option
@pass_session
def status(session: Session) -> None:
    """Show until when changes were taken in, and how the calls about stages stand."""
    from nurture.engine.hubspot import HUBSPOT, MARK
    from nurture.storage.duties import marked
    from nurture.storage.outbox import Standing, standing_by_name
    from nurture.storage.subscriptions import KIND

    with session.database.read() as tx:
        kept, calls = marked(tx, MARK), standing_by_name(tx, [KIND]).get(HUBSPOT, Standing())
    since = kept["since"] if kept is not None else None
    data = {"until": since, "waiting": calls.waiting, "taken": calls.taken, "failed": calls.failed}
    told = (
        f"In: {f'all changes until {since}' if since else 'nothing yet'}.\n"
        f"Out: {calls.waiting:,} waiting, {calls.taken:,} told, {calls.failed:,} given up."
    )
    answer(data, lambda: show(told))

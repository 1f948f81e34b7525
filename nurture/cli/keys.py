"""`nurture keys`: who may use the API, and for what."""

from __future__ import annotations

import click

from nurture.cli.lazy import Command, Group
from nurture.cli.output import answer, confirm, say, show, strong, table, when
from nurture.cli.session import Session, json_option, pass_session, yes_option

SCOPES = ("browser", "events", "read", "people", "admin")


@click.group(cls=Group)
def keys() -> None:
    """Say who may use the HTTP API, and for what."""


@keys.command(cls=Command)
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="May be repeated.")
@json_option
@pass_session
def create(session: Session, name: str, scopes: tuple[str, ...]) -> None:
    """Make a key, and show it for the only time.

    \b
    browser  tell events from public pages; cannot change who somebody is
    events   tell events from a server
    read     look at people, events and the quarantine
    people   change people: attributes, topics, suppression
    admin    everything, erasure too
    """  # noqa: D301 - click's own mark for lines that must not be wrapped
    from nurture.engine.keys import Scope, create_key

    key = create_key(session.database, name, {Scope(scope) for scope in scopes}, session.clock.now())

    def told() -> None:
        show(key)
        say("It is shown only now. Requests bear it as: Authorization: Bearer " + strong("KEY"))

    answer({"key": key, "name": name, "scopes": sorted(scopes)}, told)


@keys.command("list", cls=Command)
@json_option
@pass_session
def list_(session: Session) -> None:
    """Show all keys, without their secrets."""
    from nurture.engine.keys import list_keys

    found = list_keys(session.database)
    data = [
        {
            "id": key.id,
            "name": key.name,
            "scopes": sorted(key.scopes),
            "created_at": key.created_at,
            "used_at": key.used_at,
            "revoked_at": key.revoked_at,
        }
        for key in found
    ]

    def told() -> None:
        if not found:
            show("There are no keys. Make one: nurture keys create shop --scope events")
            return
        rows = [
            (key.id, key.name, " ".join(sorted(key.scopes)), when(key.used_at) if key.used_at else "never",
             f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "in force")
            for key in found
        ]  # fmt: skip
        show(table(("key", "name", "scopes", "last used", ""), rows))

    answer({"keys": data}, told)


@keys.command(cls=Command)
@click.argument("key_id", metavar="KEY")
@yes_option
@json_option
@pass_session
def revoke(session: Session, key_id: str, yes: bool) -> None:
    """Take a key out of force, by its id as in `nurture keys list`."""
    from nurture.engine.keys import revoke_key

    confirm("Whoever uses this key is turned away from now on. Revoke it?", yes)
    revoke_key(session.database, key_id, session.clock.now())
    answer({"revoked": key_id}, lambda: show("Revoked. Running servers know within five seconds."))

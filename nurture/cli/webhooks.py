"""`nurture webhooks`: the calls to other systems, and those that did not go through."""

from __future__ import annotations

import click

from nurture.cli.lazy import Command, Group
from nurture.cli.output import answer, bad, plural, printable, say, show, table, when
from nurture.cli.session import Session, json_option, pass_session
from nurture.errors import NurtureError


@click.group(cls=Group)
def webhooks() -> None:
    """See and repair the calls to other systems."""


@webhooks.command("list", cls=Command)
@json_option
@pass_session
def list_(session: Session) -> None:
    """Show the applied webhooks, what they hear of, and how their calls stand."""
    from nurture.engine.subscriptions import KINDS
    from nurture.storage.outbox import Standing, standing_by_name

    applied = session.applied().programme.webhooks
    with session.database.read() as tx:
        found = standing_by_name(tx, KINDS)
    data = []
    for name in sorted({*applied, *found}):
        webhook, stands = applied.get(name), found.get(name, Standing())
        data.append(
            {
                "name": name,
                "applied": webhook is not None,
                "facts": sorted(webhook.facts) if webhook is not None else [],
                "signed": webhook is not None and webhook.secret is not None,
                "waiting": stands.waiting,
                "taken": stands.taken,
                "failed": stands.failed,
            }
        )

    def told() -> None:
        if not data:
            show("There are no webhooks. They stand in campaigns/_project.yaml: webhooks.")
            return
        rows = [
            (each["name"], "signed" if each["signed"] else "", plural(len(each["facts"]), "fact"),  # type: ignore[arg-type]
             each["waiting"], each["taken"], each["failed"])
            for each in data
        ]  # fmt: skip
        show(table(("webhook", "", "hears of", "waiting", "taken", "failed"), rows))

    answer({"webhooks": data}, told)


@webhooks.command(cls=Command)
@click.argument("name")
@json_option
@pass_session
def test(session: Session, name: str) -> None:
    """Call a webhook now, with a message that says it is a test.

    It goes out whatever NURTURE_DELIVERY says: you have asked for it.
    """
    from nurture.engine.subscriptions import networks, tell
    from nurture.storage.outbox import Call

    webhook = session.applied().programme.webhooks.get(name)
    if webhook is None:
        raise _unknown(session, name)
    settings, now = session.settings, session.clock.now()
    call = Call(0, 0, "test", name, now, {"type": "nurture.test", "data": {}}, 1)
    error = tell(webhook, call, now, settings.named_secret, networks(settings.webhook_networks))
    problems = [{"severity": "error", "message": f"{name}: {error}"}] if error else []
    answer({"name": name, "error": error}, lambda: show(bad(f"{name}: {error}") if error else f"{name} took it."),
           problems, ok=error is None)  # fmt: skip
    if error:
        click.get_current_context().exit(1)


@webhooks.command(cls=Command)
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@json_option
@pass_session
def failed(session: Session, name: str | None, limit: int) -> None:
    """Show the calls that were given up, newest first, and why."""
    from nurture.engine.subscriptions import KINDS
    from nurture.storage.outbox import given_up

    with session.database.read() as tx:
        found = given_up(tx, KINDS, name=name, limit=limit)
    data = [
        {"id": each.id, "name": each.name, "at": each.at, "tries": each.tries, "error": each.error} for each in found
    ]

    def told() -> None:
        if not found:
            show("No call was given up.")
            return
        rows = [(each.id, each.name, when(each.at), each.tries, printable(each.error)) for each in found]
        show(table(("call", "webhook", "since", "tries", "why"), rows))
        say("Try them again: nurture webhooks replay --all NAME, or by their numbers.")

    answer({"failed": data}, told)


@webhooks.command(cls=Command)
@click.argument("numbers", nargs=-1, type=int)
@click.option("--all", "name", metavar="NAME", help="All of this webhook.")
@json_option
@pass_session
def replay(session: Session, numbers: tuple[int, ...], name: str | None) -> None:
    """Try calls that were given up again, under the ids they had.

    The daemon makes them at its next round.
    """
    from nurture.engine.subscriptions import KINDS
    from nurture.storage.outbox import call_again

    if bool(numbers) == (name is not None):
        raise click.UsageError("which? Name numbers of nurture webhooks failed, or say --all NAME")
    now = session.clock.now()
    again = session.database.transact(lambda tx: call_again(tx, KINDS, now, ids=numbers, name=name))
    answer({"again": again}, lambda: show(f"{plural(again, 'call')} will be made again."))


def _unknown(session: Session, name: str) -> NurtureError:
    names = ", ".join(sorted(session.applied().programme.webhooks)) or "none"
    return NurtureError(f"no webhook {name!r} is applied; there is {names}")

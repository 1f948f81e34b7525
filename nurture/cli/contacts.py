"""`nurture contacts`: look people up, hand over what is stored, stop and forget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.contact_view import contact_data, known_data, tell_contact
from nurture.cli.lazy import Command, Group
from nurture.cli.output import (
    answer,
    confirm,
    envelope,
    faint,
    plural,
    printable,
    say,
    show,
    table,
    when,
)
from nurture.cli.session import Session, json_option, pass_session, yes_option

if TYPE_CHECKING:
    from nurture.domain.contact import Contact

PAGE = 500
COLUMNS = ("id", "email", "external_id", "stage", "consent", "zone", "locale", "created_at")


@click.group(cls=Group)
def contacts() -> None:
    """Look people up, export, suppress or erase them.

    CONTACT is an address, the id another system gave, or our own number.
    """


@contacts.command("list", cls=Command)
@click.argument("start", required=False)
@click.option("--stage", metavar="STAGE", help="Only people in this lifecycle stage.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many.")
@click.option(
    "--after", type=click.IntRange(0), default=0, metavar="ID", help="Only ids after this one: the next page."
)
@json_option
@pass_session
def list_(session: Session, start: str | None, stage: str | None, limit: int, after: int) -> None:
    """List contacts, all or those whose address or id begins with START."""
    from nurture.storage.contacts import count, search

    with session.database.read() as tx:
        found = search(tx, start, stage=stage, after=after, limit=limit)
        total = count(tx)

    def tell() -> None:
        if not found:
            show("Nobody is here yet." if not total else "Nobody like that is here.")
            return
        rows = [(one.id, one.email, one.external_id, one.stage, one.consent, when(one.created_at)) for one in found]
        show(table(("id", "address", "your id", "stage", "consent", "since (UTC)"), rows, right=frozenset({0})))
        if len(found) == limit:
            say(faint(f"{total:,} in all; the next page: --after {found[-1].id}"))

    answer([contact_data(one) for one in found], tell)


@contacts.command("show", cls=Command)
@click.argument("contact")
@json_option
@pass_session
def show_(session: Session, contact: str) -> None:
    """Show one person: who, where in the lifecycle, in which campaigns, which mails."""
    from nurture.engine.people import look_up

    known = look_up(session.database, contact)
    answer(known_data(known), lambda: tell_contact(known, "UTC" if known.contact.zone else _default_zone(session)))


@contacts.command(cls=Command)
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("--reason", default="by hand", metavar="TEXT", help="Noted beside it.")
@yes_option
@pass_session
def suppress(session: Session, addresses: tuple[str, ...], reason: str, yes: bool) -> None:
    """Never mail these addresses again, whether they are known or not."""
    from nurture.engine.people import suppress as suppress_addresses

    confirm(f"Never mail {_listed(addresses)} again?", yes)
    new = suppress_addresses(session.database, addresses, session.clock.now(), reason)
    show(f"{plural(new, 'address is', 'addresses are')} newly suppressed, {len(set(addresses)) - new} were already.")


@contacts.command(cls=Command)
@click.argument("address")
@click.option("--reason", default="by hand", metavar="TEXT", help="Noted beside it.")
@yes_option
@pass_session
def unsuppress(session: Session, address: str, reason: str, yes: bool) -> None:
    """Allow an address to be mailed again.

    For mistakes only: somebody who unsubscribed or complained must ask for it. Consent is not given back by this.
    """
    from nurture.engine.people import unsuppress as unsuppress_address

    confirm(f"Let {printable(address)} be mailed again?", yes)
    if unsuppress_address(session.database, address, session.clock.now(), reason):
        show(f"{printable(address)} is no longer suppressed.")
    else:
        show(f"{printable(address)} was not suppressed; nothing was changed.")


@contacts.command(cls=Command)
@click.argument("contact", required=False)
@click.option("--out", type=click.Path(dir_okay=False, resolve_path=True, path_type=Path), metavar="FILE",
              help="Write to FILE, which only you can read.")  # fmt: skip
@pass_session
def export(session: Session, contact: str | None, out: Path | None) -> None:
    """Hand over what is stored: all about one CONTACT as JSON, or everybody as CSV.

    The JSON is everything there is about that person, table by table. The CSV is safe to open in a spreadsheet.
    """
    database = session.database
    if contact is not None:
        from nurture.engine.people import everything_about

        _write(out, [envelope(everything_about(database, contact)) + "\n"])
        return
    _write(out, _as_csv(session))


@contacts.command(cls=Command)
@click.argument("contact")
@yes_option
@pass_session
def erase(session: Session, contact: str, yes: bool) -> None:
    """Forget one person wholly, and never mail the address again.

    Everything about CONTACT is deleted; a keyed hash of the address stays, so that no import brings it back to life.
    This cannot be undone.
    """
    from nurture.engine.people import erase as erase_person
    from nurture.engine.people import look_up

    database = session.database
    known = look_up(database, contact)
    name = printable(known.contact.email or known.contact.external_id)
    confirm(
        f"Erase {name} (number {known.contact.id}), with {plural(len(known.mails), 'mail')}? It cannot be undone.", yes
    )
    erase_person(database, str(known.contact.id), session.clock.now())
    show(f"{name} is erased and suppressed.")
    say("Copies may be left in backups, in the local inbox and with the relay.")


def _default_zone(session: Session) -> str:
    """The project's zone, for people who have none; UTC while nothing is applied. Compiles the project to know."""
    from nurture.errors import ConfigurationError

    try:
        return session.applied().programme.zone
    except ConfigurationError:
        return "UTC"


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(printable(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


# --- export


def _write(out: Path | None, pieces: Iterator[str] | list[str]) -> None:
    if out is None:
        for piece in pieces:
            click.echo(piece, nl=False)
        return
    import os

    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        for piece in pieces:
            file.write(piece)
    say(f"Written to {out}.")


def _as_csv(session: Session) -> Iterator[str]:
    """Two passes: which attributes there are, then the rows; never more than a page in memory."""
    import io

    from nurture.intake.spreadsheet import write_csv

    names: set[str] = set()
    for page in _pages(session):
        names.update(*(one.attributes for one in page))
    attributes = sorted(names - set(COLUMNS))
    header = [*COLUMNS, "suppressed", *attributes]
    for number, page in enumerate(_pages(session)):
        file = io.StringIO(newline="")
        write_csv(file, header, [_csv_row(one, attributes) for one in page])
        text = file.getvalue()
        yield text if number == 0 else text.partition("\r\n")[2]


def _csv_row(contact: Contact, attributes: list[str]) -> list[Any]:
    data: Mapping[str, Any] = contact_data(contact)
    plain = [data[name].isoformat() if name == "created_at" else data[name] for name in COLUMNS]
    suppressed = contact.suppressed.value if contact.suppressed else None
    return [*plain, suppressed, *(contact.attributes.get(name) for name in attributes)]


def _pages(session: Session) -> Iterator[list[Contact]]:
    from nurture.storage.contacts import search

    after = 0
    while True:
        with session.database.read() as tx:
            page = search(tx, after=after, limit=PAGE)
        yield page
        if len(page) < PAGE:
            return
        after = page[-1].id

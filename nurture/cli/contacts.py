"""`nurture contacts`: look people up, hand over what is stored, stop and forget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.lazy import Command, Group
from nurture.cli.output import (
    answer,
    bad,
    confirm,
    envelope,
    faint,
    plural,
    printable,
    say,
    show,
    strong,
    table,
    when,
)
from nurture.cli.session import Session, json_option, pass_session, yes_option

if TYPE_CHECKING:
    from nurture.domain.contact import Contact
    from nurture.domain.enrolment import Enrolment
    from nurture.engine.people import Known
    from nurture.storage.reports import DeliveryRecord

PAGE = 500
MAILS_SHOWN = 10
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
    answer(known_data(known), lambda: _tell(known, "UTC" if known.contact.zone else _default_zone(session)))


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


# --- data


def contact_data(contact: Contact) -> dict[str, Any]:
    """A contact as plain data, the same in every JSON answer."""
    return {
        "id": contact.id,
        "email": contact.email,
        "external_id": contact.external_id,
        "stage": contact.stage,
        "stage_since": contact.stage_since,
        "consent": contact.consent,
        "opted_out": contact.opted_out,
        "suppressed": contact.suppressed,
        "paused_until": contact.paused_until,
        "zone": contact.zone,
        "locale": contact.locale,
        "attributes": dict(contact.attributes),
        "created_at": contact.created_at,
        "due_at": contact.due_at,
    }


def known_data(known: Known) -> dict[str, Any]:
    return {
        **contact_data(known.contact),
        "suppressed": known.suppression.reason if known.suppression else known.contact.suppressed,
        "stages": [dict(change) for change in known.stages],
        "enrolments": [_enrolment_data(each) for each in known.enrolments],
        "mails": [_mail_data(each) for each in known.mails],
    }


def _enrolment_data(enrolment: Enrolment) -> dict[str, Any]:
    return {
        "campaign": enrolment.campaign,
        "key": enrolment.key,
        "state": enrolment.state,
        "at": enrolment.node,
        "since": enrolment.since,
        "started_at": enrolment.started_at,
        "due_at": enrolment.due_at,
        "held_out": enrolment.held_out,
        "left_by": enrolment.left_by,
        "ended_at": enrolment.ended_at,
        "goal_at": enrolment.goal_at,
    }


def _mail_data(record: DeliveryRecord) -> dict[str, Any]:
    mail = record.delivery
    return {
        "campaign": mail.campaign,
        "step": mail.step,
        "template": mail.template,
        "state": mail.state,
        "reason": record.reason,
        "due_at": mail.due_at,
        "settled_at": record.settled_at,
        "tries": record.tries,
    }


# --- telling


def _default_zone(session: Session) -> str:
    """The project's zone, for people who have none; UTC while nothing is applied. Compiles the project to know."""
    from nurture.errors import ConfigurationError

    try:
        return session.app.applied().programme.zone
    except ConfigurationError:
        return "UTC"


def _tell(known: Known, default_zone: str) -> None:
    from nurture.domain.timing import zone_of

    contact = known.contact
    zone = zone_of(contact.zone, default_zone)
    show(strong(printable(contact.email or contact.external_id or contact.id)) + faint(f"  number {contact.id}"))
    suppressed = known.suppression.reason if known.suppression else contact.suppressed
    facts: list[tuple[str, str]] = [
        ("your id", printable(contact.external_id)) if contact.external_id else ("", ""),
        ("stage", f"{contact.stage or '-'}, since {when(contact.stage_since, zone)}") if contact.stage else ("", ""),
        ("consent", contact.consent.value),
        ("opted out of", ", ".join(sorted(contact.opted_out))),
        ("suppressed", bad(f"{suppressed.value}: never mailed") if suppressed else ""),
        ("paused until", when(contact.paused_until, zone) if contact.paused_until else ""),
        ("zone", contact.zone or f"{zone.key}, the project's"),
        ("locale", contact.locale or ""),
        ("here since", when(contact.created_at, zone)),
        ("next look", when(contact.due_at, zone) if contact.due_at else "when something happens"),
    ]
    facts += [(name, printable(value)) for name, value in sorted(contact.attributes.items())]
    width = max(len(name) for name, _ in facts) + 2
    for name, value in facts:
        if value:
            show(f"  {faint(name.ljust(width))}{value}")
    if known.enrolments:
        show()
        rows = [_enrolment_row(each, zone) for each in known.enrolments]
        show(table(("campaign", "since", "stands at", "goes on"), rows))
    if known.mails:
        show()
        rows = [_mail_row(each, zone) for each in known.mails[-MAILS_SHOWN:]]
        show(table(("mail", "state", "when", "reason"), rows))
        if len(known.mails) > MAILS_SHOWN:
            say(faint(f"and {len(known.mails) - MAILS_SHOWN} older ones; --json has them all"))
    say(faint(f"Times in {zone.key}. Why she got what she got: nurture explain {contact.id}"))


def _enrolment_row(enrolment: Enrolment, zone: Any) -> tuple[str, ...]:
    name = enrolment.campaign + (f" ({enrolment.key})" if enrolment.key else "")
    if enrolment.left_by is not None:
        end = f"left by {enrolment.left_by.value}"
        return (name, when(enrolment.started_at, zone), end, when(enrolment.ended_at, zone))
    stands = (enrolment.node or "-") + (", held out" if enrolment.held_out else "")
    return (name, when(enrolment.started_at, zone), stands, when(enrolment.due_at, zone))


def _mail_row(record: DeliveryRecord, zone: Any) -> tuple[str, ...]:
    mail = record.delivery
    at = record.settled_at or mail.not_before
    return (f"{mail.campaign}/{mail.step}", mail.state.value, when(at, zone), record.reason or "")


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

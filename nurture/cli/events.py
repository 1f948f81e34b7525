"""`nurture events`: tell nurture what somebody did, one event or many."""

from __future__ import annotations

import io
import json
import secrets
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

import click

from nurture.cli.lazy import Command, Group
from nurture.cli.output import answer, bad, plural, printable, say, show, table, when
from nurture.cli.session import Session, json_option, pass_session
from nurture.cli.values import pairs

if TYPE_CHECKING:
    from nurture.domain.incoming import EventSchema
    from nurture.domain.programme import Programme
    from nurture.engine.ingest import IncomingEvent, Ingested
    from nurture.intake.events import Signal
    from nurture.storage.events import StoredEvent

BATCH = 1000
ERRORS_SHOWN = 20
FOLLOW_SECONDS = 1.0


@click.group(cls=Group)
def events() -> None:
    """Tell nurture what somebody did."""


@events.command(cls=Command)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C.")
@json_option
@pass_session
def tail(session: Session, limit: int, follow: bool) -> None:
    """Show the events that came last.

    With --follow each is shown as it comes; as JSON, one a line.
    """
    from nurture.storage.events import latest

    with session.database.read() as tx:
        found = latest(tx, limit=limit)
    if not follow:
        answer({"events": [each.plain() for each in found]}, lambda: _tell_events(found))
        return
    last = 0
    while True:
        for each in found:
            show(json.dumps(each.plain(), default=str) if session.json else _line(each))
            last = each.id
        threading.Event().wait(FOLLOW_SECONDS)
        with session.database.read() as tx:
            found = latest(tx, after=last, limit=1000)


@events.command(cls=Command)
@click.argument("numbers", nargs=-1, type=int)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="NUMBER", help="Only those after this one.")
@click.option("--drop", is_flag=True, help="Throw the numbered ones away.")
@json_option
@pass_session
def quarantine(session: Session, numbers: tuple[int, ...], limit: int, after: int, drop: bool) -> None:
    """Show what came in and could not be taken, and why.

    With numbers, those as they came. They are kept for 30 days; nurture events replay tries them again.
    """
    from nurture.storage.quarantine import count_held, held, release

    if drop:
        if not numbers:
            raise click.UsageError("which? Name their numbers: nurture events quarantine --drop 7 8")
        gone = session.database.transact(lambda tx: release(tx, numbers))
        answer({"dropped": gone}, lambda: show(f"{plural(gone, 'event')} dropped."))
        return
    with session.database.read() as tx:
        found = held(tx, after=after, limit=limit, ids=numbers or None)
        total = count_held(tx)
    data = [
        {"number": each.id, "at": each.at, "source": each.source, "reason": each.reason, "body": each.body}
        for each in found
    ]

    def told() -> None:
        if not found:
            show("Nothing is in quarantine." if not total else "There is nothing with such a number.")
            return
        if numbers:
            for each in found:
                show(f"{each.id}  {when(each.at)}  {each.source}: {printable(each.reason)}\n{printable(each.body)}")
            return
        rows = [(each.id, when(each.at), each.source, printable(each.reason)) for each in found]
        show(table(("number", "came", "by", "why"), rows))
        if total > len(found):
            say(f"{len(found):,} of {total:,}; the next: --after {found[-1].id}")

    answer({"held": data, "total": total}, told)


@events.command(cls=Command)
@click.argument("numbers", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="All that is in quarantine.")
@json_option
@pass_session
def replay(session: Session, numbers: tuple[int, ...], everything: bool) -> None:
    """Try again what is in quarantine, by the rules of today.

    What is taken leaves it; replaying twice changes nothing.
    """
    from nurture.engine.protocols import Replayed
    from nurture.engine.protocols import replay as try_again
    from nurture.storage.quarantine import held

    if bool(numbers) == everything:
        raise click.UsageError("which? Name numbers, or say --all")
    programme = _programme(session)
    result, after = Replayed(), 0
    while True:
        with session.database.read() as tx:
            found = held(tx, after=after, limit=BATCH, ids=None if everything else numbers)
        if not found:
            break
        after = found[-1].id
        done = try_again(session.database, found, session.clock.now(), programme)
        result.taken += done.taken
        result.still += done.still

    def told() -> None:
        show(f"{plural(result.taken, 'event')} taken, {len(result.still):,} still in quarantine.")
        for number, why in result.still[:ERRORS_SHOWN]:
            say(bad(f"{number}: {printable(why)}"))

    problems = [{"severity": "error", "message": f"{number}: {why}"} for number, why in result.still]
    answer({"taken": result.taken, "still": len(result.still)}, told, problems, ok=not result.still)
    if result.still:
        click.get_current_context().exit(1)


def _tell_events(found: Sequence[StoredEvent]) -> None:
    if not found:
        show("No event has come yet. nurture events send tells one.")
    for each in found:
        show(_line(each))


def _line(event: StoredEvent) -> str:
    who = event.email or event.external_id or f"contact {event.contact_id}"
    data = json.dumps(dict(event.properties), ensure_ascii=False, default=str) if event.properties else ""
    told = f"{when(event.at)}  {printable(event.name)}  {printable(who)}  {printable(data[:200])}".rstrip()
    return f"{told}  ({printable(event.source)})"


@events.command(cls=Command)
@click.argument("name", required=False)
@click.option("--email", metavar="ADDRESS", help="Whose event it is, by address.")
@click.option("--id", "external_id", metavar="ID", help="Whose event it is, by your own id.")
@click.option("--with", "with_", multiple=True, metavar="NAME=VALUE", help="Data of the event; may be repeated.")
@click.option("--trait", multiple=True, metavar="NAME=VALUE", help="Something about the person; may be repeated.")
@click.option("--at", metavar="INSTANT", help="When it happened, as 2026-03-28T20:00:00+02:00; now if not given.")
@click.option("--message-id", metavar="ID", help="The event's own id: the same one is taken only once.")
@click.option(
    "--file", type=click.File("r", encoding="utf-8", errors="replace"), metavar="FILE", help="JSON Lines; - is stdin."
)
@json_option
@pass_session
def send(
    session: Session,
    name: str | None,
    email: str | None,
    external_id: str | None,
    with_: tuple[str, ...],
    trait: tuple[str, ...],
    at: str | None,
    message_id: str | None,
    file: TextIO | None,
) -> None:
    """Send one event, or JSON Lines from stdin.

    \b
    nurture events send 'Order Completed' --email ana@example.com --with total=80
    nurture events send < events.jsonl

    A line is {"event": "Order Completed", "email": "ana@example.com", "properties": {"total": 80}}; the names of
    Segment's protocol are understood. A person nobody knew is made. What was told before changes nothing. "zone" and
    "locale", in the line or as traits, are hers: her days and quiet hours go by them.
    """  # noqa: D301 - click's own mark for lines that must not be wrapped
    if name is None or name == "-":
        if file is None and sys.stdin.isatty():
            raise click.UsageError("which event? Name one, or hand JSON Lines over: nurture events send < events.jsonl")
        _send_lines(session, file or io.TextIOWrapper(sys.stdin.buffer, "utf-8", "replace"))
        return
    if file is not None:
        raise click.UsageError("an event by name and --file do not go together")
    from nurture.engine.incoming_webhooks import ill_formed
    from nurture.engine.ingest import ingest
    from nurture.intake.events import SignalError, checked_signal, read_instant

    signal = checked_signal(
        name=name,
        email=email,
        external_id=external_id,
        at=read_instant(at, "--at"),
        properties=pairs(with_, "--with"),
        traits=pairs(trait, "--trait"),
        message_id=message_id,
        place="events send",
    )
    # Typed twice means twice: only a --message-id makes a repeat harmless.
    incoming = _incoming(signal, signal.message_id or f"typed-{secrets.token_hex(12)}")
    programme = _programme(session)
    if programme is not None and (why := ill_formed(programme.schemas, signal.name, signal.properties)):
        raise SignalError(f"{signal.name}: {why}")
    result = ingest(session.database, [incoming], session.clock.now())
    answer(_plain(result), lambda: _tell_one(signal, result))


def _incoming(signal: Signal, message_id: str | None = None) -> IncomingEvent:
    from nurture.engine.ingest import IncomingEvent

    return IncomingEvent(
        name=signal.name,
        at=signal.at,
        properties=signal.properties,
        email=signal.email,
        external_id=signal.external_id,
        message_id=message_id or signal.message_id,
        traits=signal.traits or None,
        zone=signal.zone,
        locale=signal.locale,
    )


def _send_lines(session: Session, source: TextIO) -> None:
    from nurture.engine.ingest import Ingested, ingest
    from nurture.intake.events import Signal, SignalError, read_events

    programme = _programme(session)
    schemas = programme.schemas if programme is not None else {}
    total = Ingested()
    errors: list[str] = []
    refused = 0
    for read in _batches(read_events(_lines(source), str(getattr(source, "name", "stdin")).strip("<>"))):
        batch = [_well_formed(each, schemas) for each in read] if schemas else read
        signals = [each for each in batch if isinstance(each, Signal)]
        result = ingest(session.database, [_incoming(signal) for signal in signals], session.clock.now())
        total.stored += result.stored
        total.duplicates += result.duplicates
        total.created += result.created
        told = [str(each) for each in batch if isinstance(each, SignalError)]
        told += [f"line {signals[place].line}: {why}" for place, why in result.rejected]
        refused += len(told)
        for error in told[: max(ERRORS_SHOWN - len(errors), 0)]:
            errors.append(error)
            say(bad(printable(error)))
    if refused > len(errors):
        say(bad(f"and {plural(refused - len(errors), 'more line')} like these"))
    problems = [{"severity": "error", "message": error} for error in errors]
    answer({**_plain(total), "refused": refused}, lambda: _tell_many(total, refused), problems, ok=not refused)
    if refused:
        click.get_current_context().exit(1)


def _well_formed(read: Signal | Exception, schemas: Mapping[str, EventSchema]) -> Signal | Exception:
    """An event that is not as campaigns/_events.yaml says is the error of its line."""
    from nurture.engine.incoming_webhooks import ill_formed
    from nurture.intake.events import Signal, SignalError

    if not isinstance(read, Signal):
        return read
    why = ill_formed(schemas, read.name, read.properties)
    return SignalError(f"line {read.line}: {why}") if why else read


def _programme(session: Session) -> Programme | None:
    """What is applied, None if nothing is."""
    from nurture.errors import ConfigurationError

    try:
        return session.applied().programme
    except ConfigurationError:
        return None


def _lines(source: TextIO) -> Iterator[str]:
    """Lines of bounded length; a longer one is cut, and refused for its length when it is read."""
    from nurture.intake.events import MAX_LINE

    while line := source.readline(MAX_LINE + 2):
        while not line.endswith("\n") and (rest := source.readline(MAX_LINE + 2)):
            line = line[: MAX_LINE + 1] + ("\n" if rest.endswith("\n") else "")
        yield line


def _batches(read: Iterator[Signal | Exception]) -> Iterator[list[Signal | Exception]]:
    from itertools import islice

    while batch := list(islice(read, BATCH)):
        yield batch


def _plain(result: Ingested) -> dict[str, int]:
    return {"stored": result.stored, "duplicates": result.duplicates, "created": result.created}


def _tell_one(signal: Signal, result: Ingested) -> None:
    who = printable(signal.email or signal.external_id)
    if not result.stored:
        show(f"{signal.name} of {who} was told before; nothing was changed.")
        return
    new = ", a new contact" if result.created else ""
    show(f"{signal.name} of {who}{new}. It is judged at the next turn: nurture run, or nurture run --once.")


def _tell_many(total: Ingested, refused: int) -> None:
    show(
        f"{plural(total.stored, 'event')} stored, {total.duplicates:,} told before, "
        f"{plural(total.created, 'new contact')}, {refused:,} refused."
    )

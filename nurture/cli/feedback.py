"""`nurture feedback`: what came back: bounces, complaints, unsubscribes by mail."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from nurture.cli.lazy import Command, Group
from nurture.cli.output import answer, bad, confirm, plural, printable, say, show, table
from nurture.cli.session import Session, json_option, pass_session, yes_option
from nurture.errors import NurtureError

if TYPE_CHECKING:
    from nurture.engine.feedback import Taken

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: a mail server that pipes to us keeps the mail and comes again
_CHUNK = 1 << 20


@click.group(cls=Group)
def feedback() -> None:
    """Take in what came back: bounces, complaints, unsubscribes."""


@feedback.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option("--recipient", metavar="ADDRESS", help="The address it came to, where the mail server knows it.")
@json_option
@pass_session
def read(session: Session, files: tuple[Path, ...], recipient: str | None) -> None:
    """Read mails that came back, and act on them.

    FILE is a mail, a folder of mails or a Maildir; - is one mail on stdin, as a mail server pipes it. Nothing is
    moved or deleted, and reading a mail twice changes nothing. What cannot be read waits in nurture events quarantine.
    With - the exit code is 75 while the database is away, so that the mail server tries again.
    """
    from nurture.engine.feedback import Effect, take_mail

    is_piped = files == (Path("-"),)
    try:
        programme, keyring = session.applied().programme, session.app.keyring
        found: list[tuple[str, Taken]] = []
        for name, raw in _mails(files):
            now, rule = session.clock.now(), session.app.storm_rule
            taken = take_mail(session.database, keyring, programme, raw, now, recipient, storm=rule)
            found.append((name, taken))
    except NurtureError as error:
        if not is_piped:
            raise
        say(bad(printable(error)))
        sys.exit(TRY_AGAIN)
    counts = Counter(taken.effect.value for _, taken in found)
    data = [
        {"mail": name, "effect": taken.effect.value, "why": taken.why or None, "contact": taken.contact_id}
        for name, taken in found
    ]

    def told() -> None:
        for name, taken in found if len(found) <= 20 else ():
            why = f": {taken.why}" if taken.why else ""
            show(f"{printable(name)}  {taken.effect.value}{printable(why)}")
        show(f"{plural(len(found), 'mail')} read. " + _sum(counts))
        if counts[Effect.QUARANTINED.value]:
            say("nurture events quarantine shows what could not be read.")

    answer({"mails": data, "counts": dict(counts)}, told)


@feedback.command(cls=Command)
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="How far back.")
@json_option
@pass_session
def status(session: Session, days: int) -> None:
    """Say what came back lately, and by which way."""
    from nurture.domain.consent import BOUNCED, COMPLAINED, REFUSED, SOFT_BOUNCED
    from nurture.storage.quarantine import count_held
    from nurture.storage.refusals import paused_domains
    from nurture.storage.returns import count_told

    names = {
        BOUNCED: "addresses that are dead",
        SOFT_BOUNCED: "soft bounces",
        REFUSED: "refused for a fault of ours",
        COMPLAINED: "complaints",
    }
    with session.database.read() as tx:
        counts = count_told(tx, names, session.clock.now() - timedelta(days=days))
        held, paused = count_held(tx), paused_domains(tx)
    rows = [(names[name], source, count) for (name, source), count in sorted(counts.items())]

    def told() -> None:
        if rows:
            show(table(("what", "by", "how many"), rows, frozenset({2})))
        else:
            show(f"Nothing came back in the last {plural(days, 'day')}.")
        for each in paused:
            show(f"{each.domain} is paused: {each.refused} of {each.mails} mails were refused; {printable(each.text)}")
            say(f"  nurture feedback resume {each.domain}")
        if held:
            say(f"{held:,} in quarantine: nurture events quarantine")

    data = [{"event": name, "source": source, "count": count} for (name, source), count in sorted(counts.items())]
    answer({"days": days, "came_back": data, "quarantined": held, "paused": [asdict(each) for each in paused]}, told)


@feedback.command(cls=Command)
@click.argument("domain")
@yes_option
@pass_session
def resume(session: Session, domain: str, yes: bool) -> None:
    """Let mail go on to a mailbox provider that refused us too often.

    Without it, one mail from time to time tries whether it is taken again.
    """
    from nurture.domain.mailbox_providers import provider_of
    from nurture.storage.refusals import end_pause, paused_domains

    provider = provider_of(domain)
    with session.database.read() as tx:
        paused = [each.domain for each in paused_domains(tx)]
    if provider not in paused:
        others = f"; paused are: {', '.join(paused)}" if paused else "; no mailbox provider is paused"
        raise NurtureError(f"mail to {domain} is not paused{others}")
    confirm(f"Let mail go on to {provider}?", yes)
    session.database.transact(lambda tx: end_pause(tx, provider, session.clock.now()))
    show(f"mail to {provider} goes on.")


def _sum(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.most_common()) + "." if counts else ""


def _mails(files: tuple[Path, ...]) -> Iterator[tuple[str, bytes]]:
    for path in files:
        if path == Path("-"):
            yield "stdin", _bounded(sys.stdin.buffer)
        elif path.is_dir():
            inside = [path / "new", path / "cur"] if (path / "cur").is_dir() else [path]
            for each in sorted(one for folder in inside for one in folder.iterdir() if one.is_file()):
                yield each.name, _of_file(each)
        else:
            yield path.name, _of_file(path)


def _of_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_CHUNK)


def _bounded(source: BinaryIO) -> bytes:
    """The beginning; the rest is taken and dropped, for whoever pipes to us would take a closed pipe for a failure."""
    start = source.read(_CHUNK)
    while source.read(_CHUNK):
        pass
    return start

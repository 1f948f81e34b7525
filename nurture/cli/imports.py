"""`nurture import`: contacts from a CSV file. It shows what would happen first, and starts no campaign by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.campaigns import by
from nurture.cli.lazy import Command
from nurture.cli.output import answer, bad, careful, confirm, faint, plural, printable, say, show, strong, table, when
from nurture.cli.session import Session, json_option, pass_session, yes_option

if TYPE_CHECKING:
    from nurture.engine.contact_import import Taken, Wishes
    from nurture.intake.contacts_csv import ContactFile

REJECTS_SHOWN = 10


@click.command("import", cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path))
@click.option("--from", "origin", type=click.Choice(("hubspot", "klaviyo", "listmonk", "mailchimp", "csv")),
              help="Which tool wrote it, where its header does not tell; csv for none.")  # fmt: skip
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="COLUMN=FIELD",
    help="What a column fills: email, stage, ..., an attribute's name ([] behind it: a list), or - for nothing.",
)
@click.option("--consent", metavar="SOURCE", help="Where and how these people agreed to get mail.")
@click.option("--no-consent", is_flag=True, help="They did not agree: only transactional mail.")
@click.option("--enrol", metavar="CAMPAIGN", help="Put all of them into this campaign.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@yes_option
@json_option
@pass_session
def import_(
    session: Session,
    file: Path,
    origin: str | None,
    maps: tuple[str, ...],
    consent: str | None,
    no_consent: bool,
    enrol: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Bring in contacts from a CSV file.

    Exports of Klaviyo, Mailchimp, HubSpot and listmonk are recognised, and so is any file with a header. It is shown
    what each column is taken for and what would happen, then asked. Nobody enters a campaign by being imported, unless
    --enrol names one. An address that unsubscribed, bounced or complained stays as it is.
    """
    from nurture.engine.contact_import import rehearse, take_in, taken_before
    from nurture.intake.columns import remap
    from nurture.intake.contacts_csv import look_at

    if consent is not None and no_consent:
        raise click.UsageError("--consent and --no-consent do not go together")
    source = look_at(file, origin)
    source = replace(source, columns=remap(source.columns, _wishes_of(maps)))
    say(_columns(source))
    if consent is None and not no_consent and not dry_run:
        raise click.UsageError(
            'how did these people agree to get mail? Say it, as in --consent "form on our site, 2024"; '
            "or say --no-consent"
        )
    database = session.database
    wishes = _wishes(session, source, consent, enrol)
    now = session.clock.now()
    if (before := taken_before(database, file)) is not None:
        say(careful(f"This very file was imported before, {when(before)} UTC; again it changes nothing."))
    if dry_run or not yes:
        rehearsed = rehearse(database, source, wishes, now)
        if dry_run:
            data = _plain(source, rehearsed, done=False)
            answer(data, lambda: _tell(rehearsed, wishes, done=False), _problems(rehearsed))
            return
        _tell(rehearsed, wishes, done=False, to=say)
        confirm(f"Import {plural(rehearsed.rows - rehearsed.refused, 'row')}?", yes)
    with _progress(session) as progress:
        taken = take_in(database, source, wishes, now, progress)
    answer(_plain(source, taken, done=True), lambda: _tell(taken, wishes, done=True), _problems(taken))


def _wishes_of(maps: tuple[str, ...]) -> Mapping[str, str]:
    wishes = {}
    for text in maps:
        column, equals, field = text.rpartition("=")
        if not equals or not column or not field:
            raise click.UsageError(
                f'--map is written COLUMN=FIELD, as in --map "Kundennr=external_id"; this is {text!r}'
            )
        wishes[column] = field
    return wishes


def _wishes(session: Session, source: ContactFile, consent: str | None, enrol: str | None) -> Wishes:
    from nurture.engine.contact_import import Wishes
    from nurture.engine.people import unknown_campaign
    from nurture.intake.origins import Target

    stages: dict[str, str] = {}
    if enrol is not None or any(column.target is Target.STAGE for column in source.columns):
        programme = session.applied().programme
        lifecycle = programme.lifecycle
        stages = {name.casefold(): stage for name, stage in lifecycle.aliases.items()}
        stages |= {stage.casefold(): stage for stage in lifecycle.stages}
        if enrol is not None and enrol not in programme.campaigns:
            raise unknown_campaign(programme, enrol)
    return Wishes(consent_source=consent, stages=stages, by=by(), enrol=enrol)


def _columns(source: ContactFile) -> str:
    origin = {"csv": "a CSV file"}.get(source.origin, f"an export of {source.origin.capitalize()}")
    head = f"{strong(source.path.name)}: {origin}, {source.encoding}, columns parted by {source.delimiter!r}"
    status = f"\nSaid of everybody in it: {source.status.value}" if source.status is not None else ""
    used = [column for column in source.columns if not column.is_left_out]
    rows = [(column.header, column.meaning, ", ".join(column.samples)) for column in used]
    left_out = ", ".join(column.header or "(no name)" for column in source.columns if column.is_left_out)
    end = f"\n{faint(f'Left out: {left_out}. --map COLUMN=FIELD takes one in.')}" if left_out else ""
    return f"{head}{status}\n{table(('column', 'is taken for', 'as in'), rows)}{end}"


@contextmanager
def _progress(session: Session) -> Iterator[Callable[[int], None]]:
    import sys

    if session.quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("importing"), TextColumn("{task.completed:,} rows"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rows", total=None)
        yield lambda rows: bar.update(task, completed=rows)


def _plain(source: ContactFile, taken: Taken, done: bool) -> dict[str, Any]:
    data = asdict(taken)
    del data["rejected"]
    return {
        **data,
        "unchanged": taken.unchanged,
        "notes": dict(taken.notes),
        "done": done,
        "from": source.origin,
        "says": source.status.value if source.status is not None else None,
        "columns": {
            column.header: None if column.is_left_out else column.name or column.target.value
            for column in source.columns
        },
    }


def _problems(taken: Taken) -> list[dict[str, Any]]:
    return [
        {"severity": "warning", "line": row.line, "message": row.reason, "text": row.text} for row in taken.rejected
    ]


def _tell(taken: Taken, wishes: Wishes, *, done: bool, to: Callable[[str], None] = show) -> None:
    for row in taken.rejected[:REJECTS_SHOWN]:
        text = f": {printable(row.text[:60])}" if row.text else ""
        to(f"{bad(f'line {row.line}')}  {printable(row.reason)}{text}")
    if taken.refused > REJECTS_SHOWN:
        to(f"and {taken.refused - REJECTS_SHOWN:,} more like these; --json lists the first hundred")
    for note, count in taken.notes.most_common(5):
        to(f"{careful(f'{count:,} times')}  {printable(note)}")
    counts = [(taken.created, "new"), (taken.updated, "changed"), (taken.unchanged, "as they were")]
    counts += [(taken.suppressed, "newly suppressed"), (taken.refused, "refused")]
    listed = ", ".join(f"{count:,} {word}" for count, word in counts)
    to(f"{plural(taken.rows, 'row')} {'imported' if done else 'would be imported'}: {listed}.")
    if taken.clashes:
        to(f"{plural(taken.clashes, 'id')} belonged to somebody else and were left out.")
    if wishes.enrol is not None:
        verb = "enter" if done else "would enter"
        to(f"{plural(taken.enrolled, 'person', 'people')} {verb} {wishes.enrol} at the next turn.")
    else:
        to(faint("No campaign will start by this."))

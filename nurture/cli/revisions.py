"""`nurture revisions`: what was applied, by whom, when, and what it changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from nurture.cli.lazy import Command, Group
from nurture.cli.output import answer, bad, careful, faint, good, printable, show, strong, table, when
from nurture.cli.session import Session, json_option, pass_session
from nurture.errors import NurtureError

if TYPE_CHECKING:
    from nurture.engine.differences import FileChange


@click.group(cls=Group)
def revisions() -> None:
    """See what was applied, when and by whom.

    Go back to an earlier one with nurture apply --revision N.
    """


@revisions.command("list", cls=Command)
@click.option("--last", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@json_option
@pass_session
def list_(session: Session, last: int) -> None:
    """List the revisions, latest first."""
    from nurture.storage.revisions import list_revisions

    with session.database.read() as tx:
        found = list_revisions(tx, last)
    data = [
        {"revision": one.number, "applied_at": one.applied_at, "by": one.by, "files": len(one.files)} for one in found
    ]
    rows = [(one.number, when(one.applied_at), one.by, len(one.files)) for one in found]
    answer(data, lambda: show(table(("revision", "applied (UTC)", "by", "files"), rows, right=frozenset({0, 3}))))


@revisions.command("show", cls=Command)
@click.argument("number", type=int)
@click.option("--file", "path", metavar="PATH", help="Print this file as it was.")
@json_option
@pass_session
def show_(session: Session, number: int, path: str | None) -> None:
    """Show the files of a revision, or one of them whole."""
    from nurture.storage.revisions import revision, sources_of

    with session.database.read() as tx:
        sources = sources_of(tx, number)
        found = revision(tx, number)
    assert found is not None
    if path is not None:
        if path not in sources:
            raise NurtureError(f"revision {number} has no file {path}; nurture revisions show {number} lists them")
        answer({"file": path, "text": sources[path]}, lambda: click.echo(sources[path], nl=False))
        return
    data = {"revision": number, "applied_at": found.applied_at, "by": found.by, "files": dict(found.files)}

    def tell() -> None:
        show(strong(f"revision {number}") + f"  {when(found.applied_at)} UTC by {printable(found.by)}")
        for name in sorted(sources):
            show(f"  {printable(name)}")

    answer(data, tell)


@revisions.command("diff", cls=Command)
@click.argument("before", type=int)
@click.argument("after", type=int, required=False)
@json_option
@pass_session
def diff(session: Session, before: int, after: int | None) -> None:
    """Show what changed between two revisions, or since one until the latest."""
    from nurture.engine.differences import file_changes
    from nurture.engine.revisions import load
    from nurture.language.edits import changes
    from nurture.storage.revisions import latest_number

    with session.database.read() as tx:
        old = load(tx, before)
        new = load(tx, latest_number(tx) if after is None else after)
    semantic = changes(old.programme, new.programme)
    files = file_changes(old.sources, new.sources)
    data = {
        "before": before,
        "after": new.number,
        "changes": [
            {"kind": one.kind, "campaign": one.campaign, "step": one.step, "text": one.text} for one in semantic
        ],
        "files": [{"file": one.path, "kind": one.kind, "lines": one.lines} for one in files],
    }

    def tell() -> None:
        for one in semantic:
            show(f"{strong(one.campaign or 'all campaigns')}: {printable(one.text)}")
        for line in in_lines(files):
            show(line)
        if not files:
            show(f"Revisions {before} and {new.number} have the same files.")

    answer(data, tell)


def in_lines(files: Iterable[FileChange], most: int | None = None) -> list[str]:
    """A text diff for a terminal; of each file at most `most` lines."""
    told = []
    signs = {"added": good("+"), "removed": bad("-"), "changed": careful("~")}
    for file in files:
        told.append(f"{signs[file.kind]} {printable(file.path)} {faint(file.kind)}")
        lines = [] if most is not None and file.kind == "removed" else file.lines
        for line in lines[:most]:
            paint = good if line.startswith("+") else bad if line.startswith("-") else faint
            told.append(f"    {paint(printable(line))}")
        if most is not None and len(lines) > most:
            told.append(faint(f"    {len(lines) - most} more lines"))
    return told

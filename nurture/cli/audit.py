"""`nurture audit`: recount what was promised, from the rows as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from nurture.cli.lazy import Command
from nurture.cli.output import answer, bad, good, plural, printable, show
from nurture.cli.session import Session, json_option, pass_session


@click.command(cls=Command)
@json_option
@pass_session
def audit(session: Session) -> None:
    """Recount the ledger and prove the promises.

    Caps are counted again over every rolling window of every person, and nobody may be stuck. Exits with 1 if a promise
    is broken.
    """
    from nurture.engine.audit import audit as recount

    database, applied = session.database, session.applied()
    with _progress(session) as progress:
        result = recount(database, applied.programme, session.clock.now(), progress)
    findings = [
        {"severity": "error", "rule": one.rule, "contact": one.contact_id, "message": one.text}
        for one in result.findings
    ]

    def tell() -> None:
        counts = {name: number for name, number in result.checked.items() if name in {"contacts", "mails", "windows"}}
        people = plural(counts.get("contacts", 0), "person", "people")
        mails = plural(counts.get("mails", 0), "marketing mail")
        show(f"Recounted {mails} to {people}, in {plural(counts.get('windows', 0), 'window')} of the caps.")
        broken = {one.rule for one in result.findings}
        for rule in ["never one too many", *(name for name in result.checked if name not in counts)]:
            show(f"  {bad('broken') if rule in broken else good('holds ')}  {rule}")
        for one in result.findings:
            show(f"{bad(one.rule)}: contact {one.contact_id}: {printable(one.text)}")
        if result.more:
            show(bad(f"and {plural(result.more, 'more finding')} like these"))

    answer({"holds": result.holds, "checked": result.checked}, tell, findings, ok=result.holds)
    if not result.holds:
        click.get_current_context().exit(1)


@contextmanager
def _progress(session: Session) -> Iterator[Callable[[int], None]]:
    if session.quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("recounting ...") as spinner:
        yield lambda people: spinner.update(f"recounting ... {people:,} people")

"""A bar for long work over many people: on a terminal only, on stderr, and gone when the work is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nurture.cli.session import Session


@contextmanager
def counting(session: Session, doing: str, people: int) -> Iterator[Callable[[int], None]]:
    """Gives a function that is told how many of `people` are done."""
    if session.quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn("people"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("people", total=people)
        yield lambda done: bar.update(task, completed=done)

"""Everybody: the audience of a whole database, in pages by contact id, shared among processes. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context

from nurture.engine.audience import Audience, Outcome, Outcomes, live_mails
from nurture.engine.preview import Mail
from nurture.engine.processes import in_order
from nurture.engine.revisions import Applied, assemble
from nurture.language.source import TEMPLATES
from nurture.rendering.checks import SUBJECT_WARNING
from nurture.rendering.problems import TemplateProblem
from nurture.storage.contacts import count, ids
from nurture.storage.database import Database
from nurture.storage.snapshots import load_snapshots

PAGE = 250  # contacts
FEW = 2_000  # contacts one process has looked at before another has started
NOT_MADE, COMES_OUT_WRONG = "N458", "N459"


@dataclass(frozen=True, slots=True)
class Everybody:
    """What became of every live mail: `outcomes` by its name, in file order; nobody could get a mail without mails."""

    contacts: int
    outcomes: Mapping[str, Outcome]


def everybody(
    database: Database,
    applied: Applied,
    now: datetime,
    *,
    workers: int = 1,
    progress: Callable[[int], None] = lambda _: None,
) -> Everybody:
    """Make every live mail of `applied` for every contact who could get it. `progress` is told how many were looked at.

    How many processes share the work changes nothing but the time it takes.
    """
    outcomes = {name: Outcome() for name in live_mails(applied)}
    looked_at = 0
    for number, page in _looked(database, applied, now, workers):
        looked_at += number
        for name, outcome in page.items():
            outcomes[name].merge(outcome)
        progress(looked_at)
    return Everybody(looked_at, outcomes)


def problems_of(found: Everybody, applied: Applied) -> list[TemplateProblem]:
    """A warning for each template and cause, with how many mails and one contact."""
    mails = live_mails(applied)
    return [problem for name, outcome in found.outcomes.items() for problem in _problems(applied, mails[name], outcome)]


def _problems(applied: Applied, mail: Mail, outcome: Outcome) -> Iterator[TemplateProblem]:
    tried = outcome.mails + outcome.not_made
    for told, why in sorted(outcome.missing.items(), key=lambda each: -each[1].count):
        message = f"{mail.name} cannot be made {_for(why.count, tried, why.contact_id)}: {told}"
        yield _problem(applied, mail, NOT_MADE, message, why.contact_id)
    if long := outcome.too_long:
        message = f"{mail.name} has a subject of more than {SUBJECT_WARNING} characters"
        message += f" {_for(long.count, tried, long.contact_id)}; the longest has {outcome.longest_subject}"
        yield _problem(applied, mail, COMES_OUT_WRONG, message, outcome.longest_for)
    if heavy := outcome.cut_off:
        message = f"Gmail cuts {mail.name} at 102 KB {_for(heavy.count, tried, heavy.contact_id)}"
        message += f"; the heaviest has {outcome.heaviest:,} bytes"
        yield _problem(applied, mail, COMES_OUT_WRONG, message, outcome.heaviest_for)


def _for(count: int, tried: int, contact_id: int) -> str:
    return f"for {count:,} of {tried:,} (contact {contact_id})"


def _problem(applied: Applied, mail: Mail, code: str, message: str, contact_id: int) -> TemplateProblem:
    name = mail.send.template
    file = f"{TEMPLATES}{applied.renderer.draft(name).file}"
    hint = f"look at it: nurture preview {mail.name} --as {contact_id}"
    return TemplateProblem(code, "warning", name, file, 1, message, hint)


Looked = tuple[int, Outcomes]  # how many contacts, and what became of their mails


def _looked(database: Database, applied: Applied, now: datetime, workers: int) -> Iterator[Looked]:
    if workers <= 1 or how_many(database) <= FEW:
        look = _looker(database, applied, now)
        yield from map(look, _pages(database))
        return
    context = get_context("spawn")  # a process that was forked would share locks and connections
    setting = (database.address, dict(applied.sources), now)
    with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=setting) as pool:
        yield from in_order(pool, _work, _pages(database), 4 * workers)


def how_many(database: Database) -> int:
    with database.read() as tx:
        return count(tx)


def _pages(database: Database) -> Iterator[list[int]]:
    """All ids, each page in a transaction of its own: none is held open while mails are made."""
    last = 0
    while True:
        with database.read() as tx:
            page = next(ids(tx, batch=PAGE, after=last), [])
        if not page:
            return
        yield page
        last = page[-1]


def _looker(database: Database, applied: Applied, now: datetime) -> Callable[[Sequence[int]], Looked]:
    audience = Audience(applied, now)
    needs = audience.needs

    def look(page: Sequence[int]) -> Looked:
        with database.read() as tx:
            snapshots = load_snapshots(tx, page, needs, now)
        outcomes: Outcomes = {}
        for snapshot in snapshots:
            audience.look(snapshot, outcomes)
        return len(snapshots), outcomes

    return look


_LOOK: list[Callable[[Sequence[int]], Looked]] = []  # of a worker process


def _begin(address: str, sources: Mapping[str, str], now: datetime) -> None:
    _LOOK[:] = [_looker(Database(address, pool_size=1), assemble(sources), now)]


def _work(page: Sequence[int]) -> Looked:
    return _LOOK[0](page)

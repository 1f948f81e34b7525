"""Contacts from a file into the database: rehearsed or done, chunk by chunk, so that sending goes on between chunks.

An import never starts campaigns by what people are already; `enrol` puts them into one on purpose. Nobody who said no
is made to say yes by a file.
"""

from __future__ import annotations

import gc
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.decide import ENROL
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.intake.contacts_csv import ContactFile, ContactRow, Rejected, read_contacts
from nurture.storage.database import Database, Transaction
from nurture.storage.imports import (
    Imported,
    ImportedContact,
    begin_import,
    end_import,
    import_contacts,
    imported_before,
)
from nurture.storage.suppressions import suppress

CHUNK = 10_000
REJECTS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to take the file in.

    `consent_source` says where and how these people agreed; None: nobody did, whatever the file says. `stages` maps
    every name and alias to a stage of the lifecycle. `enrol` names a campaign they all enter.
    """

    consent_source: str | None
    stages: Mapping[str, str]
    by: str
    enrol: str | None = None


@dataclass(slots=True)
class Taken:
    """What became of the rows. `rejected` holds the first hundred refusals, `notes` count what was left out."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    suppressed: int = 0
    refused: int = 0
    clashes: int = 0
    enrolled: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def unchanged(self) -> int:
        """Rows about people of whom the file says nothing new, and rows that repeat an earlier one."""
        return self.rows - self.created - self.updated - self.refused


class _Rehearsed(Exception):  # noqa: N818 - undoes the transaction of a rehearsal, nothing is wrong
    def __init__(self, imported: Imported, suppressed: int) -> None:
        self.imported = imported
        self.suppressed = suppressed


def taken_before(database: Database, path: Path) -> datetime | None:
    """When these very bytes were imported before, None if never."""
    digest = _digest(path)
    with database.read() as tx:
        return imported_before(tx, digest)


def rehearse(database: Database, source: ContactFile, wishes: Wishes, now: datetime) -> Taken:
    """What importing would do; nothing is changed. Raises UnreadableFile."""
    return _take(database, source, wishes, now, rehearsal=True)


def take_in(
    database: Database,
    source: ContactFile,
    wishes: Wishes,
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> Taken:
    """Import the file. `progress` is told how many rows are done. Importing the same file again changes nothing."""
    number = database.transact(lambda tx: begin_import(tx, source.path.name, _digest(source.path), now, wishes.by))
    with _few_collections():
        taken = _take(database, source, wishes, now, progress, number)
    counts = Imported(taken.created, taken.updated, taken.refused, taken.clashes)
    database.transact(lambda tx: end_import(tx, number, counts, now))
    return taken


@contextmanager
def _few_collections() -> Iterator[None]:
    """Rows make no cycles: looking for some among them, again and again, costs a tenth of an import."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _take(
    database: Database,
    source: ContactFile,
    wishes: Wishes,
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
    number: int = 0,
    *,
    rehearsal: bool = False,
) -> Taken:
    taken = Taken()
    for chunk in _chunks(read_contacts(source)):
        people = []
        for row in chunk:
            taken.rows += 1
            if isinstance(row, ContactRow):
                people.append(row)
            else:
                _refuse(taken, row)
        imported, suppressed = _chunk(database, people, wishes, now, taken, rehearsal=rehearsal)
        taken.created += imported.created
        taken.updated += imported.updated
        taken.clashes += imported.clashes
        taken.refused += imported.refused
        taken.suppressed += suppressed
        if wishes.enrol is not None:
            taken.enrolled += len(people) if rehearsal else _enrol(database, people, wishes.enrol, now, number)
        progress(taken.rows)
    return taken


def _chunks(rows: Iterable[ContactRow | Rejected]) -> Iterator[list[ContactRow | Rejected]]:
    running = iter(rows)
    while chunk := list(islice(running, CHUNK)):
        yield chunk


def _chunk(
    database: Database, people: list[ContactRow], wishes: Wishes, now: datetime, taken: Taken, *, rehearsal: bool
) -> tuple[Imported, int]:
    lines = [
        ImportedContact(
            row.email,
            row.external_id,
            row.attributes,
            row.zone,
            row.locale,
            _stage(row.stage, wishes, taken.notes) if row.stage is not None else None,
            _consent(row, wishes),
            row.consent_at,
        )
        for row in people
    ]
    by_reason: dict[SuppressionReason, list[str]] = {}
    for row in people:
        if row.suppressed is not None and row.email is not None:
            by_reason.setdefault(row.suppressed, []).append(row.email)
    source = wishes.consent_source or "import"

    def work(tx: Transaction) -> tuple[Imported, int]:
        imported = import_contacts(tx, lines, now, source)
        suppressed = sum(suppress(tx, emails, reason, now, source) for reason, emails in by_reason.items())
        if rehearsal:
            raise _Rehearsed(imported, suppressed)
        return imported, suppressed

    try:
        return database.transact(work)
    except _Rehearsed as done:
        return done.imported, done.suppressed


def _stage(name: str, wishes: Wishes, notes: Counter[str]) -> str | None:
    stage = wishes.stages.get(name) or wishes.stages.get(name.casefold())
    if stage is None:
        notes[f"the stage {name[:40]} is not one of ours and was left out"] += 1
    return stage


def _consent(row: ContactRow, wishes: Wishes) -> Consent:
    """Withdrawn is believed always; granted only where it is said how, and never for a suppressed address."""
    if row.consent is Consent.WITHDRAWN:
        return Consent.WITHDRAWN
    if wishes.consent_source is None or row.suppressed is not None:
        return Consent.NONE
    return row.consent if row.consent is not None else Consent.GRANTED


def _enrol(database: Database, people: list[ContactRow], campaign: str, now: datetime, number: int) -> int:
    incoming = [
        IncomingEvent(
            name=ENROL,
            email=row.email,
            external_id=row.external_id,
            properties={"campaign": campaign, "with": {}},
            message_id=f"import-{number}-{row.line}",
            source="import",
        )
        for row in people
    ]
    return ingest(database, incoming, now, trusted=True).stored


def _refuse(taken: Taken, row: Rejected) -> None:
    taken.refused += 1
    if len(taken.rejected) < REJECTS_KEPT:
        taken.rejected.append(row)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

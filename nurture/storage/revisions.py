"""Applied revisions: whole projects, content-addressed, so that every daemon compiles the very same files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as insert_postgres

from nurture.domain.event import NOTHING
from nurture.errors import ConflictError, StorageError
from nurture.storage.database import Transaction
from nurture.storage.tables import blobs, revisions
from nurture.storage.types import among, sql

Moves = Mapping[str, Mapping[str, str | None]]  # campaign -> old node -> where people standing there belong now
_r = revisions.c
_LOCK = 0x6E7572747276


@dataclass(frozen=True, slots=True)
class Revision:
    """`files` maps each path to the SHA-256 of its text."""

    number: int
    applied_at: datetime
    by: str
    files: Mapping[str, str]
    moved: Moves


def store_revision(
    tx: Transaction,
    sources: Mapping[str, str],
    now: datetime,
    by: str,
    *,
    moved: Moves = NOTHING,
    expected: int | None = None,
) -> int:
    """Store a project; its number. Raises ConflictError if the latest is not the `expected` one (0 for none)."""
    if tx.dialect == "postgresql":
        tx.execute(sql("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    before = latest_number(tx)
    if expected is not None and before != expected:
        raise ConflictError(
            f"Revision {before} was applied meanwhile; this was planned against {expected}. Run `nurture plan` again."
        )
    files = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in sorted(sources.items())}
    rows = [{"sha256": files[path], "text": text} for path, text in sorted(sources.items())]
    if rows and tx.dialect == "postgresql":
        tx.execute(insert_postgres(blobs).on_conflict_do_nothing(), rows)
    elif rows:
        tx.execute(insert(blobs).prefix_with("OR IGNORE"), rows)
    tx.execute(
        insert(revisions),
        {"number": before + 1, "applied_at": now, "by": by, "files": files, "moved": moved},
    )
    return before + 1


def latest_number(tx: Transaction) -> int:
    """The number of the latest revision, 0 if nothing was ever applied. Cheap: ask it on every tick."""
    found: int | None = tx.execute(select(_r.number).order_by(_r.number.desc()).limit(1)).scalar()
    return found or 0


def latest(tx: Transaction) -> Revision | None:
    return revision(tx, latest_number(tx))


def revision(tx: Transaction, number: int) -> Revision | None:
    row = tx.execute(select(_r.number, _r.applied_at, _r.by, _r.files, _r.moved).where(_r.number == number)).first()
    return Revision(*row) if row is not None else None


def list_revisions(tx: Transaction, limit: int = 50) -> list[Revision]:
    """Latest first."""
    query = select(_r.number, _r.applied_at, _r.by, _r.files, _r.moved).order_by(_r.number.desc()).limit(limit)
    return [Revision(*row) for row in tx.execute(query)]


def sources_of(tx: Transaction, number: int) -> dict[str, str]:
    """The files of a revision, path -> text. Raises StorageError if there is none, or a text was altered."""
    found = revision(tx, number)
    if found is None:
        raise StorageError(f"There is no revision {number}. `nurture apply` makes one.")
    query = select(blobs.c.sha256, blobs.c.text).where(among(blobs.c.sha256, text=True))
    texts = {row[0]: row[1] for row in tx.execute(query, {"ids": sorted(set(found.files.values()))})}
    sources: dict[str, str] = {}
    for path, digest in found.files.items():
        text = texts.get(digest)
        if text is None or hashlib.sha256(text.encode()).hexdigest() != digest:
            raise StorageError(
                f"Revision {number} is damaged: {path} is missing or was altered. Apply the files again."
            )
        sources[path] = text
    return sources

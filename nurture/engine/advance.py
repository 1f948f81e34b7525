"""Turns: whoever is due is decided, in batches, each batch one transaction.

Model: claim (lock) -> load snapshots -> `domain.decide` for each -> write all effects -> commit.
Failure: an error about one person must not hold up the others. She alone is put off for an hour, with a fact that says
why.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from nurture.domain.decide import decide
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.needs import SnapshotNeeds
from nurture.domain.programme import Programme
from nurture.domain.snapshot import Snapshot, Turn
from nurture.storage.database import Database, Transaction
from nurture.storage.queue import claim_due
from nurture.storage.snapshots import load_snapshots
from nurture.storage.turns import write_turns

BATCH = 200
PUT_OFF = timedelta(hours=1)


@dataclass(slots=True)
class Advanced:
    """How many contacts had a turn, and what went wrong with whom: (contact id, error)."""

    turns: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)


def advance(
    database: Database, programme: Programme, needs: SnapshotNeeds, now: datetime, limit: int = BATCH
) -> Advanced:
    """Give up to `limit` due contacts their turn. None due: zero turns, and nothing was written."""
    return database.transact(lambda tx: _advance(tx, programme, needs, now, limit))


def _advance(tx: Transaction, programme: Programme, needs: SnapshotNeeds, now: datetime, limit: int) -> Advanced:
    ids = claim_due(tx, now, limit)
    if not ids:
        return Advanced()
    snapshots = load_snapshots(tx, ids, needs, now)
    advanced = Advanced(turns=len(snapshots))
    decided = [(snapshot, _decide(programme, snapshot, now, advanced)) for snapshot in snapshots]
    write_turns(tx, decided, now, programme.revision)
    return advanced


def _decide(programme: Programme, snapshot: Snapshot, now: datetime, advanced: Advanced) -> Turn:
    try:
        return decide(programme, snapshot, now)
    except Exception as error:  # noqa: BLE001 - one person's odd data must not stop everybody's mail
        told = f"{type(error).__name__}: {error}"
        advanced.failures.append((snapshot.contact.id, told))
        return _put_off(snapshot, told, now)


def _put_off(snapshot: Snapshot, told: str, now: datetime) -> Turn:
    """Nothing of hers is touched; she is due again later, when the file or the programme may have been mended."""
    contact = replace(snapshot.contact, due_at=now + PUT_OFF)
    return Turn(contact=contact, facts=[Fact(now, FactKind.FAILED, Reason.ERROR, detail={"error": told[:500]})])

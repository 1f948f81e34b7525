"""Turns: whoever is due is decided, in batches, each batch one transaction.

Model: claim (lock) -> load snapshots -> `domain.decide` for each -> write all effects -> commit.
Failure: an error about one person must not hold up the others. She alone is put off for an hour, with a fact that says
why. That holds for effects the database refuses, too: then each person's are written for themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from nurture.domain.decide import decide
from nurture.domain.ledger import failure
from nurture.domain.needs import SnapshotNeeds
from nurture.domain.programme import Programme
from nurture.domain.snapshot import Snapshot, Turn
from nurture.storage.contacts import get_many
from nurture.storage.database import Database, Transaction
from nurture.storage.faults import DatabaseFault, Fault
from nurture.storage.queue import claim_due
from nurture.storage.snapshots import load_snapshots
from nurture.storage.turns import write_turns

BATCH = 500
PUT_OFF = timedelta(hours=1)

Decided = tuple[Snapshot, Turn]


@dataclass(slots=True)
class Advanced:
    """How many contacts had a turn, and what went wrong with whom: (contact id, error).

    `claimed` counts queue entries taken, also those of people who are gone: none means that nobody is due. `planned`
    counts the mails that may go now.
    """

    turns: int = 0
    claimed: int = 0
    planned: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)


def advance(
    database: Database,
    programme: Programme,
    needs: SnapshotNeeds,
    now: datetime,
    limit: int = BATCH,
    *,
    newest: bool = False,
) -> Advanced:
    """Give up to `limit` due contacts their turn, the `newest` or those who have waited longest.

    None due: zero turns, and nothing was written.
    """
    return database.transact(lambda tx: _advance(tx, programme, needs, now, limit, newest))


def _advance(
    tx: Transaction, programme: Programme, needs: SnapshotNeeds, now: datetime, limit: int, newest: bool
) -> Advanced:
    ids = claim_due(tx, now, limit, newest=newest)
    if not ids:
        return Advanced()
    advanced = Advanced(claimed=len(ids))
    decided = _decided(tx, ids, programme, needs, now, advanced)
    advanced.turns = len(decided)
    advanced.planned = sum(len(turn.deliveries) for _, turn in decided)
    try:
        _write(tx, decided, now, programme.revision)
    except Exception as error:
        if not _is_about_a_row(error):
            raise
        _write_one_by_one(tx, decided, now, programme.revision, advanced)
    return advanced


def _decided(
    tx: Transaction,
    ids: Sequence[int],
    programme: Programme,
    needs: SnapshotNeeds,
    now: datetime,
    advanced: Advanced,
) -> list[Decided]:
    try:
        snapshots = load_snapshots(tx, ids, needs, now)
    except (KeyError, TypeError, ValueError) as error:  # a row that this version of ours cannot read
        if len(ids) > 1:
            return [each for id_ in ids for each in _decided(tx, [id_], programme, needs, now, advanced)]
        unread = [Snapshot(contact) for contact in get_many(tx, ids).values()]
        return [(snapshot, _put_off(snapshot, error, now, advanced)) for snapshot in unread]
    return [(snapshot, _decide(programme, snapshot, now, advanced)) for snapshot in snapshots]


def _decide(programme: Programme, snapshot: Snapshot, now: datetime, advanced: Advanced) -> Turn:
    try:
        return decide(programme, snapshot, now)
    except Exception as error:  # noqa: BLE001 - one person's odd data must not stop everybody's mail
        return _put_off(snapshot, error, now, advanced)


def _write(tx: Transaction, decided: Sequence[Decided], now: datetime, revision: int) -> None:
    with tx.savepoint():
        write_turns(tx, decided, now, revision)


def _write_one_by_one(
    tx: Transaction, decided: Sequence[Decided], now: datetime, revision: int, advanced: Advanced
) -> None:
    for snapshot, turn in decided:
        try:
            _write(tx, [(snapshot, turn)], now, revision)
        except Exception as error:
            if not _is_about_a_row(error):
                raise
            _write(tx, [(snapshot, _put_off(snapshot, error, now, advanced))], now, revision)


def _is_about_a_row(error: Exception) -> bool:
    """Whether other rows may well be written; a database that is busy, full or gone takes none of them."""
    if not isinstance(error, DatabaseFault):
        return True
    return error.fault in {Fault.DUPLICATE, Fault.INVALID, Fault.OTHER}


def _put_off(snapshot: Snapshot, error: Exception, now: datetime, advanced: Advanced) -> Turn:
    """Nothing of hers is touched; she is due again later, when the file or the programme may have been mended."""
    fact = failure(now, error)
    advanced.failures.append((snapshot.contact.id, fact.detail["error"]))
    contact = replace(snapshot.contact, due_at=now + PUT_OFF)
    return Turn(contact=contact, facts=[fact], put_off=True)

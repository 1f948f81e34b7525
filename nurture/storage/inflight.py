"""People in flight when a revision changes: where they stand, and the few things an apply may do to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, literal, select, update

from nurture.storage.database import Transaction
from nurture.storage.queue import insert_due, wake
from nurture.storage.tables import contacts, due, enrolments
from nurture.storage.types import UTCDateTime, sql

FEW = 10_000  # so many have their turn at once; more are spread
SLICES = 60


def reschedule(tx: Transaction, times: Sequence[tuple[int, int, datetime]], now: datetime) -> None:
    """Give waiting enrolments another time: (contact id, seq, when). Their people have a turn to take note of it."""
    if not times:
        return
    statement = (
        update(enrolments)
        .where(enrolments.c.contact_id == bindparam("contact"), enrolments.c.seq == bindparam("number"))
        .values(due_at=bindparam("at"))
    )
    tx.execute(statement, [{"contact": contact, "number": seq, "at": at} for contact, seq, at in times])
    wake(tx, [contact for contact, _, _ in times], now)


def wake_everyone(tx: Transaction, now: datetime, spread: timedelta) -> int:
    """Let every contact have a turn: at once if they are few, else spread evenly; how many."""
    number = int(tx.execute(select(func.count()).select_from(contacts)).scalar_one())
    slices = 1 if number <= FEW else SLICES
    for part in range(slices):
        at = literal(now + spread * part / slices, UTCDateTime())
        chosen = select(at, contacts.c.id).where(sql("contacts.id % :slices = :part"))
        tx.execute(
            insert_due(tx).from_select([due.c.at.name, due.c.contact_id.name], chosen), {"slices": slices, "part": part}
        )
    return number

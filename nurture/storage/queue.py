"""The queue: who is due, and how to make her so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.sql.dml import Insert as InsertStatement

from nurture.storage.bulk import Insert, Query
from nurture.storage.database import Transaction
from nurture.storage.tables import ACTIVE, READY, SHUT, UNPROCESSED, deliveries, due, enrolments, events
from nurture.storage.types import BigId, among, sql

# One lock on the queue row and one on the contact, neither ever waited for: claims cannot collide or deadlock. The
# contact's is the weakest that keeps other turns out; it does not hold up events that refer to her.
_CLAIM_POSTGRES = """
    WITH picked AS (
        SELECT due.at, due.contact_id FROM due JOIN contacts ON contacts.id = due.contact_id
        WHERE due.at <= :now ORDER BY due.at {way}, due.contact_id {way} LIMIT :limit
        FOR UPDATE OF due SKIP LOCKED FOR NO KEY UPDATE OF contacts SKIP LOCKED
    )
    DELETE FROM due USING picked WHERE due.at = picked.at AND due.contact_id = picked.contact_id
    RETURNING due.contact_id
"""
_CLAIM_OLDEST, _CLAIM_NEWEST = (sql(_CLAIM_POSTGRES.format(way=way)) for way in ("ASC", "DESC"))

INSERT_DUE = Insert(due, ("at", "contact_id"), conflict="DO NOTHING")
_due_now = select(due.c.at, due.c.contact_id).where(sql("at <= :now")).limit(bindparam("limit", type_=BigId))
_OLDEST = Query(_due_now.order_by(due.c.at, due.c.contact_id))
_NEWEST = Query(_due_now.order_by(due.c.at.desc(), due.c.contact_id.desc()))
_DELETE_OLDEST = sql("DELETE FROM due WHERE (at, contact_id) <= (:until, :last)")
_DELETE_NEWEST = sql("DELETE FROM due WHERE (at, contact_id) >= (:until, :last) AND at <= :now")


def claim_due(tx: Transaction, now: datetime, limit: int, *, newest: bool = False) -> list[int]:
    """Take up to `limit` queue rows that are due and hold their contacts until the transaction ends; their ids.

    Those who have waited longest, or the `newest`: behind a backlog, whoever was told of just now is among them.
    No lease: the rows come back by themselves if the transaction dies. Ids are unique, and in ascending order.
    """
    if tx.dialect == "postgresql":
        return sorted(
            {row[0] for row in tx.execute(_CLAIM_NEWEST if newest else _CLAIM_OLDEST, {"now": now, "limit": limit})}
        )
    rows = (_NEWEST if newest else _OLDEST)(tx, now=now, limit=limit)
    if not rows:
        return []
    at, contact_id = rows[-1]
    if newest:
        tx.execute(_DELETE_NEWEST, {"until": at, "last": contact_id, "now": now})
    else:
        tx.execute(_DELETE_OLDEST, {"until": at, "last": contact_id})
    return sorted({row[1] for row in rows})


def wake(tx: Transaction, contact_ids: Iterable[int], now: datetime) -> None:
    """Let these contacts have a turn as soon as possible; waking twice is harmless."""
    INSERT_DUE(tx, [(now, contact_id) for contact_id in sorted(set(contact_ids))])


def insert_due(tx: Transaction) -> InsertStatement:
    """Insert into the queue unless the row is there."""
    if tx.dialect == "postgresql":
        return insert_postgres(due).on_conflict_do_nothing()
    return insert(due).prefix_with("OR IGNORE")


def wake_campaigns(tx: Transaction, campaigns: Sequence[str], now: datetime) -> int:
    """Wake everybody who is inside one of these campaigns; how many."""
    inside = tx.execute(
        select(enrolments.c.contact_id).where(sql(ACTIVE), among(enrolments.c.campaign, text=True)).distinct(),
        {"ids": list(campaigns)},
    ).scalars()
    ids = list(inside)
    wake(tx, ids, now)
    return len(ids)


def wake_unprocessed(tx: Transaction, contact_ids: Sequence[int], now: datetime) -> None:
    """Wake those among the contacts that have events no turn has seen."""
    left = tx.execute(
        select(events.c.contact_id).where(among(events.c.contact_id), sql(UNPROCESSED)).distinct(),
        {"ids": contact_ids},
    ).scalars()
    wake(tx, left, now)


def next_instant(tx: Transaction) -> datetime | None:
    """When the next contact or mail is due; None when nothing waits for time."""
    ready = select(func.min(deliveries.c.not_before)).where(sql(READY))
    found = [tx.execute(select(func.min(due.c.at))).scalar(), tx.execute(ready).scalar()]
    return min((at for at in found if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whether there is anything to do now: contacts to decide, mails to send, calls to make."""

    turns: bool
    mails: bool
    calls: bool


def waiting(tx: Transaction, now: datetime) -> Waiting:
    """One cheap look, so that a tick that finds nothing writes nothing."""
    found = tx.execute(_WAITING, {"now": now}).one()
    return Waiting(bool(found[0]), bool(found[1]), bool(found[2]))


_WAITING = sql(f"""
    SELECT EXISTS (SELECT 1 FROM due WHERE at <= :now),
           NOT {SHUT} AND EXISTS (SELECT 1 FROM deliveries WHERE {READY} AND not_before <= :now),
           NOT {SHUT} AND EXISTS (SELECT 1 FROM outgoing WHERE next_at IS NOT NULL AND next_at <= :now)
""")  # noqa: S608 - put together from constants

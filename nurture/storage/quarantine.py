"""What came in and could not be taken, kept as it came until somebody looks, replays or drops it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, or_, select

from nurture.storage.database import Transaction
from nurture.storage.tables import quarantine, replies

_q, _r = quarantine.c, replies.c
MOST_BODY = 32 << 10
MOST_ROWS = 100_000  # hostile input is bounded: the oldest go first
_SWEEP = 1000


@dataclass(frozen=True, slots=True)
class Held:
    """One thing in quarantine. `body` is JSON text as it came, cut at 32 KiB; `id` and `at` once it is stored."""

    source: str
    reason: str
    body: str
    id: int = 0
    at: datetime | None = None


def keep(tx: Transaction, held: Sequence[Held], now: datetime) -> None:
    """Store them, each with its reason."""
    rows = [
        {"at": now, "source": each.source, "reason": each.reason[:500], "body": _storable(each.body)} for each in held
    ]
    if not rows:
        return
    tx.execute(insert(quarantine), rows)
    newest = tx.execute(select(func.max(_q.id))).scalar_one()
    if newest % _SWEEP < len(rows):
        tx.execute(delete(quarantine).where(_q.id <= newest - MOST_ROWS))


def held(tx: Transaction, *, after: int = 0, limit: int = 50, ids: Iterable[int] | None = None) -> list[Held]:
    """In the order they came, from behind `after`, or just those."""
    query = select(_q.source, _q.reason, _q.body, _q.id, _q.at).where(_q.id > after).order_by(_q.id).limit(limit)
    if ids is not None:
        query = query.where(_q.id.in_(list(ids)))
    return [Held(*row) for row in tx.execute(query)]


def count_held(tx: Transaction) -> int:
    return int(tx.execute(select(func.count()).select_from(quarantine)).scalar_one())


def release(tx: Transaction, ids: Iterable[int]) -> int:
    """Take these out; how many there were."""
    return tx.execute(delete(quarantine).where(_q.id.in_(list(ids)))).rowcount


def release_about(tx: Transaction, names: Iterable[str]) -> None:
    """Drop everything that mentions one of these: an address, an id. For erasure; kept answers go too."""
    wanted = sorted(set(names))
    if wanted:
        for body, table in ((_q.body, quarantine), (_r.body, replies)):
            tx.execute(
                delete(table).where(or_(*(func.lower(body).contains(name.lower(), autoescape=True) for name in wanted)))
            )


def forget_held(tx: Transaction, before: datetime) -> int:
    """Retention."""
    return tx.execute(delete(quarantine).where(_q.at < before)).rowcount


def _storable(text: str) -> str:
    return text[:MOST_BODY].replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()

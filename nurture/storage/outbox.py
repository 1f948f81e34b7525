"""Webhook calls and alerts on their way out: at least once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select, update

from nurture.storage.controls import sending_is_shut
from nurture.storage.database import Transaction
from nurture.storage.tables import outgoing
from nurture.storage.types import among

_o = outgoing.c


@dataclass(frozen=True, slots=True)
class Call:
    """`id` is the receiver's key for telling repeats; `tries` counts this one."""

    id: int
    contact_id: int
    kind: str
    name: str
    at: datetime
    payload: Mapping[str, Any]
    tries: int


def claim_calls(tx: Transaction, now: datetime, limit: int, hide_for: timedelta) -> list[Call]:
    """Calls to make now, none while sending is stopped. Those nobody reports on come back after `hide_for`."""
    if sending_is_shut(tx):
        return []
    query = select(_o.id).where(_o.next_at <= now).order_by(_o.next_at, _o.id).limit(limit)
    if tx.dialect == "postgresql":
        query = query.with_for_update(skip_locked=True)
    ids = list(tx.execute(query).scalars())
    if not ids:
        return []
    rows = tx.execute(
        update(outgoing)
        .where(among(_o.id))
        .values(next_at=now + hide_for, tries=_o.tries + 1)
        .returning(_o.id, _o.contact_id, _o.kind, _o.name, _o.at, _o.payload, _o.tries),
        {"ids": ids},
    )
    return sorted((Call(*row) for row in rows), key=lambda call: call.id)


def finish_call(tx: Transaction, call_id: int, now: datetime) -> None:
    tx.execute(update(outgoing).where(_o.id == call_id).values(next_at=None, done_at=now, error=None))


def fail_call(tx: Transaction, call_id: int, error: str, again_at: datetime | None) -> None:
    """It went wrong: try again at `again_at`, or give it up (None)."""
    tx.execute(update(outgoing).where(_o.id == call_id).values(next_at=again_at, error=error[:500]))


# --- what an operator sees


@dataclass(frozen=True, slots=True)
class Standing:
    """Calls of one name: waiting, taken, and given up."""

    waiting: int = 0
    taken: int = 0
    failed: int = 0


def standing_by_name(tx: Transaction, kinds: Iterable[str]) -> dict[str, Standing]:
    """How the calls of these kinds stand, by name."""
    counts = tx.execute(
        select(
            _o.name,
            func.count(_o.next_at),
            func.count(_o.done_at),
            func.sum(case((_o.next_at.is_(None) & _o.done_at.is_(None), 1), else_=0)),
        )
        .where(_o.kind.in_(list(kinds)))
        .group_by(_o.name)
    )
    return {row[0]: Standing(row[1], row[2], int(row[3])) for row in counts}


@dataclass(frozen=True, slots=True)
class Failed:
    """A call that was given up, and what went wrong last."""

    id: int
    name: str
    at: datetime
    tries: int
    error: str


def given_up(tx: Transaction, kinds: Iterable[str], *, name: str | None = None, limit: int = 50) -> list[Failed]:
    """The last ones, newest first."""
    query = (
        select(_o.id, _o.name, _o.at, _o.tries, func.coalesce(_o.error, ""))
        .where(_o.kind.in_(list(kinds)), _o.next_at.is_(None), _o.done_at.is_(None))
        .order_by(_o.id.desc())
        .limit(limit)
    )
    return [Failed(*row) for row in tx.execute(query if name is None else query.where(_o.name == name))]


def call_again(
    tx: Transaction, kinds: Iterable[str], now: datetime, *, ids: Iterable[int] = (), name: str | None = None
) -> int:
    """Try given-up calls anew, those with these ids or all of one name; how many. Their ids stay as they are."""
    change = update(outgoing).where(_o.kind.in_(list(kinds)), _o.next_at.is_(None), _o.done_at.is_(None))
    change = change.where(_o.name == name) if name is not None else change.where(_o.id.in_(list(ids)))
    return tx.execute(change.values(next_at=now, tries=0)).rowcount

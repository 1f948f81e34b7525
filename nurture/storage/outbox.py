"""Webhook calls and alerts on their way out: at least once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

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

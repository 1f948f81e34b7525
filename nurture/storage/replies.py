"""Answers that were given to requests with an Idempotency-Key, for those who ask again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgres

from nurture.storage.database import Transaction
from nurture.storage.tables import replies

_r = replies.c
ABANDONED = timedelta(minutes=1)  # whoever worked on it is dead: what she did was one transaction, or nothing


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: who asks, where, by which Idempotency-Key, and the hash of what."""

    api_key: str
    route: str
    idempotency_key: str
    request: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered. `status` None: somebody is at it. `fits`: it is the same request."""

    status: int | None
    body: str
    fits: bool


def begin(tx: Transaction, asked: Asked, now: datetime) -> Reply | None:
    """None: it is ours to answer now. Otherwise what was answered, or that it is being worked on."""
    tx.execute(delete(replies).where(_is(asked), _r.status.is_(None), _r.at < now - ABANDONED))
    row = {
        "api_key": asked.api_key,
        "route": asked.route,
        "idempotency_key": asked.idempotency_key,
        "request": asked.request,
        "at": now,
    }
    if tx.dialect == "postgresql":
        taken = tx.execute(insert_postgres(replies).on_conflict_do_nothing().returning(_r.at), row).first()
    else:
        taken = tx.execute(insert(replies).prefix_with("OR IGNORE").returning(_r.at), row).first()
    if taken is not None:
        return None
    status, body, request = tx.execute(select(_r.status, _r.body, _r.request).where(_is(asked))).one()
    return Reply(status, body or "", request == asked.request)


def finish(tx: Transaction, asked: Asked, status: int, body: str) -> None:
    tx.execute(update(replies).where(_is(asked)).values(status=status, body=body))


def abandon(tx: Transaction, asked: Asked) -> None:
    """It was refused: the same key may ask for something better."""
    tx.execute(delete(replies).where(_is(asked), _r.status.is_(None)))


def forget_replies(tx: Transaction, before: datetime) -> int:
    """Retention."""
    return tx.execute(delete(replies).where(_r.at < before)).rowcount


def _is(asked: Asked) -> ColumnElement[bool]:
    return and_(_r.api_key == asked.api_key, _r.route == asked.route, _r.idempotency_key == asked.idempotency_key)

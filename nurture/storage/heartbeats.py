"""The daemons that share a database, by the signs of life they leave in it: marks, few and small and short-lived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from nurture.storage.database import Transaction
from nurture.storage.duties import mark
from nurture.storage.tables import marks

PREFIX = "daemon:"
SILENT_AFTER = timedelta(minutes=2)  # four beats missed
FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a daemon said of itself when it was last heard: host, process, roles, revision, what it has in hand."""

    owner: str
    at: datetime
    said: Mapping[str, Any]

    def is_alive(self, now: datetime) -> bool:
        return now - self.at <= SILENT_AFTER


def beat(tx: Transaction, owner: str, said: Mapping[str, Any], now: datetime) -> None:
    """I am here. Those not heard of for an hour are forgotten."""
    old = marks.c.name.startswith(PREFIX, autoescape=True), marks.c.at < now - FORGOTTEN_AFTER
    tx.execute(delete(marks).where(*old))
    mark(tx, PREFIX + owner, said, now)


def leave(tx: Transaction, owner: str, now: datetime) -> None:
    """An orderly end: nobody need wonder where it is."""
    mark(tx, PREFIX + owner, None, now)


def heartbeats(tx: Transaction) -> list[Heartbeat]:
    """Every daemon heard of in the last hour, by name."""
    c = marks.c
    rows = tx.execute(select(c.name, c.at, c.value).where(c.name.startswith(PREFIX, autoescape=True)).order_by(c.name))
    return [Heartbeat(name.removeprefix(PREFIX), at, value) for name, at, value in rows]

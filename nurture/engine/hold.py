"""Hold: when clock or database are not what they were, nothing is decided and nothing leaves until somebody says so.

A daemon leaves a mark of life in the database. One that starts and finds a mark from its future, or a backup that was
put back, cannot know what has been mailed since: it must not guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from nurture.storage.backup import backup
from nurture.storage.controls import stop_gates
from nurture.storage.database import Database, Transaction
from nurture.storage.duties import mark, marked
from nurture.storage.heartbeats import beat
from nurture.storage.tables import HOLD

ALIVE = "alive"
BACKUP = "backup"
CLOCK_TOLERANCE = timedelta(seconds=60)
NOTABLE_DOWNTIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Awakening:
    """How a daemon finds its database: on hold (and why), or after so long a time without any daemon."""

    held: str | None
    down_for: timedelta


def awaken(database: Database, now: datetime) -> Awakening:
    """Look at the marks; a mark from the future puts the database on hold."""
    with database.read() as tx:
        why, alive = _why(marked(tx, HOLD)), _at(marked(tx, ALIVE))
    if why is None and alive is not None and alive > now + CLOCK_TOLERANCE:
        why = f"the clock says {now:%Y-%m-%d %H:%M:%S} UTC, but a daemon was alive at {alive:%Y-%m-%d %H:%M:%S} UTC"
        put_on_hold(database, why, now)
    return Awakening(why, max(now - alive, timedelta()) if alive is not None else timedelta())


def put_on_hold(database: Database, why: str, now: datetime) -> None:
    """Every daemon stops sending at its next gate, and deciding at its next tick."""

    def work(tx: Transaction) -> None:
        stop_gates(tx)
        mark(tx, HOLD, {"why": why, "since": now.isoformat()}, now)

    database.transact(work)


def why_held(database: Database) -> str | None:
    """Why nothing moves; None when everything does."""
    with database.read() as tx:
        return hold_of(tx)


def hold_of(tx: Transaction) -> str | None:
    """As `why_held`, inside a transaction."""
    return _why(marked(tx, HOLD))


def last_sign(tx: Transaction) -> tuple[datetime | None, str | None]:
    """When any daemon was last heard, and what the relay had said to it if it took no mail."""
    found = marked(tx, ALIVE)
    return _at(found), found.get("relay") if found is not None else None


def back_up(database: Database, target: Path, now: datetime) -> Path:
    """Copy a SQLite database while it is in use. The copy is on hold: whoever starts it later must know what it is."""
    made = backup(database, target)
    with Database(f"sqlite:///{made}", address_secret=database.address_secret) as copy:
        put_on_hold(copy, f"this is the backup of {now:%Y-%m-%d %H:%M} UTC, and mail may have gone since", now)
    database.transact(lambda tx: mark(tx, BACKUP, {"at": now.isoformat()}, now))
    return made


def last_backup(database: Database) -> datetime | None:
    """When `back_up` last made a copy of this database."""
    with database.read() as tx:
        return _at(marked(tx, BACKUP))


def release(database: Database, now: datetime) -> None:
    """Somebody has looked and says that it is right to go on. What has grown too late is skipped, not sent."""

    def work(tx: Transaction) -> None:
        mark(tx, HOLD, None, now)
        mark(tx, ALIVE, {"at": now.isoformat()}, now)

    database.transact(work)


def sign_of_life(
    database: Database, now: datetime, relay_trouble: str | None = None, said: Mapping[str, Any] | None = None
) -> None:
    """Once in a while, so that the next start knows how long nobody was here, and `status` how the relay is.

    `said` is what this daemon tells of itself, `owner` among it.
    """
    trouble = {"relay": relay_trouble} if relay_trouble is not None else {}

    def work(tx: Transaction) -> None:
        mark(tx, ALIVE, {"at": now.isoformat(), **trouble}, now)
        if said is not None:
            beat(tx, said["owner"], said, now)

    database.transact(work)


def _why(found: Mapping[str, Any] | None) -> str | None:
    return str(found.get("why", "")) if found is not None else None


def _at(found: Mapping[str, Any] | None) -> datetime | None:
    return datetime.fromisoformat(found["at"]) if found is not None else None

"""What daemons share: single duties, the state of relays, marks on the database itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from nurture.errors import StorageError
from nurture.storage.addresses import address_hash
from nurture.storage.database import Transaction
from nurture.storage.tables import duties, marks, relay_state
from nurture.storage.types import sql

ADDRESS_MARK = "address_secret"


@dataclass(frozen=True, slots=True)
class RelayState:
    """What all daemons know of a relay; hand `version` back when writing."""

    state: Mapping[str, Any]
    version: int
    updated_at: datetime | None


def hold_duty(tx: Transaction, name: str, owner: str, now: datetime, lease: timedelta) -> bool:
    """True if `owner` has this duty until the lease ends: it had it already, or nobody does."""
    values: dict[str, Any] = {"until": now + lease, "now": now}
    end = ":until"
    if tx.database.leases_by_server:
        values, end = {"lease": lease.total_seconds()}, "clock_timestamp() + make_interval(secs => :lease)"
    taken = tx.execute(
        sql(
            f"INSERT INTO duties (name, owner, until) VALUES (:name, :owner, {end}) "  # noqa: S608
            "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until "
            f"WHERE duties.owner = excluded.owner OR duties.until <= {tx.lease_clock} RETURNING owner"
        ),
        {"name": name, "owner": owner, **values},
    )
    return taken.first() is not None


def leave_duty(tx: Transaction, name: str, owner: str) -> None:
    tx.execute(delete(duties).where(duties.c.name == name, duties.c.owner == owner))


def relay(tx: Transaction, name: str) -> RelayState:
    """The shared state of a relay; empty with version 0 if nobody wrote one."""
    c = relay_state.c
    row = tx.execute(select(c.state, c.version, c.updated_at).where(c.relay == name)).first()
    return RelayState(*row) if row is not None else RelayState({}, 0, None)


def relays(tx: Transaction) -> Mapping[str, Mapping[str, Any]]:
    """Relay -> its shared state, for all that were ever written of."""
    return {row[0]: row[1] for row in tx.execute(select(relay_state.c.relay, relay_state.c.state))}


def write_relay(tx: Transaction, name: str, state: Mapping[str, Any], version: int, now: datetime) -> bool:
    """Write it, if nobody has written since `version` was read."""
    values = {"state": state, "version": version + 1, "updated_at": now}
    if version:
        c = relay_state.c
        changed = tx.execute(update(relay_state).where(c.relay == name, c.version == version).values(values))
        return changed.rowcount == 1
    new = insert_postgres(relay_state) if tx.dialect == "postgresql" else insert_sqlite(relay_state)
    written = new.on_conflict_do_nothing().returning(relay_state.c.relay)
    return tx.execute(written, {"relay": name, **values}).first() is not None


def mark(tx: Transaction, name: str, value: Mapping[str, Any] | None, now: datetime) -> None:
    """Remember a fact about this database; None forgets it."""
    tx.execute(delete(marks).where(marks.c.name == name))
    if value is not None:
        tx.execute(insert(marks), {"name": name, "value": value, "at": now})


def marked(tx: Transaction, name: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = tx.execute(select(marks.c.value).where(marks.c.name == name)).scalar()
    return found


def require_secret(tx: Transaction, now: datetime) -> None:
    """Tie the database to its address secret at first use. Raises StorageError if it is another one later.

    With another secret no suppression would be found any more: people who unsubscribed would be mailed.
    """
    fingerprint = {"fingerprint": address_hash(tx.database.address_secret, "nurture")}
    found = marked(tx, ADDRESS_MARK)
    if found is None:
        mark(tx, ADDRESS_MARK, fingerprint, now)
    elif dict(found) != fingerprint:
        raise StorageError(
            f"The address secret is not the one {tx.database.name} was made with: its suppressions could not be read. "
            "Set the secret it had before."
        )

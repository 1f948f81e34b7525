"""What daemons share: single duties, and marks on the database itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from nurture.errors import StorageError
from nurture.storage.addresses import address_hash
from nurture.storage.database import Transaction
from nurture.storage.tables import duties, marks
from nurture.storage.types import sql

ADDRESS_MARK = "address_secret"


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


def mark(tx: Transaction, name: str, value: Mapping[str, Any] | None, now: datetime) -> None:
    """Remember a fact about this database; None forgets it. Two daemons may do so at the same moment."""
    if value is None:
        tx.execute(delete(marks).where(marks.c.name == name))
        return
    new = insert_postgres(marks) if tx.dialect == "postgresql" else insert_sqlite(marks)
    changed = {"value": new.excluded.value, "at": new.excluded.at}
    tx.execute(
        new.on_conflict_do_update(index_elements=["name"], set_=changed), {"name": name, "value": value, "at": now}
    )


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

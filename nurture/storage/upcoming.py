"""Who may get mail by some instant: counted, and some of them, without reading anybody's row."""

from __future__ import annotations

from datetime import datetime

from nurture.storage.database import Transaction
from nurture.storage.tables import READY
from nurture.storage.types import sql

_SOON = f"""
    SELECT contact_id FROM due WHERE at <= :until
    UNION SELECT contact_id FROM deliveries WHERE {READY}
"""  # noqa: S608 - put together from constants
_EVERYBODY = "SELECT id AS contact_id FROM contacts"


def how_many(tx: Transaction, until: datetime, *, everybody: bool = False) -> int:
    """People with a turn due by then or a mail that is still to go; or all there are."""
    query = f"SELECT count(*) FROM ({_EVERYBODY if everybody else _SOON}) AS people"  # noqa: S608
    return int(tx.execute(sql(query), {} if everybody else {"until": until}).scalar_one())


def one_of(tx: Transaction, until: datetime, each: int, *, everybody: bool = False) -> list[int]:
    """About one of `each` of them, by id; who has nothing to do with any order of ids."""
    query = f"""
        SELECT contact_id FROM ({_EVERYBODY if everybody else _SOON}) AS people
        WHERE contact_id % 1000000007 * 2654435761 % 4294967291 % :each = 0 ORDER BY contact_id
    """  # noqa: S608
    values = {"each": each} if everybody else {"each": each, "until": until}
    return list(tx.execute(sql(query), values).scalars())

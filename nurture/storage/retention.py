"""Retention: what is old enough leaves, in small bites, so that nobody waits for it.

Gone: lines of the ledger, attempts, and settled deliveries of enrolments that have ended. Kept: people, their events,
stages and consents, and every enrolment, for re-entry and conditions may ask about the whole past.
"""

from __future__ import annotations

from datetime import datetime

from nurture.storage.database import Transaction
from nurture.storage.types import sql

BITE = 5000

_LEDGER = sql("""
    DELETE FROM ledger WHERE id IN (SELECT id FROM ledger WHERE at < :until ORDER BY id LIMIT :bite)
""")
_ATTEMPTS = sql("""
    DELETE FROM attempts WHERE (contact_id, seq, no) IN (
        SELECT contact_id, seq, no FROM attempts WHERE at < :until LIMIT :bite)
""")
_DELIVERIES = sql("""
    DELETE FROM deliveries WHERE (contact_id, seq) IN (
        SELECT d.contact_id, d.seq FROM deliveries d
        JOIN enrolments e ON e.contact_id = d.contact_id AND e.seq = d.enrolment
        WHERE d.settled_at < :until AND d.acknowledged AND e.state = 'ended' LIMIT :bite)
""")


def forget_old(tx: Transaction, before: datetime, bite: int = BITE) -> int:
    """Remove one bite of each table; how many rows went. Zero: nothing older than `before` is left to remove."""
    values = {"until": before, "bite": bite}
    return sum(tx.execute(statement, values).rowcount for statement in (_LEDGER, _ATTEMPTS, _DELIVERIES))

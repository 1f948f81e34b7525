"""Retention: what is old enough leaves, in small bites, so that nobody waits for it.

Gone: addresses that somebody typed into a form and whose owner never said yes, lines of the ledger, attempts, and
settled deliveries of enrolments that have ended. Kept: people, their events, stages and consents, and every enrolment,
for re-entry and conditions may ask about the whole past.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete

from nurture.storage.controls import stop_gates
from nurture.storage.database import Transaction
from nurture.storage.tables import contacts, due
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

# Nothing is known of them but that they were asked: with one other event, name, "yes" or "no" they stay.
_UNCONFIRMED = sql("""
    SELECT DISTINCT e.contact_id FROM events e JOIN contacts c ON c.id = e.contact_id
    WHERE e.source = :source AND e.name = :asked AND c.created_at < :until
      AND c.consent = 'none' AND c.external_id IS NULL
      AND NOT EXISTS (SELECT 1 FROM events o WHERE o.contact_id = e.contact_id
                      AND (o.at >= :until OR o.source <> :source OR o.name <> :asked))
      AND NOT EXISTS (SELECT 1 FROM suppressions s WHERE s.address_key = c.address_key)
    ORDER BY e.contact_id LIMIT :bite
""")


def unconfirmed(tx: Transaction, source: str, asked: str, before: datetime, bite: int = BITE) -> list[int]:
    """Contacts who exist only because `source` told of `asked`, all of it before this moment."""
    values = {"source": source, "asked": asked, "until": before, "bite": bite}
    return list(tx.execute(_UNCONFIRMED, values).scalars())


def forget_contacts(tx: Transaction, ids: Sequence[int]) -> int:
    """Remove contacts and all that hangs on them; how many went. Nothing keeps them from being told of again."""
    stop_gates(tx)
    tx.execute(delete(due).where(due.c.contact_id.in_(ids)))
    return tx.execute(delete(contacts).where(contacts.c.id.in_(ids))).rowcount


def forget_old(tx: Transaction, before: datetime, bite: int = BITE) -> int:
    """Remove one bite of each table; how many rows went. Zero: nothing older than `before` is left to remove."""
    values = {"until": before, "bite": bite}
    return sum(tx.execute(statement, values).rowcount for statement in (_LEDGER, _ATTEMPTS, _DELIVERIES))

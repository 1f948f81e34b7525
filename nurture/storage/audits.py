"""Queries that look for rows which must not exist. Each gives (contact id, what is wrong), at most so many."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from nurture.storage.database import Transaction
from nurture.storage.types import sql

MOST = 1000

_FORGOTTEN = sql("""
    SELECT e.contact_id, e.campaign, e.node FROM enrolments e
    LEFT JOIN deliveries d ON d.contact_id = e.contact_id AND d.seq = e.in_flight
    LEFT JOIN campaign_controls c ON c.name = e.campaign
    WHERE e.state = 'active' AND c.paused_at IS NULL AND e.due_at IS NULL
      AND (e.in_flight IS NULL OR d.seq IS NULL OR d.acknowledged)
      AND NOT EXISTS (SELECT 1 FROM due WHERE due.contact_id = e.contact_id)
    LIMIT :most
""")
_NOT_QUEUED = sql("""
    SELECT e.contact_id, e.campaign, e.node FROM enrolments e JOIN contacts p ON p.id = e.contact_id
    WHERE e.state = 'active' AND e.due_at IS NOT NULL AND (p.due_at IS NULL OR p.due_at > e.due_at)
      AND NOT EXISTS (SELECT 1 FROM due WHERE due.contact_id = e.contact_id)
    LIMIT :most
""")
_AFTER_EXIT = sql("""
    SELECT d.contact_id, d.campaign, d.step FROM deliveries d
    JOIN enrolments e ON e.contact_id = d.contact_id AND e.seq = d.enrolment
    WHERE d.state IN ('planned', 'claimed', 'deferred') AND e.state = 'ended' LIMIT :most
""")
_NO_GATE = sql("""
    SELECT contact_id, campaign, step FROM deliveries
    WHERE state IN ('sent', 'unknown') AND gated_at IS NULL LIMIT :most
""")
_LATE = sql("""
    SELECT contact_id, campaign, step FROM deliveries
    WHERE state IN ('sent', 'unknown') AND gated_at > expires_at LIMIT :most
""")


def forgotten(tx: Transaction, held: Collection[str]) -> Iterator[tuple[int, str]]:
    """Active enrolments that nothing will move on: no due time, no mail in flight, no pause, not in the queue."""
    for contact_id, campaign, node in tx.execute(_FORGOTTEN, {"most": MOST}):
        if campaign not in held:
            yield contact_id, f"inside {campaign} at {node} with nothing to wait for"
    for contact_id, campaign, node in tx.execute(_NOT_QUEUED, {"most": MOST}):
        yield contact_id, f"due in {campaign} at {node}, but not in the queue"


def pending_after_exit(tx: Transaction) -> Iterator[tuple[int, str]]:
    """Mails that may still go although their enrolment has ended."""
    for contact_id, campaign, step in tx.execute(_AFTER_EXIT, {"most": MOST}):
        yield contact_id, f"{campaign}/{step} may still go although she has left"


def sent_without_gate(tx: Transaction) -> Iterator[tuple[int, str]]:
    for contact_id, campaign, step in tx.execute(_NO_GATE, {"most": MOST}):
        yield contact_id, f"{campaign}/{step} was sent and never gated"


def sent_late(tx: Transaction) -> Iterator[tuple[int, str]]:
    for contact_id, campaign, step in tx.execute(_LATE, {"most": MOST}):
        yield contact_id, f"{campaign}/{step} was gated after its time had passed"

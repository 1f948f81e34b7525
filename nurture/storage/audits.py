"""Queries that look for rows which must not exist. Each gives (contact id, what is wrong), at most so many."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import func, select

from nurture.domain.consent import FEWER_MAILS
from nurture.domain.ledger import FactKind
from nurture.storage.database import Transaction
from nurture.storage.tables import NameKind, contacts, events, ledger, names
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
# A stop bears the instant it was asked for, and holds from its commit on; what passed the gate between broke nothing.
_SLACK = {"sqlite": "10000000", "postgresql": "interval '10 seconds'"}
_GATED_AFTER_EXIT = """
    SELECT d.contact_id, d.campaign, d.step FROM deliveries d
    JOIN enrolments e ON e.contact_id = d.contact_id AND e.seq = d.enrolment
    WHERE d.state IN ('sent', 'unknown') AND e.state = 'ended' AND d.gated_at > e.ended_at + {slack} LIMIT :most
"""
_GATED_AFTER_SUPPRESSION = """
    SELECT d.contact_id, d.campaign, d.step, d.seq FROM suppressions s
    JOIN contacts p ON p.address_key = s.address_key
    JOIN deliveries d ON d.contact_id = p.id
    WHERE d.state IN ('sent', 'unknown') AND d.kind = 'marketing' AND d.gated_at > s.at + {slack} LIMIT :most
"""
_SENT_TWICE = sql("""
    SELECT contact_id, campaign, step FROM ledger
    WHERE kind = 'sent' AND at > :since AND delivery IS NOT NULL
    GROUP BY contact_id, delivery, campaign, step HAVING count(*) > 1 LIMIT :most
""")
_SENT_AND_GONE = sql("""
    SELECT l.contact_id, l.campaign, l.step FROM ledger l
    LEFT JOIN deliveries d ON d.contact_id = l.contact_id AND d.seq = l.delivery
    WHERE l.kind = 'sent' AND l.at > :since AND l.delivery IS NOT NULL AND (d.seq IS NULL OR d.state <> 'sent')
    LIMIT :most
""")
_NO_GATE = sql("""
    SELECT contact_id, campaign, step FROM deliveries
    WHERE state IN ('sent', 'unknown') AND gated_at IS NULL LIMIT :most
""")
_LATE = sql("""
    SELECT contact_id, campaign, step FROM deliveries
    WHERE state IN ('sent', 'unknown') AND gated_at > expires_at LIMIT :most
""")


def merged(tx: Transaction) -> dict[int, int]:
    """Contacts that others were merged into -> the last number that was planned before."""
    people = select(names.c.contact_id).where(names.c.kind == NameKind.CONTACT.value)
    query = (
        select(ledger.c.contact_id, ledger.c.detail)
        .where(ledger.c.contact_id.in_(people), ledger.c.kind == FactKind.MERGED.value)
        .order_by(ledger.c.id)
    )
    return {contact_id: int(detail["until"]) for contact_id, detail in tx.execute(query)}


def own_caps(tx: Transaction) -> dict[int, tuple[int, datetime]]:
    """Contacts who asked for fewer mails -> at most one in so many days, and since when."""
    query = (
        select(contacts.c.id, contacts.c.own_cap_days, func.max(events.c.processed_at))
        .join(events, events.c.contact_id == contacts.c.id)
        .where(contacts.c.own_cap_days.is_not(None), events.c.name == FEWER_MAILS)
        .group_by(contacts.c.id, contacts.c.own_cap_days)
    )
    return {contact_id: (days, since) for contact_id, days, since in tx.execute(query) if since is not None}


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


def gated_after_stop(tx: Transaction) -> Iterator[tuple[int, str]]:
    """Mails that passed the gate after their enrolment had ended, or their address was suppressed."""
    slack = _SLACK[tx.dialect]
    for contact_id, campaign, step in tx.execute(sql(_GATED_AFTER_EXIT.format(slack=slack)), {"most": MOST}):
        yield contact_id, f"{campaign}/{step} went after she had left"
    apart = merged(tx)  # what was sent to another address, before it was known whose it is
    for contact_id, campaign, step, seq in tx.execute(
        sql(_GATED_AFTER_SUPPRESSION.format(slack=slack)), {"most": MOST}
    ):
        if seq <= apart.get(contact_id, 0):
            continue
        yield contact_id, f"{campaign}/{step} went after the address was suppressed"


def sent_twice(tx: Transaction, since: datetime) -> Iterator[tuple[int, str]]:
    """Mails that the ledger says were sent more than once."""
    for contact_id, campaign, step in tx.execute(_SENT_TWICE, {"most": MOST, "since": since}):
        yield contact_id, f"{campaign}/{step} was sent more than once, says the ledger"


def sent_and_gone(tx: Transaction, since: datetime) -> Iterator[tuple[int, str]]:
    """Mails that were sent by the ledger, and have no row that says so: no cap counts them."""
    for contact_id, campaign, step in tx.execute(_SENT_AND_GONE, {"most": MOST, "since": since}):
        yield contact_id, f"{campaign}/{step} was sent, says the ledger, but its row does not"


def sent_without_gate(tx: Transaction) -> Iterator[tuple[int, str]]:
    for contact_id, campaign, step in tx.execute(_NO_GATE, {"most": MOST}):
        yield contact_id, f"{campaign}/{step} was sent and never gated"


def sent_late(tx: Transaction) -> Iterator[tuple[int, str]]:
    for contact_id, campaign, step in tx.execute(_LATE, {"most": MOST}):
        yield contact_id, f"{campaign}/{step} was gated after its time had passed"

"""Reading the ledger and the deliveries: explain, reports, audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from nurture.domain.delivery import COUNTING, Delivery, DeliveryState
from nurture.domain.enrolment import Enrolment
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.steps import MailKind
from nurture.storage.database import Transaction
from nurture.storage.rows import delivery_of, enrolment_of
from nurture.storage.tables import (
    ACTIVE,
    HELD,
    READY,
    attempts,
    contacts,
    deliveries,
    enrolments,
    ledger,
    stage_changes,
)
from nurture.storage.types import sql

_l, _d, _n = ledger.c, deliveries.c, enrolments.c
_FACT = (_l.id, _l.contact_id, _l.at, _l.kind, _l.reason, _l.campaign, _l.enrolment, _l.step, _l.delivery, _l.detail,
         _l.revision)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the ledger. `revision` is the one it was decided by."""

    id: int
    contact_id: int
    fact: Fact
    revision: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery and what became of it. `settled_at` is when it counts, `attempts` what the relay said each time."""

    delivery: Delivery
    settled_at: datetime | None
    gated_at: datetime | None
    reason: str | None
    tries: int
    attempts: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class AuditMail:
    """A marketing mail that takes a slot, for the recount. `at` None is pending."""

    contact_id: int
    seq: int
    at: datetime | None
    category: str | None
    campaign: str
    step: str
    state: DeliveryState
    planned_at: datetime
    revision: int = 0


def ledger_of(tx: Transaction, contact_id: int, *, limit: int = 1000) -> list[Line]:
    """The last lines about one person, oldest first."""
    query = select(*_FACT).where(_l.contact_id == contact_id).order_by(_l.id.desc()).limit(limit)
    return [_line(row) for row in reversed(tx.execute(query).all())]


def ledger_of_campaign(tx: Transaction, campaign: str, since: datetime, *, limit: int = 1000) -> list[Line]:
    """Lines about one campaign from `since` on, oldest first."""
    query = select(*_FACT).where(_l.campaign == campaign, _l.at >= since).order_by(_l.at, _l.id).limit(limit)
    return [_line(row) for row in tx.execute(query)]


def ledger_since(tx: Transaction, last: int = 0, *, limit: int = 1000) -> list[Line]:
    """Lines after the one with id `last`, in the order they were written: to follow, or to page through everything."""
    query = select(*_FACT).where(_l.id > last).order_by(_l.id).limit(limit)
    return [_line(row) for row in tx.execute(query)]


def _line(row: Row[*tuple[Any, ...]]) -> Line:
    id_, contact_id, at, kind, reason, campaign, enrolment, step, delivery, detail, revision = row
    fact = Fact(at, FactKind(kind), Reason(reason) if reason else None, campaign, enrolment, step, delivery, detail)
    return Line(id_, contact_id, fact, revision)


def count_facts(
    tx: Transaction, campaign: str | None = None, *, since: datetime | None = None, until: datetime | None = None
) -> dict[tuple[str | None, str | None, FactKind, Reason | None], int]:
    """(campaign, step, kind, reason) -> how many lines."""
    query = select(_l.campaign, _l.step, _l.kind, _l.reason, func.count())
    if campaign is not None:
        query = query.where(_l.campaign == campaign)
    if since is not None:
        query = query.where(_l.at >= since)
    if until is not None:
        query = query.where(_l.at < until)
    rows = tx.execute(query.group_by(_l.campaign, _l.step, _l.kind, _l.reason))
    return {
        (name, step, FactKind(kind), Reason(reason) if reason else None): number
        for name, step, kind, reason, number in rows
    }


def deliveries_of(tx: Transaction, contact_id: int) -> list[DeliveryRecord]:
    """All mails of one person with their attempts, in the order they were planned."""
    tried: dict[int, list[dict[str, Any]]] = {}
    query = select(attempts).where(attempts.c.contact_id == contact_id).order_by(attempts.c.seq, attempts.c.no)
    for row in tx.execute(query).mappings():
        tried.setdefault(row["seq"], []).append(dict(row))
    rows = tx.execute(select(deliveries).where(_d.contact_id == contact_id).order_by(_d.seq)).mappings()
    return [
        DeliveryRecord(
            delivery_of(row),
            row["settled_at"],
            row["gated_at"],
            row["reason"],
            row["tries"],
            tuple(tried.get(row["seq"], ())),
        )
        for row in rows
    ]


def enrolments_of(tx: Transaction, contact_id: int) -> list[Enrolment]:
    """All enrolments of one person, ended ones too."""
    query = select(enrolments).where(_n.contact_id == contact_id).order_by(_n.seq)
    return [enrolment_of(row) for row in tx.execute(query).mappings()]


def stages_of(tx: Transaction, contact_id: int) -> list[dict[str, Any]]:
    """The stage history of one person, oldest first: at, from_stage, to_stage, event_id."""
    c = stage_changes.c
    query = select(c.at, c.from_stage, c.to_stage, c.event_id).where(c.contact_id == contact_id).order_by(c.at, c.id)
    return [dict(row) for row in tx.execute(query).mappings()]


def stage_counts(tx: Transaction) -> dict[str, int]:
    """Stage -> how many people stand in it; those who never had a turn are left out."""
    query = select(contacts.c.stage, func.count()).where(contacts.c.stage.is_not(None)).group_by(contacts.c.stage)
    return {row[0]: row[1] for row in tx.execute(query)}


def standing(tx: Transaction, campaign: str) -> dict[str | None, int]:
    """Node -> how many people stand there now."""
    query = select(_n.node, func.count()).where(sql(ACTIVE), _n.campaign == campaign).group_by(_n.node)
    return {row[0]: row[1] for row in tx.execute(query)}


def standing_everywhere(tx: Transaction) -> dict[str, dict[str | None, int]]:
    """Campaign -> node -> how many people stand there now."""
    query = select(_n.campaign, _n.node, func.count()).where(sql(ACTIVE)).group_by(_n.campaign, _n.node)
    found: dict[str, dict[str | None, int]] = {}
    for campaign, node, number in tx.execute(query):
        found.setdefault(campaign, {})[node] = number
    return found


def inside(
    tx: Transaction, campaign: str, *, after: tuple[int, int] = (0, 0), limit: int = 1000
) -> list[tuple[int, Enrolment]]:
    """(contact id, enrolment) of the people inside, from behind `after` (contact id, seq), in that order."""
    query = (
        select(enrolments)
        .where(sql(ACTIVE), _n.campaign == campaign, sql("(contact_id, seq) > (:contact, :seq)"))
        .order_by(_n.contact_id, _n.seq)
        .limit(limit)
    )
    rows = tx.execute(query, {"contact": after[0], "seq": after[1]}).mappings()
    return [(row["contact_id"], enrolment_of(row)) for row in rows]


def audit_mails(tx: Transaction) -> Iterator[AuditMail]:
    """Every marketing mail that takes a slot, by contact and then by the order of planning; streamed."""
    states = [state.value for state in COUNTING]
    query = (
        select(
            _d.contact_id, _d.seq, _d.settled_at, _d.category, _d.campaign, _d.step, _d.state, _d.planned_at,
            _d.revision,
        )
        .where(_d.kind == MailKind.MARKETING.value, _d.state.in_(states))
        .order_by(_d.contact_id, _d.seq)
    )  # fmt: skip
    with tx.connection.execute(query, execution_options={"yield_per": 1000}) as rows:
        for contact_id, seq, at, category, campaign, step, state, planned, revision in rows:
            yield AuditMail(contact_id, seq, at, category, campaign, step, DeliveryState(state), planned, revision)


def count_gated(tx: Transaction) -> int:
    """Mails past their gate whose fate is not written down yet."""
    return int(
        tx.execute(select(func.count()).select_from(deliveries).where(sql("state = 'gated'"), sql(HELD))).scalar_one()
    )


def count_waiting(tx: Transaction, now: datetime) -> tuple[int, int]:
    """Mails that may go now, and those among the waiting that have grown too late to."""
    waiting = select(func.count()).select_from(deliveries).where(sql(READY))
    late = tx.execute(waiting.where(_d.expires_at < now)).scalar_one()
    return tx.execute(waiting.where(_d.not_before <= now, _d.expires_at >= now)).scalar_one(), late


def states_of(tx: Transaction, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], DeliveryState]:
    """The states of these deliveries (contact id, seq)."""
    from nurture.storage.bulk import in_batch
    from nurture.storage.types import Batch

    batch = Batch(key_contact="int", key_seq="int")
    rows = tx.execute(
        select(_d.contact_id, _d.seq, _d.state).where(sql(in_batch(tx.dialect, batch))),
        {"batch": batch.text(tx.dialect, keys)},
    )
    return {(contact_id, seq): DeliveryState(state) for contact_id, seq, state in rows}

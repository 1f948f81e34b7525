"""How things stand, in numbers: what is due, what became of the mails, what went wrong. Nobody is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import FactKind, Reason
from nurture.storage.controls import paused_campaigns
from nurture.storage.database import Database, Transaction
from nurture.storage.refusals import paused_domains
from nurture.storage.tables import (
    ACTIVE,
    HELD,
    READY,
    UNPROCESSED,
    campaign_controls,
    contacts,
    deliveries,
    due,
    enrolments,
    events,
    ledger,
    outgoing,
    quarantine,
)
from nurture.storage.types import sql

_d, _l, _o, _q = deliveries.c, ledger.c, outgoing.c, quarantine.c


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits now. The oldest instants are None when nobody waits; `next_at` is when something is due next."""

    due: int
    oldest_due: datetime | None
    ready: int
    oldest_ready: datetime | None
    held: int
    unprocessed: int
    calls: int
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """The same thing that went wrong several times: `what` (a template, a webhook), how often, and one example."""

    kind: str
    what: str
    count: int
    last: datetime | None
    example: str


def queue(tx: Transaction, now: datetime) -> Queue:
    """Cheap: what is not due yet is not counted. Mails of what is paused do not wait, they are held."""

    def one(query: Any) -> Any:
        return tx.execute(query).scalar()

    waiting = tx.execute(select(func.count(), func.min(due.c.at)).where(due.c.at <= now)).one()
    may_go = select(func.count(), func.min(_d.not_before)).where(sql(READY), _d.not_before <= now)
    paused, shut = paused_campaigns(tx), [pause.domain for pause in paused_domains(tx)]
    if paused:
        may_go = may_go.where(_d.campaign.not_in(sorted(paused)))
    if shut:
        may_go = may_go.where(func.coalesce(_d.domain, "").not_in(shut))
    ready = tx.execute(may_go).one()
    later = (
        one(select(func.min(due.c.at)).where(due.c.at > now)),
        one(select(func.min(_d.not_before)).where(sql(READY), _d.not_before > now)),
    )
    return Queue(
        due=waiting[0],
        oldest_due=waiting[1],
        ready=ready[0],
        oldest_ready=ready[1],
        held=one(select(func.count()).select_from(deliveries).where(sql(HELD))),
        unprocessed=one(select(func.count()).select_from(events).where(sql(UNPROCESSED))),
        calls=one(select(func.count()).select_from(outgoing).where(_o.next_at.is_not(None))),
        next_at=min((at for at in later if at is not None), default=None),
    )


def outcomes(tx: Transaction, since: datetime, campaign: str | None = None) -> dict[DeliveryState, int]:
    """How deliveries ended from `since` on."""
    names = [campaign] if campaign is not None else _campaigns(tx)
    query = select(_d.state, func.count()).where(_d.campaign.in_(names), _d.settled_at >= since).group_by(_d.state)
    return {DeliveryState(state): number for state, number in tx.execute(query)}


def _campaigns(tx: Transaction) -> Sequence[str]:
    """All that were ever applied. By their names the index of deliveries is read, rather than the table."""
    return tx.execute(select(campaign_controls.c.name)).scalars().all()


def people(tx: Transaction) -> tuple[int, int]:
    """How many there are, and how many times somebody is inside a campaign."""
    inside = select(func.count()).select_from(enrolments).where(sql(ACTIVE))
    return tx.execute(select(func.count()).select_from(contacts)).scalar_one(), tx.execute(inside).scalar_one()


def latest_event(tx: Transaction) -> datetime | None:
    """When the last event came in."""
    found: datetime | None = tx.execute(select(events.c.received_at).order_by(events.c.id.desc()).limit(1)).scalar()
    return found


def template_errors(tx: Transaction, since: datetime) -> list[Trouble]:
    """Templates that could not be written to somebody, each with how many people and one example of why."""
    failed = _d.campaign.in_(_campaigns(tx)), _d.settled_at >= since, _d.reason == Reason.TEMPLATE_ERROR.value
    query = select(_d.template, func.count(_d.contact_id.distinct()), func.max(_d.settled_at)).where(*failed)
    found = []
    for template, count, last in tx.execute(query.group_by(_d.template).order_by(_d.template)).all():
        newest = select(_d.contact_id, _d.seq).where(*failed, _d.template == template, _d.settled_at == last).limit(1)
        contact_id, seq = tx.execute(newest).one()
        why = select(_l.detail).where(
            _l.contact_id == contact_id, _l.delivery == seq, _l.reason == Reason.TEMPLATE_ERROR.value
        )
        detail = tx.execute(why.order_by(_l.id.desc()).limit(1)).scalar() or {}
        found.append(Trouble("template_error", template, count, last, str(detail.get("error", ""))))
    return found


def failed_calls(tx: Transaction, since: datetime) -> list[Trouble]:
    """Webhooks and alerts that were not taken, whether given up or still tried, each with what was answered last."""
    query = select(_o.kind, _o.name, func.count(), func.max(_o.at), func.max(_o.error)).where(
        _o.done_at.is_(None), _o.error.is_not(None), _o.at >= since
    )
    rows = tx.execute(query.group_by(_o.kind, _o.name).order_by(_o.kind, _o.name))
    return [Trouble(f"{kind}_failed", name, count, last, error) for kind, name, count, last, error in rows]


def failed_turns(tx: Transaction, since: datetime) -> list[Trouble]:
    """People who could not be decided about, each kind of error once."""
    failed = _l.campaign.is_(None), _l.at >= since, _l.kind == FactKind.FAILED.value
    count, last = tx.execute(select(func.count(_l.contact_id.distinct()), func.max(_l.at)).where(*failed)).one()
    if not count:
        return []
    detail = tx.execute(select(_l.detail).where(*failed, _l.at == last).limit(1)).scalar_one()
    return [Trouble("turn_failed", "turns", count, last, str(detail.get("error", "")))]


def refused_events(tx: Transaction, since: datetime) -> list[Trouble]:
    """What came in and could not be taken, by source, each with the newest reason."""
    query = select(_q.source, func.count(), func.max(_q.at), func.max(_q.id)).where(_q.at >= since)
    found = tx.execute(query.group_by(_q.source).order_by(_q.source)).all()
    newest = select(_q.id, _q.reason).where(_q.id.in_([row[3] for row in found]))
    reasons = {row[0]: row[1] for row in tx.execute(newest)}
    return [Trouble("events_refused", source, count, last, reasons[id_]) for source, count, last, id_ in found]


def size(tx: Transaction) -> int:
    """Bytes of the database, with what SQLite has not moved from its log yet."""
    if tx.dialect == "postgresql":
        return int(tx.execute(sql("SELECT pg_database_size(current_database())")).scalar_one())
    path = tx.database.path
    return sum(each.stat().st_size for each in (path, Path(f"{path}-wal")) if each.exists())


def server_clock(database: Database) -> datetime | None:
    """What time the database's server thinks it is; None for SQLite, which has the clock of this machine."""
    if database.dialect == "sqlite":
        return None
    with database.read() as tx:
        found: datetime = tx.execute(sql("SELECT clock_timestamp()")).scalar_one()
        return found

"""What is stopped by hand: single campaigns, or all sending; and since when each campaign has been applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgres

from nurture.errors import ConflictError
from nurture.storage.database import Transaction
from nurture.storage.duties import mark, marked
from nurture.storage.queue import wake_campaigns
from nurture.storage.tables import SHUT, STOPPED, campaign_controls
from nurture.storage.types import sql

# Gates hold it shared and whoever pauses holds it alone: once a pause is committed, no gate that looked before it is
# still on its way. On SQLite the one write lock does that.
GATE_LOCK = 0x6E7572747572
_c = campaign_controls.c


def paused_campaigns(tx: Transaction) -> frozenset[str]:
    return frozenset(tx.execute(select(_c.name).where(_c.paused_at.is_not(None))).scalars())


@dataclass(frozen=True, slots=True)
class Paused:
    """A campaign was paused by somebody, or by nurture itself, and perhaps why."""

    at: datetime
    by: str
    why: str | None


def pauses(tx: Transaction) -> dict[str, Paused]:
    """Campaign -> who paused it."""
    rows = tx.execute(select(_c.name, _c.paused_at, _c.by, _c.why).where(_c.paused_at.is_not(None)).order_by(_c.name))
    return {name: Paused(at, by or "somebody", why) for name, at, by, why in rows}


def pause(tx: Transaction, campaign: str, now: datetime, by: str, why: str | None = None) -> bool:
    """No mail of this campaign is gated any more once this is committed. Pausing twice keeps the first; False then."""
    stop_gates(tx)
    first_applied(tx, [campaign], now)
    paused = update(campaign_controls).where(_c.name == campaign, _c.paused_at.is_(None))
    return tx.execute(paused.values(paused_at=now, by=by, why=why)).rowcount > 0


def resume(tx: Transaction, campaign: str, now: datetime, by: str) -> None:
    """Let it go on; everybody inside has a turn at once, so that what grew late meanwhile is judged."""
    changed = tx.execute(
        update(campaign_controls)
        .where(_c.name == campaign, _c.paused_at.is_not(None))
        .values(paused_at=None, by=by, why=None)
    )
    if changed.rowcount == 0:
        raise ConflictError(f"The campaign {campaign!r} is not paused.")
    wake_campaigns(tx, [campaign], now)


def first_applied(tx: Transaction, campaigns: Iterable[str], now: datetime) -> None:
    """Remember `now` as the first time for those that were never applied before."""
    rows = [{"name": name, "since": now} for name in sorted(set(campaigns))]
    if not rows:
        return
    if tx.dialect == "postgresql":
        tx.execute(insert_postgres(campaign_controls).on_conflict_do_nothing(), rows)
    else:
        tx.execute(insert(campaign_controls).prefix_with("OR IGNORE"), rows)


def brought_in(tx: Transaction, campaigns: Iterable[str], now: datetime) -> None:
    """Not applied before `now`, or not any more: whoever is in a segment of theirs already does not enter it."""
    names = sorted(set(campaigns))
    first_applied(tx, names, now)
    if names:
        tx.execute(update(campaign_controls).where(_c.name.in_(names)).values(since=now))


def since(tx: Transaction) -> Mapping[str, datetime]:
    """Campaign -> since when it has been applied."""
    return {row[0]: row[1] for row in tx.execute(select(_c.name, _c.since))}


@dataclass(frozen=True, slots=True)
class Stopped:
    """All sending was stopped by somebody, and why."""

    at: datetime
    by: str
    why: str


def stop_sending(tx: Transaction, now: datetime, by: str, why: str) -> Stopped:
    """No mail, alert or webhook leaves once this is committed. Stopping twice keeps the first instant."""
    stop_gates(tx)
    found = sending_stopped(tx)
    if found is not None:
        return found
    mark(tx, STOPPED, {"at": now.isoformat(), "by": by, "why": why}, now)
    return Stopped(now, by, why)


def start_sending(tx: Transaction, now: datetime) -> None:
    """Let everything go on; what grew too late meanwhile is dropped when it is claimed. Raises ConflictError."""
    if sending_stopped(tx) is None:
        raise ConflictError("Sending is not stopped.")
    mark(tx, STOPPED, None, now)


def sending_stopped(tx: Transaction) -> Stopped | None:
    found = marked(tx, STOPPED)
    return Stopped(datetime.fromisoformat(found["at"]), found["by"], found["why"]) if found is not None else None


def sending_is_shut(tx: Transaction) -> bool:
    """Stopped by hand, or on hold."""
    return bool(tx.execute(sql(f"SELECT {SHUT}")).scalar())


def stop_gates(tx: Transaction) -> None:
    """Wait until no gate is open, and keep them shut until this transaction ends."""
    if tx.dialect == "postgresql":
        tx.execute(sql("SELECT pg_advisory_xact_lock(:key)"), {"key": GATE_LOCK})

"""Refusals that were about the sender, and the mailbox providers that are paused for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Fact
from nurture.domain.refusals import PROBE_WAIT, WINDOW, DomainPause, Refusal
from nurture.storage.bulk import Insert
from nurture.storage.database import Transaction
from nurture.storage.names import now_called
from nurture.storage.revisions import latest_number
from nurture.storage.rows import INSERT_LEDGER, fact_values
from nurture.storage.tables import campaign_controls, contacts, deliveries, domain_pauses, refusals

_d, _r, _p = deliveries.c, refusals.c, domain_pauses.c
_TRIED = [DeliveryState.SENT.value, DeliveryState.REJECTED.value, DeliveryState.UNKNOWN.value]
_INSERT = Insert(refusals, ("at", "domain", "campaign"))


def note_refusals(tx: Transaction, refused: Sequence[Refusal]) -> None:
    """Remember them, to be counted."""
    _INSERT(tx, [(each.at, each.domain, each.campaign) for each in refused])


def newest_refusals(tx: Transaction, column: str, name: str, most: int, now: datetime) -> list[datetime]:
    """When those of a `domain` or a `campaign` were, the newest first, none older than a day."""
    query = select(_r.at).where(_r[column] == name, _r.at > now - WINDOW).order_by(_r.at.desc()).limit(most)
    return list(tx.execute(query).scalars())


def mails_since(tx: Transaction, column: str, name: str, since: datetime, most: int) -> int:
    """How many mails of a `domain` or a `campaign` have ended since; no more than `most` are counted."""
    found = select(_d.seq).where(_d.settled_at >= since, _d.state.in_(_TRIED))
    if column == "campaign":
        found = found.where(_d.campaign == name)
    else:  # by the names of campaigns the index of deliveries is read, rather than the table
        names = tx.execute(select(campaign_controls.c.name)).scalars().all()
        found = found.where(_d.campaign.in_(names), _d.domain == name)
    return int(tx.execute(select(func.count()).select_from(found.limit(most).subquery())).scalar_one())


def forget_refusals(tx: Transaction, column: str, name: str) -> None:
    """They have had their effect: what comes from now on counts anew."""
    tx.execute(update(refusals).where(_r[column] == name).values({column: None}))


def tell_of_pause(tx: Transaction, contact_id: int, fact: Fact) -> None:
    """In the ledger of whoever's mail tipped it, if she is still here."""
    contact_id, _ = now_called(tx, contact_id)
    if tx.execute(select(contacts.c.id).where(contacts.c.id == contact_id)).first() is not None:
        INSERT_LEDGER(tx, [fact_values(contact_id, fact, latest_number(tx))])


def forget_old_refusals(tx: Transaction, now: datetime) -> None:
    """Those that count no more, and pauses that nobody remembers."""
    tx.execute(delete(refusals).where(_r.at <= now - WINDOW))
    tx.execute(delete(domain_pauses).where(_p.ended_at <= now - WINDOW))


# --- pauses


def pause_of(tx: Transaction, domain: str) -> DomainPause | None:
    """The pause of this provider, perhaps over since less than a day."""
    row = tx.execute(select(domain_pauses).where(_p.domain == domain)).first()
    return _read(row) if row is not None else None


def paused_domains(tx: Transaction) -> list[DomainPause]:
    """Those that are not over."""
    rows = tx.execute(select(domain_pauses).where(_p.ended_at.is_(None)).order_by(_p.domain))
    return [_read(row) for row in rows]


def pause_domain(tx: Transaction, pause: DomainPause) -> bool:
    """No mail to this provider is claimed once this is committed; False if it is paused already."""
    values = {
        "domain": pause.domain,
        "since": pause.since,
        "refused": pause.refused,
        "mails": pause.mails,
        "text": pause.text,
        "probe_at": pause.probe_at,
        "seconds": int(pause.length.total_seconds()),
        "ended_at": None,
    }
    new = insert_postgres(domain_pauses) if tx.dialect == "postgresql" else insert_sqlite(domain_pauses)
    anew = new.on_conflict_do_update(index_elements=["domain"], set_=values, where=_p.ended_at.is_not(None))
    if not tx.execute(anew.returning(_p.domain), values).first():
        return False
    forget_refusals(tx, "domain", pause.domain)
    return True


def end_pause(tx: Transaction, domain: str, now: datetime) -> bool:
    """Mail to this provider flows again; False if it does already."""
    ended = update(domain_pauses).where(_p.domain == domain, _p.ended_at.is_(None)).values(ended_at=now)
    if tx.execute(ended).rowcount == 0:
        return False
    forget_refusals(tx, "domain", domain)
    return True


def take_probe(tx: Transaction, pause: DomainPause, ready: Select[Any], now: datetime) -> tuple[int, int] | None:
    """The one mail of `ready` (contact, seq, ...) that may try this provider now, for all daemons; None if none may."""
    if now < pause.probe_at:
        return None
    found = tx.execute(ready.where(_d.domain == pause.domain).limit(1)).first()
    # With nobody to try it with, the queue is not searched again at every claim.
    wait = PROBE_WAIT if found is not None else PROBE_WAIT / 15
    mine = update(domain_pauses).where(_p.domain == pause.domain, _p.ended_at.is_(None), _p.probe_at <= now)
    taken = tx.execute(mine.values(probe_at=now + wait)).rowcount > 0
    return (found[0], found[1]) if found is not None and taken else None


def probed(tx: Transaction, domain: str, was_taken: bool, now: datetime) -> None:
    """What became of the probe: taken ends the pause, refused doubles the wait for the next."""
    if was_taken:
        end_pause(tx, domain, now)
        return
    pause = pause_of(tx, domain)
    if pause is not None and pause.ended_at is None:
        later = pause.refused_again(now)
        seconds = int(later.length.total_seconds())
        tx.execute(update(domain_pauses).where(_p.domain == domain).values(probe_at=later.probe_at, seconds=seconds))


def _read(row: Any) -> DomainPause:
    return DomainPause(
        row.domain, row.since, row.refused, row.mails, row.text, row.probe_at, timedelta(seconds=row.seconds),
        row.ended_at,
    )  # fmt: skip

"""Cancelling mails that have not gone: their person has left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, update

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.storage import kept_mails
from nurture.storage.bulk import Values, in_batch
from nurture.storage.database import Transaction
from nurture.storage.rows import fact_values
from nurture.storage.tables import deliveries
from nurture.storage.types import Batch, sql

_KEYS = Batch(key_contact="int", key_seq="int")
_d = deliveries.c


def cancel(tx: Transaction, keys: Sequence[tuple[int, int]], now: datetime, revision: int) -> list[Values]:
    """Cancel what is still pending; the facts about those that were. The rest is gated: it goes, or has gone.

    One that waited to be sent once more, because nobody knows whether it went, stays unknown for good.
    """
    if not keys:
        return []
    cancelled = tx.execute(
        update(deliveries)
        .where(sql(in_batch(tx.dialect, _KEYS)), sql("state IN ('planned', 'claimed', 'deferred')"))
        .values(
            state=case((_d.unknowns > 0, "unknown"), else_="cancelled"),
            settled_at=now,
            acknowledged=True,
            owner=None,
            lease_until=None,
            reason=Reason.LEFT_CAMPAIGN.value,
        )
        .returning(*(_d[name] for name in ("contact_id", "seq", "campaign", "enrolment", "step", "state", "kind"))),
        {"batch": _KEYS.text(tx.dialect, keys)},
    ).all()
    kept_mails.let_go(tx, [(row[0], row[1]) for row in cancelled if row[6] == "transactional"])
    return [
        fact_values(
            contact_id,
            Fact(now, _KINDS[DeliveryState(state)], Reason.LEFT_CAMPAIGN, campaign, enrolment, step, seq),
            revision,
        )
        for contact_id, seq, campaign, enrolment, step, state, _ in cancelled
    ]


_KINDS = {DeliveryState.CANCELLED: FactKind.CANCELLED, DeliveryState.UNKNOWN: FactKind.UNKNOWN}

"""From the ledger to the outbox: every fact somebody subscribes to becomes a call, once, in one transaction.

The ledger is followed by a mark of how far it was read, so that the hot paths that write it know of no
subscribers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import func, insert, select

from nurture.storage.database import Transaction
from nurture.storage.duties import mark, marked
from nurture.storage.tables import contacts, ledger, outgoing
from nurture.storage.types import sql

KIND = "fact"
FOLLOWED = "subscriptions"
AT_ONCE, MOST_OPEN = 500, 10_000  # while so many calls wait, the facts wait in the ledger
_l, _c, _o = ledger.c, contacts.c, outgoing.c


def collect(tx: Transaction, wanted: Mapping[str, Collection[str]], now: datetime) -> int:
    """Put calls for what is new into the outbox: `wanted` maps webhooks to kinds of facts. How many were put there.

    At the first time nothing is new: who subscribes hears of what happens from then on.
    """
    end = _end_of_ledger(tx)
    begun = marked(tx, FOLLOWED)
    last = min(int(begun["last"]), end) if begun is not None else end
    kinds = sorted({kind for each in wanted.values() for kind in each})
    if begun is not None and (last == end or _is_full(tx)):
        if int(begun["last"]) > last:  # the last lines went with an erased person, and their numbers come again
            mark(tx, FOLLOWED, {"last": last}, now)
        return 0
    query = (
        select(_l.id, _l.contact_id, _l.at, _l.kind, _l.reason, _l.campaign, _l.step, _l.detail, _l.revision,
               _c.email, _c.external_id)
        .join_from(ledger, contacts, _c.id == _l.contact_id)
        .where(_l.id > last, _l.id <= end, _l.kind.in_(kinds))
        .order_by(_l.id)
        .limit(AT_ONCE)
    )  # fmt: skip
    found = tx.execute(query).all() if last < end and kinds else []
    rows = [
        {
            "contact_id": fact.contact_id, "kind": KIND, "name": name, "at": fact.at, "next_at": now, "tries": 0,
            "payload": {
                "type": f"nurture.{fact.kind}",
                "data": {
                    "number": fact.id, "contact": fact.contact_id, "email": fact.email,
                    "external_id": fact.external_id, "campaign": fact.campaign, "step": fact.step,
                    "reason": fact.reason, "detail": dict(fact.detail), "revision": fact.revision,
                },
            },
        }
        for fact in found
        for name, kinds_of in sorted(wanted.items())
        if fact.kind in kinds_of
    ]  # fmt: skip
    if rows:
        tx.execute(insert(outgoing), rows)
    mark(tx, FOLLOWED, {"last": found[-1].id if len(found) == AT_ONCE else end}, now)
    return len(rows)


def _end_of_ledger(tx: Transaction) -> int:
    """The last number, once nobody can commit a smaller one: numbers are given before transactions end.

    Who writes the ledger now is waited for, and nobody else collects. Raises DatabaseFault (BUSY) if that takes long.
    """
    if tx.dialect == "postgresql":
        tx.execute(sql("SET LOCAL lock_timeout = '300ms'"))
        tx.execute(sql("LOCK TABLE ledger IN SHARE ROW EXCLUSIVE MODE"))
    return int(tx.execute(select(func.coalesce(func.max(_l.id), 0))).scalar_one())


def _is_full(tx: Transaction) -> bool:
    waiting = select(_o.id).where(_o.next_at.is_not(None)).limit(MOST_OPEN).subquery()
    return int(tx.execute(select(func.count()).select_from(waiting)).scalar_one()) >= MOST_OPEN

"""Forgetting: once a day, one daemon for all removes what is older than the operator wants to keep."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from nurture.domain.decide import ENROL
from nurture.domain.programme import Programme
from nurture.engine.signup import LOOKS_BACK, SOURCE
from nurture.storage.database import Database
from nurture.storage.duties import hold_duty
from nurture.storage.quarantine import forget_held
from nurture.storage.refusals import forget_old_refusals
from nurture.storage.replies import forget_replies
from nurture.storage.retention import forget_contacts, forget_old, unconfirmed

DUTY, LEASE = "retention", timedelta(hours=1)
HELD, REPLIES = timedelta(days=30), timedelta(days=7)  # quarantine; answers to requests with an Idempotency-Key
MOST_BITES = 200  # of one go; the rest waits for the next


def forget(database: Database, programme: Programme, keep: timedelta, owner: str, now: datetime) -> int:
    """Remove what is older than `keep`; how many rows. Mails that can still count against a cap always stay."""
    if not database.transact(lambda tx: hold_duty(tx, DUTY, owner, now, LEASE)):
        return 0
    before = now - max(keep, programme.longest_cap + timedelta(days=1))
    database.transact(lambda tx: forget_held(tx, now - HELD))
    database.transact(lambda tx: forget_replies(tx, now - REPLIES))
    database.transact(lambda tx: forget_old_refusals(tx, now))
    removed = forget_unconfirmed(database, now)
    for _ in range(MOST_BITES):
        bite = database.transact(lambda tx: forget_old(tx, before))
        removed += bite
        if not bite:
            break
    return removed


def forget_unconfirmed(database: Database, now: datetime) -> int:
    """Remove the addresses that were asked by a form and never said yes; how many. Its limits look back as far."""
    removed = 0
    for _ in range(MOST_BITES):
        with database.read() as tx:
            found = unconfirmed(tx, SOURCE, ENROL, now - LOOKS_BACK)
        if not found:
            break
        removed += database.transact(partial(forget_contacts, ids=found))
    return removed

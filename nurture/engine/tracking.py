"""Clicks and opens on their way to the ledger: gathered for a moment, for machines show by what comes together.

They are facts, not promises: a crash loses those of the last seconds. Of each link of a mail the first click counts.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from nurture.domain.programme import Programme
from nurture.domain.tracking import CLICKED, CLICKED_BY_MACHINE, OPENED, OPENED_BY_MACHINE, Hit, machine
from nurture.storage.database import Database, Transaction
from nurture.storage.events import Arrival, store_events
from nurture.storage.identities import Identity
from nurture.storage.returns import returned_mail

SOURCE = "tracking"
SETTLE = 3.0  # seconds between two rounds; a hit waits for one to two of them
MOST_WAITING = 10_000  # hits; more are not seen


class Tracker:
    """Safe to use from several threads. `round` is to be called every `SETTLE` seconds while it `has_any`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._older: list[Hit] = []
        self._newer: list[Hit] = []

    @property
    def has_any(self) -> bool:
        return bool(self._older or self._newer)

    def note(self, hit: Hit) -> None:
        with self._lock:
            if len(self._newer) < MOST_WAITING:
                self._newer.append(hit)

    def round(self, programme: Programme, now: datetime, *, last: bool = False) -> int:
        """Record what came before the round before; everything, if it is the `last`. How many became events."""
        with self._lock:
            older, newer = self._older, self._newer
            ripe, around = (older + newer, older + newer) if last else (older, older + newer)
            self._older, self._newer = [] if last else newer, []
        if not ripe or programme.tracking is None:
            return 0
        return self._database.transact(lambda tx: _record(tx, ripe, around, programme, now))


def _record(tx: Transaction, ripe: Iterable[Hit], around: Iterable[Hit], programme: Programme, now: datetime) -> int:
    together: dict[tuple[int, int], list[Hit]] = defaultdict(list)
    for hit in around:
        together[hit.contact_id, hit.seq].append(hit)
    arrivals = (_arrival(tx, hit, together[hit.contact_id, hit.seq], programme) for hit in ripe)
    return store_events(tx, [each for each in arrivals if each is not None], now).stored


def _arrival(tx: Transaction, hit: Hit, others: list[Hit], programme: Programme) -> Arrival | None:
    """None where it is none of our business: she did not agree (any more), or is not here any more."""
    tracking = programme.tracking
    mail = returned_mail(tx, hit.contact_id, hit.seq)
    if mail is None or tracking is None or not tracking.of(mail.contact):
        return None
    if not (tracking.opens if hit.label is None else tracking.clicks):
        return None
    why = machine(hit, others, mail.settled_at)
    names = (OPENED, OPENED_BY_MACHINE) if hit.label is None else (CLICKED, CLICKED_BY_MACHINE)
    told: dict[str, Any] = {
        "campaign": mail.campaign,
        "step": mail.step,
        "delivery": mail.seq,
        "link": hit.target,
        "machine": why,
    }
    return Arrival(
        who=Identity(contact_id=mail.contact.id),
        name=names[why is not None],
        at=hit.at,
        properties={key: value for key, value in told.items() if value not in (None, "")},
        message_id=f"{'machine' if why else 'seen'}-{mail.contact.id}-{mail.seq}-{hit.label or 'open'}",
        source=SOURCE,
    )

"""One of several processes that race over one database. Run by test_races with: what, url, name, now.

Says "ready", waits for a line, and writes what it got, one JSON value a line.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import datetime, timedelta

from nurture.domain.delivery import Delivery, DeliveryState
from nurture.domain.enrolment import Enrolment
from nurture.domain.needs import SnapshotNeeds
from nurture.domain.snapshot import Snapshot, Turn
from nurture.domain.steps import MailKind
from nurture.storage.database import Database
from nurture.storage.deliveries import GateRequest, claim_deliveries, gate
from nurture.storage.events import Arrival, store_events
from nurture.storage.identities import Identity
from nurture.storage.outcomes import Outcome, record_outcomes
from nurture.storage.queue import claim_due
from nurture.storage.snapshots import load_snapshots
from nurture.storage.turns import write_turns

BATCH, CAP = 25, 1
NEEDS = SnapshotNeeds(caps=timedelta(days=1))


def decide(snapshot: Snapshot, now: datetime) -> Turn:
    """Plans one mail more, unless the cap is full."""
    turn = Turn(snapshot.contact, processed=[event.id for event in snapshot.pending])
    if len(snapshot.mails) >= CAP:
        return turn
    seq = snapshot.contact.next_seq
    turn.contact = replace(snapshot.contact, next_seq=seq + 2)
    turn.enrolments.append(Enrolment(seq, "cart", str(seq), 1, now, in_flight=seq + 1))
    day = now + timedelta(days=1)
    turn.deliveries.append(
        Delivery(
            snapshot.contact.id, seq + 1, seq, "cart", "a", 1, MailKind.MARKETING, "t", None, 5, now, now, now, day, 1
        )
    )
    return turn


def turns(database: Database, now: datetime) -> None:
    while True:
        with database.write() as tx:
            ids = claim_due(tx, now, BATCH)
            write_turns(tx, [(each, decide(each, now)) for each in load_snapshots(tx, ids, NEEDS, now)], now, 1)
        if not ids:
            return
        for contact_id in ids:
            print(json.dumps(contact_id))


def mails(database: Database, now: datetime, name: str) -> None:
    while True:
        with database.write() as tx:
            claims = claim_deliveries(tx, now, name, timedelta(minutes=5), BATCH)
        if not claims:
            return
        requests = [GateRequest(*claim.key, claim.epoch, claim.contact.version) for claim in claims]
        with database.write() as tx:
            granted = gate(tx, requests, name, now)
        sent = [Outcome(*c.key, c.epoch, DeliveryState.SENT, now) for c in claims if c.key in granted]
        with database.write() as tx:
            for key in record_outcomes(tx, sent, name, now):
                print(json.dumps(key))


def ingest(database: Database, now: datetime) -> None:
    """Tells the same events about the same new people as all the others."""
    for start in range(0, 200, BATCH):
        arrivals = [
            Arrival(who=Identity(email=f"p{n}@example.com", attributes={"n": n}), name="Viewed", at=now, source="shop",
                    message_id=str(n))
            for n in range(start, start + BATCH)
        ]  # fmt: skip
        stored = database.transact(lambda tx, batch=arrivals: store_events(tx, batch, now))
        print(json.dumps(stored.stored))


def main() -> None:
    what, url, name, at = sys.argv[1:]
    now = datetime.fromisoformat(at)
    with Database(url, address_secret="a secret for tests") as database:
        with database.read():
            print("ready", flush=True)
        sys.stdin.readline()
        if what == "turns":
            turns(database, now)
        elif what == "mails":
            mails(database, now, name)
        else:
            ingest(database, now)


main()

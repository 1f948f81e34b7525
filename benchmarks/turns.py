"""What a turn and a mail cost the database's thread: CPU time for each stage, under the starter programme.

Many contacts live the same days: they subscribe, are judged, get their first mail, go on, and get the next one. All of
it goes through the functions the daemon calls, in batches of its size, with durable commits. Rendering and SMTP are
not part of it.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nurture.domain.decide import decide
from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.retry import Attempt, Phase
from nurture.engine.advance import BATCH
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.engine.revisions import Applied, assemble
from nurture.language.source import read_project
from nurture.storage import schema
from nurture.storage.database import Database
from nurture.storage.deliveries import Claimed, GateRequest, claim_deliveries, gate
from nurture.storage.imports import ImportedContact, import_contacts
from nurture.storage.outcomes import Outcome, record_outcomes
from nurture.storage.queue import claim_due
from nurture.storage.snapshots import load_snapshots
from nurture.storage.turns import write_turns

ROOT = Path(__file__).parents[1]
START = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
CLAIM, GROUP, CHUNK = 200, 100, 5000
LEASE = timedelta(minutes=1)
OWNER = "benchmark"


@dataclass(slots=True)
class Costs:
    """Microseconds of CPU an item, stage by stage."""

    spent: dict[str, float] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def of(self, stage: str, items: int = 0) -> Iterator[None]:
        begun = time.thread_time()
        yield
        self.spent[stage] = self.spent.get(stage, 0.0) + time.thread_time() - begun
        self.items[stage] = self.items.get(stage, 0) + items

    def each(self) -> dict[str, float]:
        return {stage: 1e6 * spent / max(self.items[stage], 1) for stage, spent in self.spent.items()}


class Days:
    """`people` contacts, and the time they live in."""

    def __init__(self, database: Database, applied: Applied, people: int) -> None:
        self.database, self.applied, self.people = database, applied, people
        self.now = START
        self.costs = Costs()

    def run(self) -> dict[str, float]:
        """Stage -> microseconds an item."""
        self.take_in()
        self.tell("ingest, new contact", "Newsletter Subscribed")
        self.turns("first turn")
        self.mails("first mail")
        self.turns("turn after a mail")
        self.now += timedelta(days=4)
        self.turns("turn that plans a mail")
        self.mails("later mail")
        self.tell("ingest, known contact", "Product Viewed")
        return self.costs.each()

    def take_in(self) -> None:
        """As many again, as contacts of a file; none of these ever gets mail."""
        lines = [ImportedContact(f"f{n}@file.example", f"f{n}", {"first_name": "Ana"}) for n in range(self.people)]
        for first in range(0, self.people, CHUNK):
            chunk = lines[first : first + CHUNK]
            with self.costs.of("import", len(chunk)), self.database.write() as tx:
                import_contacts(tx, chunk, self.now, "people.csv")
        while self.turn("turn of nobody's business"):
            pass

    def tell(self, stage: str, name: str) -> None:
        """One event about each."""
        told = [
            IncomingEvent(
                name=name,
                at=self.now,
                email=f"p{n}@people.example",
                message_id=f"{name} {n}",
                properties={"form": "footer", "interest": "herbs"},
            )
            for n in range(self.people)
        ]
        for first in range(0, self.people, 1000):
            batch = told[first : first + 1000]
            with self.costs.of(stage, len(batch)):
                ingest(self.database, batch, self.now)

    def turns(self, wave: str) -> None:
        while self.turn(wave):
            pass

    def turn(self, wave: str) -> bool:
        """One batch, as the daemon does it."""
        costs, applied = self.costs, self.applied
        begun = time.thread_time()
        with self.database.write() as tx:
            with costs.of(f"{wave}: claim"):
                ids = claim_due(tx, self.now, BATCH)
            if not ids:
                return False
            with costs.of(f"{wave}: load", len(ids)):
                snapshots = load_snapshots(tx, ids, applied.needs, self.now)
            with costs.of(f"{wave}: decide", len(ids)):
                decided = [(snapshot, decide(applied.programme, snapshot, self.now)) for snapshot in snapshots]
            with costs.of(f"{wave}: write", len(ids)), tx.savepoint():
                write_turns(tx, decided, self.now, applied.number)
        costs.spent[wave] = costs.spent.get(wave, 0.0) + time.thread_time() - begun
        for stage in (wave, f"{wave}: claim"):
            costs.items[stage] = costs.items.get(stage, 0) + len(ids)
        mails = sum(len(turn.deliveries) for _, turn in decided)
        costs.items[f"{wave}: mails"] = costs.items.get(f"{wave}: mails", 0) + mails
        return True

    def mails(self, wave: str) -> None:
        while True:
            with self.costs.of(f"{wave}: claim"), self.database.write() as tx:
                claims = claim_deliveries(tx, self.now, OWNER, LEASE, CLAIM)
            if not claims:
                return
            self.costs.items[f"{wave}: claim"] += len(claims)
            for first in range(0, len(claims), GROUP):
                self._send(claims[first : first + GROUP], wave)

    def _send(self, group: Sequence[Claimed], wave: str) -> None:
        requests = [GateRequest(*claimed.key, claimed.epoch, claimed.contact.version) for claimed in group]
        outcomes = [_sent(claimed, self.now) for claimed in group]
        with self.costs.of(f"{wave}: gate", len(group)), self.database.write() as tx:
            passed = gate(tx, requests, OWNER, self.now)
        with self.costs.of(f"{wave}: outcome", len(group)), self.database.write() as tx:
            written = record_outcomes(tx, outcomes, OWNER, self.now)
        assert len(passed) == len(written) == len(group)


def _sent(claimed: Claimed, now: datetime) -> Outcome:
    delivery = claimed.delivery
    attempt = Attempt(Phase.DONE, 250, "2.0.0", "2.0.0 Ok: queued as 4F2A1B")
    detail = {"phase": "done", "code": 250, "text": attempt.text}
    fact = Fact(
        now, FactKind.SENT, Reason.ACCEPTED, delivery.campaign, delivery.enrolment, delivery.step, delivery.seq, detail
    )
    return Outcome(
        contact_id=delivery.contact_id,
        seq=delivery.seq,
        epoch=claimed.epoch,
        state=DeliveryState.SENT,
        at=now,
        reason=Reason.ACCEPTED,
        attempt=attempt,
        verdict="sent",
        facts=(fact,),
    )


def measure(people: int, url: str | None = None) -> dict[str, float]:
    """Microseconds of CPU an item for each stage; on a new SQLite file, or in the empty database at `url`."""
    gc.freeze()  # as the daemon does
    gc.set_threshold(20_000, 50, 100)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = stack.enter_context(Database(url or f"sqlite:///{folder}/turns.db", address_secret="benchmark"))
        schema.upgrade(database)
        return Days(database, assemble(read_project(ROOT), 1), people).run()


def main(arguments: Sequence[str]) -> None:
    people = int(arguments[0]) if arguments else 10_000
    for stage, each in measure(people, arguments[1] if len(arguments) > 1 else None).items():
        print(f"{stage:36} {each:8.1f} us")


if __name__ == "__main__":
    main(sys.argv[1:])

"""A small world of rows, told through the same functions the daemons use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nurture.domain.contact import Consent
from nurture.domain.delivery import Delivery, DeliveryState
from nurture.domain.enrolment import Enrolment
from nurture.domain.needs import SnapshotNeeds
from nurture.domain.snapshot import Snapshot, Turn
from nurture.domain.steps import MailKind
from nurture.storage.database import Database
from nurture.storage.deliveries import Claimed, GateRequest, claim_deliveries, gate
from nurture.storage.events import Arrival, StoredEvents, store_events
from nurture.storage.identities import Identity
from nurture.storage.queue import claim_due
from nurture.storage.snapshots import load_snapshots
from nurture.storage.turns import write_turns

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LEASE = timedelta(minutes=1)
NEEDS = SnapshotNeeds(caps=timedelta(days=30))


class World:
    """`now` is moved by hand."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self._told = 0

    def tell(self, name: str | None, email: str | None = "ana@example.com", **more: Any) -> StoredEvents:
        self._told += 1
        who = Identity(email=email, **{k: more.pop(k) for k in ("external_id", "attributes") if k in more})
        arrival = Arrival(
            who=who, name=name, at=more.pop("at", self.now), source="shop",
            message_id=more.pop("message_id", f"m{self._told}"), properties=more,
        )  # fmt: skip
        with self.database.write() as tx:
            return store_events(tx, [arrival], self.now)

    def person(self, email: str = "ana@example.com") -> int:
        """A contact who has had a turn and consented; her id."""
        found = self.tell("Signed Up", email).contacts[0]
        assert found is not None
        self.turn(found, consent=Consent.GRANTED)
        return found

    def snapshot(self, contact_id: int, needs: SnapshotNeeds = NEEDS) -> Snapshot:
        with self.database.read() as tx:
            return load_snapshots(tx, [contact_id], needs, self.now)[0]

    def turn(self, contact_id: int, **changes: Any) -> Snapshot:
        """A turn that processes what is waiting and makes the given changes of the contact and of the turn."""
        effects = {name: changes.pop(name) for name in list(changes) if name in Turn.__dataclass_fields__}
        with self.database.write() as tx:
            claim_due(tx, self.now, 1000)
            (snapshot,) = load_snapshots(tx, [contact_id], NEEDS, self.now)
            turn = Turn(replace(snapshot.contact, **changes), processed=[e.id for e in snapshot.pending], **effects)
            write_turns(tx, [(snapshot, turn)], self.now, 1)
        return snapshot

    def plan(self, contact_id: int, *, step: str = "reminder", **more: Any) -> Delivery:
        """One planned delivery, in an enrolment of its own."""
        seq = self.snapshot(contact_id).contact.next_seq
        enrolment = Enrolment(seq, "cart", f"k{seq}", 1, self.now, {"cart": seq}, node=step, in_flight=seq + 1)
        values: dict[str, Any] = {
            "contact_id": contact_id, "seq": seq + 1, "enrolment": seq, "campaign": "cart", "step": step, "visit": 1,
            "kind": MailKind.MARKETING, "template": "cart/reminder", "category": None, "priority": 50,
            "planned_at": self.now, "due_at": self.now, "not_before": self.now,
            "expires_at": self.now + timedelta(days=1), "revision": 1,
        }  # fmt: skip
        delivery = Delivery(**{**values, **more})
        if delivery.state is not DeliveryState.PLANNED:
            enrolment.in_flight = None
        self.turn(contact_id, next_seq=seq + 2, enrolments=[enrolment], deliveries=[delivery])
        return delivery

    def claim(self, owner: str = "me", limit: int = 100, **more: Any) -> list[Claimed]:
        with self.database.write() as tx:
            return claim_deliveries(tx, self.now, owner, LEASE, limit, **more)

    def gate(self, claims: Sequence[Claimed], owner: str = "me") -> set[tuple[int, int]]:
        requests = [GateRequest(*claimed.key, claimed.epoch, claimed.contact.version) for claimed in claims]
        with self.database.write() as tx:
            return gate(tx, requests, owner, self.now)

    def states(self) -> list[str]:
        from sqlalchemy import select

        from nurture.storage.tables import deliveries

        query = select(deliveries.c.state).order_by(deliveries.c.contact_id, deliveries.c.seq)
        with self.database.read() as tx:
            return list(tx.execute(query).scalars())

    def due(self) -> list[int]:
        """Who is in the queue and due, without taking them."""
        from sqlalchemy import select

        from nurture.storage.tables import due

        with self.database.read() as tx:
            return list(tx.execute(select(due.c.contact_id).where(due.c.at <= self.now).distinct()).scalars())


@pytest.fixture
def world(database: Database) -> World:
    return World(database)

"""What a turn writes: all its effects for a whole batch of contacts, in the transaction that claimed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy import delete as delete_from

from nurture.domain.contact import Contact
from nurture.domain.snapshot import Snapshot, Turn
from nurture.errors import ConflictError
from nurture.storage.bulk import Delete, Insert, Update, Values, in_batch
from nurture.storage.cancellations import cancel
from nurture.storage.database import Transaction
from nurture.storage.events import EVENT
from nurture.storage.queue import INSERT_DUE, wake_unprocessed
from nurture.storage.rows import (
    CONTACT_KEY,
    COUNTERS,
    DELIVERY,
    ENROLMENT,
    ENROLMENT_KEY,
    INSERT_LEDGER,
    JOURNEY,
    PERSON,
    counters_row,
    delivery_row,
    enrolment_row,
    fact_values,
    is_same_person,
    journey_row,
    person_row,
)
from nurture.storage.tables import (
    consents,
    contacts,
    deliveries,
    due,
    enrolments,
    events,
    outgoing,
    stage_changes,
    suppressions,
)
from nurture.storage.types import Batch, among, sql

OWN_SOURCE = "nurture"
_KEYS = Batch(key_contact="int", key_seq="int")

_UPDATE_COUNTERS = Update(contacts, COUNTERS, CONTACT_KEY)
_UPDATE_PERSON = Update(contacts, (*PERSON, *COUNTERS), CONTACT_KEY)
_DELETE_DUE = Delete(due, ("at", "contact_id"))
_INSERT_ENROLMENTS = Insert(enrolments, ENROLMENT)
_UPDATE_ENROLMENTS = Update(enrolments, JOURNEY, ENROLMENT_KEY)
_INSERT_DELIVERIES = Insert(deliveries, DELIVERY)
_INSERT_STAGES = Insert(stage_changes, ("contact_id", "at", "from_stage", "to_stage", "event_id"))
_INSERT_CONSENTS = Insert(consents, ("contact_id", "at", "granted", "topic", "event_id", "source"))
_INSERT_RECORDED = Insert(events, EVENT)
_INSERT_OUTGOING = Insert(outgoing, ("contact_id", "kind", "name", "at", "payload", "next_at", "tries"))
_PROCESSED = (
    update(events)
    .where(among(events.c.contact_id, "owners"), among(events.c.id))
    .values(processed_at=bindparam("processed"))
)


@dataclass(slots=True)
class _Rows:
    """The turns of a batch, sorted by table."""

    events: list[int] = field(default_factory=list)
    stages: list[Values] = field(default_factory=list)
    consents: list[Values] = field(default_factory=list)
    enrolments: list[Values] = field(default_factory=list)
    journeys: list[Values] = field(default_factory=list)
    deliveries: list[Values] = field(default_factory=list)
    outgoing: list[Values] = field(default_factory=list)
    recorded: list[Values] = field(default_factory=list)
    ledger: list[Values] = field(default_factory=list)
    cancelled: list[tuple[int, int]] = field(default_factory=list)
    seen: list[tuple[int, int]] = field(default_factory=list)


def write_turns(tx: Transaction, decided: Sequence[tuple[Snapshot, Turn]], now: datetime, revision: int) -> None:
    """Write each turn beside the snapshot it was decided on; all or nothing.

    A mail that an exit cancels is cancelled here, unless its gate came first; only then is that fact written.
    Raises ConflictError when a contact changed since her snapshot (the claim makes that impossible), and DatabaseFault
    (`duplicate`) should a mail ever be planned twice.
    """
    if not decided:
        return
    _write_contacts(tx, decided)
    _write_suppressions(tx, decided, now)
    rows = _Rows()
    for snapshot, turn in decided:
        _collect(rows, snapshot, turn, now, revision)
    if rows.events:
        owners = [snapshot.contact.id for snapshot, turn in decided if turn.processed]
        tx.execute(_PROCESSED, {"owners": owners, "ids": rows.events, "processed": now})
    _INSERT_ENROLMENTS(tx, rows.enrolments)
    if _UPDATE_ENROLMENTS(tx, rows.journeys) != len(rows.journeys):
        raise ConflictError("An enrolment is gone that a turn has just gone on with.")
    _INSERT_DELIVERIES(tx, rows.deliveries)
    _INSERT_STAGES(tx, rows.stages)
    _INSERT_CONSENTS(tx, rows.consents)
    _INSERT_OUTGOING(tx, rows.outgoing)
    _INSERT_RECORDED(tx, rows.recorded)
    _acknowledge(tx, rows.seen)
    rows.ledger += cancel(tx, rows.cancelled, now, revision)
    INSERT_LEDGER(tx, rows.ledger)
    # Whoever was put off has unseen events, too: she waits, or she would be claimed and fail for ever.
    wake_unprocessed(tx, [snapshot.contact.id for snapshot, turn in decided if not turn.put_off], now)


def _write_contacts(tx: Transaction, decided: Sequence[tuple[Snapshot, Turn]]) -> None:
    """The contact rows, and her own row in the queue."""
    pairs = [(snapshot.contact, turn.contact) for snapshot, turn in decided]
    same: list[Values] = []
    others: list[Values] = []
    for before, after in pairs:
        if is_same_person(after, before):
            same.append(counters_row(after, before))
        else:
            others.append(person_row(after, before))
    changed = _UPDATE_COUNTERS(tx, same) + _UPDATE_PERSON(tx, others)
    if changed != len(pairs):
        raise ConflictError(f"{len(pairs) - changed} of {len(pairs)} contacts changed while their turn was decided.")
    _DELETE_DUE(
        tx,
        [
            (before.due_at, before.id)
            for before, after in pairs
            if before.due_at is not None and before.due_at != after.due_at
        ],
    )
    INSERT_DUE(tx, [(after.due_at, after.id) for _, after in pairs if after.due_at is not None])


def _write_suppressions(tx: Transaction, decided: Sequence[tuple[Snapshot, Turn]], now: datetime) -> None:
    changed = [
        (turn.contact, tx.address_key(turn.contact.email))
        for snapshot, turn in decided
        if turn.contact.suppressed is not snapshot.contact.suppressed and turn.contact.email
    ]
    if not changed:
        return
    tx.execute(
        delete_from(suppressions).where(among(suppressions.c.address_key, text=True)), {"ids": [k for _, k in changed]}
    )
    added = [_suppression(contact, key, now) for contact, key in changed if contact.suppressed is not None]
    if added:
        tx.execute(insert(suppressions), added)


def _suppression(contact: Contact, key: str, now: datetime) -> dict[str, Any]:
    assert contact.suppressed is not None
    return {"address_key": key, "reason": contact.suppressed.value, "at": now, "source": "event"}


def _collect(rows: _Rows, snapshot: Snapshot, turn: Turn, now: datetime, revision: int) -> None:
    """Most turns have few kinds of effects: what is not there costs a loop that is not entered."""
    before = snapshot.contact
    id_ = before.id
    rows.events += turn.processed
    if not turn.put_off:
        for settled in snapshot.settled:
            rows.seen.append((id_, settled.seq))
    for seq in turn.cancelled:
        rows.cancelled.append((id_, seq))
    for each in turn.enrolments:
        if each.seq >= before.next_seq:
            rows.enrolments.append(enrolment_row(id_, each))
        else:
            rows.journeys.append(journey_row(id_, each))
    for delivery in turn.deliveries:
        rows.deliveries.append(delivery_row(delivery, turn.contact.email))
    for fact in turn.facts:
        rows.ledger.append(fact_values(id_, fact, revision))
    for c in turn.stages:
        rows.stages.append((id_, c.at, c.from_stage, c.to_stage, c.event_id))
    for said in turn.consents:
        rows.consents.append((id_, said.at, said.granted, said.topic, said.event_id, said.source))
    for o in turn.outgoing:
        rows.outgoing.append((id_, o.kind, o.name, o.at, o.payload, now, 0))
    for place, event in enumerate(turn.recorded):
        key = f"{id_}.{before.version}.{place}"  # a version is written once only
        rows.recorded.append((id_, event.name, event.at, now, event.properties, OWN_SOURCE, key))


def _acknowledge(tx: Transaction, seen: Sequence[tuple[int, int]]) -> None:
    if seen:
        tx.execute(
            update(deliveries).where(sql(in_batch(tx.dialect, _KEYS))).values(acknowledged=True),
            {"batch": _KEYS.text(tx.dialect, seen)},
        )

"""What a turn writes: all its effects for a whole batch of contacts, in the transaction that claimed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy import delete as delete_from
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from nurture.domain.contact import Contact
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.snapshot import Snapshot, Turn
from nurture.errors import ConflictError
from nurture.storage.database import Transaction
from nurture.storage.queue import insert_due, wake_unprocessed
from nurture.storage.rows import contact_changes, delivery_row, enrolment_row, fact_row
from nurture.storage.tables import (
    consents,
    contacts,
    deliveries,
    due,
    enrolments,
    events,
    ledger,
    outgoing,
    stage_changes,
    suppressions,
)
from nurture.storage.types import Batch, among, sql

OWN_SOURCE = "nurture"
_KEYS = Batch(key_contact="int", key_seq="int")

_UPDATE_CONTACT = (
    update(contacts)
    .where(contacts.c.id == bindparam("contact"), contacts.c.version == bindparam("was"))
    .values(
        {
            name: bindparam(name)
            for name in (
                "attributes", "zone", "locale", "stage", "stage_since", "consent", "opted_out", "paused_until",
                "memberships", "enrols", "next_seq", "version", "due_at",
            )
        }
    )
)  # fmt: skip
_PROCESSED = update(events).where(among(events.c.id)).values(processed_at=bindparam("processed"))
_REMOVE_DUE = delete_from(due).where(due.c.at == bindparam("old"), due.c.contact_id == bindparam("contact"))


@dataclass(slots=True)
class _Rows:
    """The turns of a batch, sorted by table."""

    events: list[int] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)
    consents: list[dict[str, Any]] = field(default_factory=list)
    enrolments: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    outgoing: list[dict[str, Any]] = field(default_factory=list)
    recorded: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=list)
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
        tx.execute(_PROCESSED, {"ids": rows.events, "processed": now})
    if rows.enrolments:
        tx.execute(_upsert_enrolments(tx), rows.enrolments)
    for table, values in (
        (deliveries, rows.deliveries),
        (stage_changes, rows.stages),
        (consents, rows.consents),
        (outgoing, rows.outgoing),
        (events, rows.recorded),
    ):
        if values:
            tx.execute(insert(table), values)
    _acknowledge(tx, rows.seen)
    rows.ledger += _cancel(tx, rows.cancelled, now, revision)
    if rows.ledger:
        tx.execute(insert(ledger), rows.ledger)
    # Whoever was put off has unseen events, too: she waits, or she would be claimed and fail for ever.
    wake_unprocessed(tx, [snapshot.contact.id for snapshot, turn in decided if not turn.put_off], now)


def _write_contacts(tx: Transaction, decided: Sequence[tuple[Snapshot, Turn]]) -> None:
    """The contact rows, and her own row in the queue."""
    pairs = [(snapshot.contact, turn.contact) for snapshot, turn in decided]
    changed = tx.execute(_UPDATE_CONTACT, [contact_changes(after, before) for before, after in pairs])
    if changed.rowcount != len(pairs):
        raise ConflictError(
            f"{len(pairs) - changed.rowcount} of {len(pairs)} contacts changed while their turn was decided."
        )
    gone = [
        {"old": before.due_at, "contact": before.id}
        for before, after in pairs
        if before.due_at is not None and before.due_at != after.due_at
    ]
    if gone:
        tx.execute(_REMOVE_DUE, gone)
    next_ = [{"at": after.due_at, "contact_id": after.id} for _, after in pairs if after.due_at is not None]
    if next_:
        tx.execute(insert_due(tx), next_)


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
    id_, email = turn.contact.id, turn.contact.email
    owner = {"contact_id": id_}
    rows.events += turn.processed
    rows.seen += [(id_, settled.seq) for settled in snapshot.settled] if not turn.put_off else []
    rows.cancelled += [(id_, seq) for seq in turn.cancelled]
    rows.enrolments += [enrolment_row(id_, enrolment) for enrolment in turn.enrolments]
    rows.deliveries += [delivery_row(delivery, email) for delivery in turn.deliveries]
    rows.ledger += [fact_row(id_, fact, revision) for fact in turn.facts]
    rows.stages += [
        {**owner, "at": c.at, "from_stage": c.from_stage, "to_stage": c.to_stage, "event_id": c.event_id}
        for c in turn.stages
    ]
    rows.consents += [
        {**owner, "at": c.at, "granted": c.granted, "topic": c.topic, "event_id": c.event_id, "source": c.source}
        for c in turn.consents
    ]
    rows.outgoing += [
        {**owner, "kind": o.kind, "name": o.name, "at": o.at, "payload": o.payload, "next_at": now}
        for o in turn.outgoing
    ]
    rows.recorded += [
        {
            **owner,
            "name": event.name,
            "at": event.at,
            "received_at": now,
            "properties": event.properties,
            "source": OWN_SOURCE,
            "message_id": f"{id_}.{snapshot.contact.version}.{place}",  # a version is written once only
        }
        for place, event in enumerate(turn.recorded)
    ]


def _upsert_enrolments(tx: Transaction) -> Any:
    statement = insert_postgres(enrolments) if tx.dialect == "postgresql" else insert_sqlite(enrolments)
    keys = ("contact_id", "seq")
    changes = {c.name: statement.excluded[c.name] for c in enrolments.c if c.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


def _acknowledge(tx: Transaction, seen: Sequence[tuple[int, int]]) -> None:
    if seen:
        tx.execute(
            update(deliveries).where(sql(in_batch(tx, _KEYS))).values(acknowledged=True),
            {"batch": _KEYS.text(tx.dialect, seen)},
        )


def _cancel(tx: Transaction, keys: Sequence[tuple[int, int]], now: datetime, revision: int) -> list[dict[str, Any]]:
    """Cancel what is still pending; the facts about those that were. The rest is gated: it goes, or has gone."""
    if not keys:
        return []
    cancelled = tx.execute(
        update(deliveries)
        .where(sql(in_batch(tx, _KEYS)), sql("state IN ('planned', 'claimed', 'deferred')"))
        .values(
            state="cancelled",
            settled_at=now,
            acknowledged=True,
            owner=None,
            lease_until=None,
            reason=Reason.LEFT_CAMPAIGN.value,
        )
        .returning(*(deliveries.c[name] for name in ("contact_id", "seq", "campaign", "enrolment", "step"))),
        {"batch": _KEYS.text(tx.dialect, keys)},
    )
    return [
        fact_row(
            contact_id,
            Fact(now, FactKind.CANCELLED, Reason.LEFT_CAMPAIGN, campaign, enrolment, step, seq),
            revision,
        )
        for contact_id, seq, campaign, enrolment, step in cancelled
    ]


def in_batch(tx: Transaction, keys: Batch) -> str:
    """The condition that (contact_id, seq) is among the first two columns of the batch."""
    first, second = list(keys.columns)[:2]
    return f"(contact_id, seq) IN (SELECT {first}, {second} FROM {keys.sql(tx.dialect)} AS keys)"  # noqa: S608

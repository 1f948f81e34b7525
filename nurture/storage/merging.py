"""Two contacts become one: everything of the one goes to the other, in one transaction.

Nobody is mailed more, and no stop is forgotten: of two answers about consent the stricter one stays, a suppression of
the person holds for the address that remains, and what was planned but is not out is cancelled. Which enrolments go on
is decided in her next turn, by the campaigns' own rules (`nurture.domain.merging`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgres

from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.delivery import COUNTING, PENDING, DeliveryState
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.merging import MERGED
from nurture.storage.controls import stop_gates
from nurture.storage.database import Transaction
from nurture.storage.faults import DatabaseFault, Fault
from nurture.storage.queue import wake
from nurture.storage.rows import fact_row
from nurture.storage.tables import (
    NameKind,
    attempts,
    consents,
    contacts,
    deliveries,
    due,
    enrolments,
    events,
    kept_mails,
    ledger,
    names,
    outgoing,
    stage_changes,
    suppressions,
)

_c, _d, _e, _n = contacts.c, deliveries.c, enrolments.c, names.c
GIVEN = (events, stage_changes, consents, outgoing)
NUMBERED = {  # columns that hold her numbers of enrolments and mails
    enrolments: ("seq", "in_flight"),
    deliveries: ("seq", "enrolment"),
    attempts: ("seq",),
    kept_mails: ("seq",),
    ledger: ("enrolment", "delivery"),
}
_STRICTER = {Consent.WITHDRAWN.value: 2, Consent.GRANTED.value: 1, Consent.NONE.value: 0}


@dataclass(frozen=True, slots=True)
class _Pair:
    """`absorbed` goes into `kept`; `shift` makes its numbers free ones of hers."""

    absorbed: RowMapping
    kept: RowMapping

    @property
    def shift(self) -> int:
        return int(self.kept["next_seq"]) - 1

    @property
    def next_seq(self) -> int:
        return self.shift + int(self.absorbed["next_seq"])


def merge(tx: Transaction, absorbed_id: int, kept_id: int, now: datetime) -> None:
    """Make one of two. Columns that name her (address, id, attributes) are the caller's business.

    Raises DatabaseFault (BUSY) while a mail to the one who goes is on the wire: its outcome must find its row.
    """
    pair = _lock(tx, absorbed_id, kept_id)
    stop_gates(tx)
    cancelled = _cancel(tx, absorbed_id, now)
    journeys = _journeys(tx, pair)
    _move(tx, pair)
    _carry_suppression(tx, pair, now)
    facts = [
        Fact(now, FactKind.CANCELLED, Reason.MERGED, row.campaign, row.enrolment + pair.shift, row.step,
             row.seq + pair.shift)
        for row in cancelled
    ]  # fmt: skip
    facts.append(Fact(now, FactKind.MERGED, Reason.BY_EVENT, detail={"was": absorbed_id, "until": pair.next_seq - 1}))
    tx.execute(insert(ledger), [fact_row(kept_id, fact, 0) for fact in facts])
    if journeys:
        _tell(tx, absorbed_id, kept_id, journeys, now)
    tx.execute(delete(due).where(due.c.contact_id == absorbed_id))
    tx.execute(delete(contacts).where(_c.id == absorbed_id))
    tx.execute(update(contacts).where(_c.id == kept_id).values(_person(pair)))
    wake(tx, [kept_id], now)


def _lock(tx: Transaction, absorbed_id: int, kept_id: int) -> _Pair:
    query = select(contacts).where(_c.id.in_([absorbed_id, kept_id])).order_by(_c.id).with_for_update()
    rows = {row["id"]: row for row in tx.execute(query).mappings()}
    if len(rows) != 2:
        raise DatabaseFault(Fault.SERIALIZATION, "Somebody else has merged or erased one of these contacts. Try again.")
    return _Pair(rows[absorbed_id], rows[kept_id])


def _cancel(tx: Transaction, contact_id: int, now: datetime) -> Sequence[Any]:
    """Mails that are not out. What was planned for two people was held against the caps of two."""
    cancelled = tx.execute(
        update(deliveries)
        .where(_d.contact_id == contact_id, _d.state.in_([state.value for state in PENDING]))
        .values(state=DeliveryState.CANCELLED.value, reason=Reason.MERGED.value, settled_at=now, owner=None,
                lease_until=None, acknowledged=False)
        .returning(_d.campaign, _d.enrolment, _d.step, _d.seq)
    ).all()  # fmt: skip
    on_the_wire = select(_d.seq).where(_d.contact_id == contact_id, _d.state == DeliveryState.GATED.value).limit(1)
    if tx.execute(on_the_wire).first() is not None:
        raise DatabaseFault(Fault.BUSY, "A mail to one of the two is on the wire at this moment. Try again.")
    return cancelled


def _journeys(tx: Transaction, pair: _Pair) -> list[dict[str, Any]]:
    """Every enrolment of the two, with the numbers they will have; none if one of them never had any."""
    counted = [state.value for state in COUNTING]
    found: list[list[dict[str, Any]]] = []
    for person, shift in ((pair.absorbed, pair.shift), (pair.kept, 0)):
        mailed = set(
            tx.execute(
                select(_d.enrolment).where(_d.contact_id == person["id"], _d.state.in_(counted)).distinct()
            ).scalars()
        )
        rows = tx.execute(select(_e.seq, _e.campaign, _e.key, _e.started_at).where(_e.contact_id == person["id"]))
        found.append(
            [
                {"seq": seq + shift, "campaign": campaign, "key": key, "at": at.isoformat(), "mailed": seq in mailed}
                for seq, campaign, key, at in rows
            ]
        )
    return found[0] + found[1] if all(found) else []


def _move(tx: Transaction, pair: _Pair) -> None:
    old, new, shift = pair.absorbed["id"], pair.kept["id"], pair.shift
    for table in GIVEN:
        tx.execute(update(table).where(table.c.contact_id == old).values(contact_id=new))
    for table, columns in NUMBERED.items():
        moved = {name: table.c[name] + shift for name in columns}
        tx.execute(update(table).where(table.c.contact_id == old).values(contact_id=new, **moved))
    is_number = _n.kind == NameKind.CONTACT.value
    tx.execute(update(names).where(_n.contact_id == old, is_number).values(shift=_n.shift + shift))
    tx.execute(update(names).where(_n.contact_id == old).values(contact_id=new))
    row = {"kind": NameKind.CONTACT.value, "value": str(old), "contact_id": new, "shift": shift}
    tx.execute(insert(names), row)


def _person(pair: _Pair) -> dict[str, Any]:
    """Her columns afterwards: the stricter answer, the earlier beginning, her own stage if she has one."""
    absorbed, kept = pair.absorbed, pair.kept
    pauses = [one["paused_until"] for one in (absorbed, kept) if one["paused_until"] is not None]
    own_caps = [one["own_cap_days"] for one in (absorbed, kept) if one["own_cap_days"] is not None]
    staged = kept if kept["stage"] is not None else absorbed
    return {
        "next_seq": pair.next_seq,
        "consent": max(absorbed["consent"], kept["consent"], key=_STRICTER.__getitem__),
        "opted_out": sorted({*absorbed["opted_out"], *kept["opted_out"]}),
        "paused_until": max(pauses, default=None),
        "own_cap_days": max(own_caps, default=None),
        "stage": staged["stage"],
        "stage_since": staged["stage_since"],
        "created_at": min(absorbed["created_at"], kept["created_at"]),
        "memberships": {**absorbed["memberships"], **kept["memberships"]},
        "enrols": absorbed["enrols"] and kept["enrols"],
        "version": max(absorbed["version"], kept["version"]) + 1,
    }


def _carry_suppression(tx: Transaction, pair: _Pair, now: datetime) -> None:
    """Whoever said no said it as a person, whatever the address; only a bounce is about the mailbox alone."""
    keys = {one["address_key"] for one in (pair.absorbed, pair.kept) if one["address_key"] is not None}
    if len(keys) < 2:
        return
    s = suppressions.c
    found = dict(tx.execute(select(s.address_key, s.reason).where(s.address_key.in_(keys))).all())
    reasons = [reason for reason in found.values() if reason != SuppressionReason.BOUNCED.value]
    rows = [
        {"address_key": key, "reason": reasons[0], "at": now, "source": "merged"}
        for key in sorted(keys - set(found))
        if reasons
    ]
    if not rows:
        return
    if tx.dialect == "postgresql":
        tx.execute(insert_postgres(suppressions).on_conflict_do_nothing(), rows)
    else:
        tx.execute(insert(suppressions).prefix_with("OR IGNORE"), rows)


def _tell(tx: Transaction, absorbed_id: int, kept_id: int, journeys: Sequence[dict[str, Any]], now: datetime) -> None:
    """An event of our own, so that her next turn decides which of the journeys go on."""
    tx.execute(
        insert(events),
        {
            "contact_id": kept_id,
            "name": MERGED,
            "at": now,
            "received_at": now,
            "properties": {"enrolments": list(journeys)},
            "source": "nurture",
            "message_id": f"merged-{absorbed_id}",
        },
    )

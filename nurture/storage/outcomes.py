# ruff: noqa: S608 - the SQL here is put together from names in this code only
"""What became of claimed deliveries: outcomes of attempts, and the rescue of what dead daemons left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.refusals import Refusal
from nurture.domain.retry import Attempt
from nurture.storage.bulk import Insert, Values
from nurture.storage.cancellations import cancel
from nurture.storage.database import Transaction
from nurture.storage.deliveries import Key
from nurture.storage.events import Arrival, store_events
from nurture.storage.kept_mails import let_go
from nurture.storage.queue import wake
from nurture.storage.refusals import note_refusals, probed
from nurture.storage.rows import INSERT_LEDGER, fact_values
from nurture.storage.tables import attempts
from nurture.storage.types import Batch, sql

_OUTCOMES = Batch(
    key_contact="int",
    key_seq="int",
    key_epoch="int",
    new_state="text",
    new_not_before="instant",
    new_settled="instant",
    new_reason="text",
    more_attempts="int",
    more_tries="int",
    more_unknowns="int",
)

_KEYS = Batch(key_contact="int", key_seq="int")
_INSERT_ATTEMPTS = Insert(
    attempts, ("contact_id", "seq", "no", "at", "phase", "code", "enhanced", "text", "verdict")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a claim of ours came to. `at` is when; it is the time a sent or lost mail counts at.

    `state` deferred or planned asks again at `not_before`. `uses_try`: counts towards this person's retries. `lost`:
    the fate of this attempt is not known (also where the mail is deferred to be sent once more). `verdict` is stored
    with the attempt, `facts` go to the ledger, `told` is an event of hers that comes of it. `refused`: for our sake, to
    be counted. `probed`: this mail was to try whether that paused domain takes mail again.
    """

    contact_id: int
    seq: int
    epoch: int
    state: DeliveryState
    at: datetime
    reason: Reason | None = None
    not_before: datetime | None = None
    attempt: Attempt | None = None
    verdict: str = ""
    uses_try: bool = False
    lost: bool = False
    facts: tuple[Fact, ...] = ()
    told: Arrival | None = None
    refused: Refusal | None = None
    probed: str | None = None

    @property
    def key(self) -> Key:
        return self.contact_id, self.seq

    def without_words(self) -> Outcome:
        """What it means, without the texts of the other side, which no database may want to store."""
        properties = {k: v for k, v in self.told.properties.items() if k != "text"} if self.told is not None else {}
        told = replace(self.told, properties=properties) if self.told is not None else None
        return replace(self, attempt=None, facts=(), told=told)


@dataclass(frozen=True, slots=True)
class Rescued:
    """`released` were claimed and go again; `unknown` were gated; `again` too, but are sent once more."""

    released: tuple[Key, ...]
    unknown: tuple[Key, ...]
    again: tuple[Key, ...]


def record_outcomes(tx: Transaction, outcomes: Sequence[Outcome], owner: str, now: datetime) -> set[Key]:
    """Write outcomes with their attempts and facts; the keys that were still ours. The rest changes nothing.

    Sent and unknown are possible only from behind the gate, or where it was passed before. Whoever settles a delivery
    wakes its contact; one that would go again is cancelled if she has left.
    """
    if not outcomes:
        return set()
    by_key = {outcome.key: outcome for outcome in outcomes}
    waiting = {outcome.key for outcome in outcomes if not outcome.state.is_settled}
    if tx.dialect == "postgresql":  # a turn that ends her enrolment comes before this, or after
        people = sorted({o.contact_id for o in outcomes if o.key in waiting or o.told is not None})
        if people:
            tx.execute(_LOCK_CONTACTS, {"ids": people})
    text = _OUTCOMES.text(tx.dialect, [_values(outcome, now) for outcome in by_key.values()])
    written = tx.execute(sql(_record_sql(tx)), {"batch": text, "owner": owner}).all()
    keys = [(row[0], row[1]) for row in written]
    tried: list[Values] = []
    facts: list[Values] = []
    awake: list[int] = []
    over: list[Key] = []
    for contact_id, seq, revision, number, kind in written:
        outcome = by_key[contact_id, seq]
        if outcome.attempt is not None:
            tried.append(_attempt_row(outcome, outcome.attempt, number))
        facts += [fact_values(contact_id, fact, revision) for fact in outcome.facts]
        if outcome.state.is_settled:
            awake.append(contact_id)
            if kind == "transactional":
                over.append((contact_id, seq))
    _INSERT_ATTEMPTS(tx, tried)
    INSERT_LEDGER(tx, facts)
    let_go(tx, over)
    wake(tx, awake, now)
    told = [arrival for key in keys if (arrival := by_key[key].told) is not None]
    if told:
        store_events(tx, told, now)
    note_refusals(tx, [refused for key in keys if (refused := by_key[key].refused) is not None])
    for key in keys:
        outcome = by_key[key]
        if outcome.probed is not None and (outcome.state is DeliveryState.SENT or outcome.refused is not None):
            probed(tx, outcome.probed, outcome.state is DeliveryState.SENT, now)
    _cancel_those_who_left(tx, [key for key in keys if key in waiting], now)
    return set(keys)


_LOCK_CONTACTS = sql("SELECT id FROM contacts WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")


def _cancel_those_who_left(tx: Transaction, waiting: Sequence[Key], now: datetime) -> None:
    """Who left while her mail stood behind its gate could not take it back; now that it came back, it is cancelled."""
    if not waiting:
        return
    left = tx.execute(
        sql(f"""
            SELECT d.contact_id, d.seq, d.revision FROM {_KEYS.sql(tx.dialect)} AS keys
            JOIN deliveries d ON d.contact_id = key_contact AND d.seq = key_seq
            JOIN enrolments e ON e.contact_id = d.contact_id AND e.seq = d.enrolment
            WHERE e.state = 'ended'
        """),
        {"batch": _KEYS.text(tx.dialect, waiting)},
    ).all()
    for contact_id, seq, revision in left:
        INSERT_LEDGER(tx, cancel(tx, [(contact_id, seq)], now, revision))


def _record_sql(tx: Transaction) -> str:
    return f"""
        UPDATE deliveries SET
            state = new_state, settled_at = new_settled, not_before = coalesce(new_not_before, not_before),
            reason = new_reason, attempts = attempts + more_attempts, tries = tries + more_tries,
            unknowns = unknowns + more_unknowns, owner = NULL, lease_until = NULL
        FROM {_OUTCOMES.sql(tx.dialect)} AS keys
        WHERE contact_id = key_contact AND seq = key_seq AND epoch = key_epoch AND owner = :owner
          AND (state = 'gated' OR (state = 'claimed' AND new_state <> 'sent'
                                   AND (new_state <> 'unknown' OR unknowns > 0)))
        RETURNING contact_id, seq, revision, attempts, kind
    """


def _values(outcome: Outcome, now: datetime) -> tuple[Any, ...]:
    waits = outcome.state in {DeliveryState.DEFERRED, DeliveryState.PLANNED}
    return (
        outcome.contact_id,
        outcome.seq,
        outcome.epoch,
        outcome.state.value,
        (outcome.not_before or now) if waits else None,
        None if waits else outcome.at,
        outcome.reason.value if outcome.reason else None,
        int(outcome.attempt is not None),
        int(outcome.uses_try),
        int(outcome.lost or outcome.state is DeliveryState.UNKNOWN),
    )


def _attempt_row(outcome: Outcome, attempt: Attempt, number: int) -> Values:
    """In the order of `_INSERT_ATTEMPTS`."""
    verdict = outcome.verdict or outcome.state.value
    said = attempt.phase.value, attempt.code, attempt.enhanced, attempt.text
    return outcome.contact_id, outcome.seq, number, outcome.at, *said, verdict


def rescue(tx: Transaction, now: datetime, *, resend_after: timedelta = timedelta(minutes=15)) -> Rescued:
    """Settle what leases have run out on: their owners died, or lost touch with the database.

    Claimed ones were not sent and go again. Gated ones are unknown: marketing stays so, transactional mail is sent once
    more after `resend_after`. Unknown counts from now on, which is never before it was really sent.
    """
    held = tx.execute(
        sql(f"""
            SELECT contact_id, seq, state, kind, unknowns, revision, campaign, enrolment, step FROM deliveries
            WHERE state IN ('claimed', 'gated') AND lease_until <= {tx.lease_clock}
            {"FOR UPDATE SKIP LOCKED" if tx.dialect == "postgresql" else ""}
        """),
        {} if tx.database.leases_by_server else {"now": now},
    ).all()
    released: list[Key] = []
    unknown: list[Key] = []
    again: list[Key] = []
    facts: list[Values] = []
    for contact_id, seq, state, kind, unknowns, revision, campaign, enrolment, step in held:
        key = contact_id, seq
        if state == "claimed":
            released.append(key)
            continue
        once_more = kind == "transactional" and unknowns == 0
        (again if once_more else unknown).append(key)
        detail = {"again_at": now + resend_after} if once_more else {}
        fact = Fact(now, FactKind.UNKNOWN, Reason.CRASHED, campaign, enrolment, step, seq, detail)
        facts.append(fact_values(contact_id, fact, revision))
    _free(tx, released, "state = CASE WHEN tries > 0 OR unknowns > 0 THEN 'deferred' ELSE 'planned' END")
    _free(tx, unknown, "state = 'unknown', reason = 'crashed', unknowns = unknowns + 1, settled_at = :now", now=now)
    _free(
        tx,
        again,
        "state = 'deferred', reason = 'crashed', unknowns = unknowns + 1, not_before = :until",
        until=now + resend_after,
    )
    INSERT_LEDGER(tx, facts)
    let_go(tx, unknown)
    wake(tx, [contact_id for contact_id, _ in unknown], now)
    return Rescued(tuple(released), tuple(unknown), tuple(again))


def _free(tx: Transaction, keys: Sequence[Key], changes: str, **values: datetime) -> None:
    if keys:
        tx.execute(
            sql(f"""
                UPDATE deliveries SET {changes}, owner = NULL, lease_until = NULL
                FROM {_KEYS.sql(tx.dialect)} AS keys WHERE contact_id = key_contact AND seq = key_seq
            """),
            {"batch": _KEYS.text(tx.dialect, keys), **values},
        )

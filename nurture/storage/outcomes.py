# ruff: noqa: S608 - the SQL here is put together from names in this code only
"""What became of claimed deliveries: outcomes of attempts, and the rescue of what dead daemons left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.retry import Attempt
from nurture.storage.bulk import Insert, Values
from nurture.storage.database import Transaction
from nurture.storage.deliveries import Key
from nurture.storage.queue import wake
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

_INSERT_ATTEMPTS = Insert(
    attempts, ("contact_id", "seq", "no", "at", "phase", "code", "enhanced", "text", "verdict")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a claim of ours came to. `at` is when; it is the time a sent or lost mail counts at.

    `state` deferred or planned asks again at `not_before`. `uses_try`: counts towards this person's retries. `lost`:
    the fate of this attempt is not known (also where the mail is deferred to be sent once more). `verdict` is stored
    with the attempt, `facts` go to the ledger.
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

    @property
    def key(self) -> Key:
        return self.contact_id, self.seq


@dataclass(frozen=True, slots=True)
class Rescued:
    """`released` were claimed and go again; `unknown` were gated; `again` too, but are sent once more."""

    released: tuple[Key, ...]
    unknown: tuple[Key, ...]
    again: tuple[Key, ...]


def record_outcomes(tx: Transaction, outcomes: Sequence[Outcome], owner: str, now: datetime) -> set[Key]:
    """Write outcomes with their attempts and facts; the keys that were still ours. The rest changes nothing.

    Sent and unknown are possible only from behind the gate. Whoever settles a delivery wakes its contact.
    """
    if not outcomes:
        return set()
    by_key = {outcome.key: outcome for outcome in outcomes}
    text = _OUTCOMES.text(tx.dialect, [_values(outcome, now) for outcome in by_key.values()])
    written = tx.execute(sql(_record_sql(tx)), {"batch": text, "owner": owner}).all()
    tried: list[Values] = []
    facts: list[Values] = []
    awake: list[int] = []
    for contact_id, seq, revision, number in written:
        outcome = by_key[contact_id, seq]
        if outcome.attempt is not None:
            tried.append(_attempt_row(outcome, outcome.attempt, number))
        facts += [fact_values(contact_id, fact, revision) for fact in outcome.facts]
        if outcome.state.is_settled:
            awake.append(contact_id)
    _INSERT_ATTEMPTS(tx, tried)
    INSERT_LEDGER(tx, facts)
    wake(tx, awake, now)
    return {(row[0], row[1]) for row in written}


def _record_sql(tx: Transaction) -> str:
    return f"""
        UPDATE deliveries SET
            state = new_state, settled_at = new_settled, not_before = coalesce(new_not_before, not_before),
            reason = new_reason, attempts = attempts + more_attempts, tries = tries + more_tries,
            unknowns = unknowns + more_unknowns, owner = NULL, lease_until = NULL
        FROM {_OUTCOMES.sql(tx.dialect)} AS keys
        WHERE contact_id = key_contact AND seq = key_seq AND epoch = key_epoch AND owner = :owner
          AND (state = 'gated' OR (state = 'claimed' AND new_state NOT IN ('sent', 'unknown')))
        RETURNING contact_id, seq, revision, attempts
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
    wake(tx, [contact_id for contact_id, _ in unknown], now)
    return Rescued(tuple(released), tuple(unknown), tuple(again))


_KEYS = Batch(key_contact="int", key_seq="int")


def _free(tx: Transaction, keys: Sequence[Key], changes: str, **values: datetime) -> None:
    if keys:
        tx.execute(
            sql(f"""
                UPDATE deliveries SET {changes}, owner = NULL, lease_until = NULL
                FROM {_KEYS.sql(tx.dialect)} AS keys WHERE contact_id = key_contact AND seq = key_seq
            """),
            {"batch": _KEYS.text(tx.dialect, keys), **values},
        )

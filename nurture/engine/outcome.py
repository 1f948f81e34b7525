"""From what the wire said to what is written down: verdict, retry and suppression, all from the pure tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.recheck import Dropped, NotNow
from nurture.domain.refusals import Refusal
from nurture.domain.retry import Attempt, Fault, Phase, Retry, Scope, Verdict, classify, next_retry, resend_at
from nurture.engine.feedback import told_of
from nurture.storage.deliveries import Claimed
from nurture.storage.outcomes import Outcome

RELAY_PAUSE = timedelta(seconds=30)  # a relay that is down is asked again by the breaker, not by each mail
JUDGE_AGAIN = timedelta(seconds=1)  # long enough for the turn that shut the gate

_KINDS = {
    DeliveryState.SENT: FactKind.SENT,
    DeliveryState.DEFERRED: FactKind.DEFERRED,
    DeliveryState.PLANNED: FactKind.POSTPONED,
    DeliveryState.REJECTED: FactKind.REJECTED,
    DeliveryState.UNKNOWN: FactKind.UNKNOWN,
    DeliveryState.SKIPPED: FactKind.SKIPPED,
    DeliveryState.EXPIRED: FactKind.EXPIRED,
    DeliveryState.CANCELLED: FactKind.CANCELLED,
}


def of_attempt(claimed: Claimed, attempt: Attempt, now: datetime, jitter: float) -> Outcome:
    """One attempt at the wire. `jitter` is one uniform draw of 0..1."""
    verdict = classify(attempt)
    state, not_before = verdict.state, None
    reason, lost = verdict.reason, False
    match verdict.retry:
        case Retry.SCHEDULED:
            delivery = claimed.delivery
            tries = claimed.tries + (1 if verdict.uses_try else 0)
            not_before = next_retry(tries, now, jitter, first_try=delivery.planned_at, expires_at=delivery.expires_at)
            if not_before is None:
                state, reason = DeliveryState.EXPIRED, Reason.RETRIES_EXHAUSTED
        case Retry.WHEN_RELAY_IS_BACK:
            state, not_before = DeliveryState.PLANNED, now + RELAY_PAUSE
        case Retry.BY_KIND:
            not_before = resend_at(claimed.delivery.kind, now, claimed.unknowns + 1)
            if not_before is not None:
                state, lost = DeliveryState.DEFERRED, True
        case Retry.JUDGE_AGAIN:
            not_before = now + JUDGE_AGAIN
        case Retry.NEVER:
            pass
    state = _honest(claimed, state)
    tried = None if attempt.fault in _NOT_TRIED else attempt
    facts = (
        ()
        if tried is None and state is DeliveryState.PLANNED
        else (_fact(claimed, state, reason, now, attempt, not_before),)
    )
    return Outcome(
        contact_id=claimed.delivery.contact_id,
        seq=claimed.delivery.seq,
        epoch=claimed.epoch,
        state=state,
        at=now,
        reason=reason,
        not_before=not_before,
        attempt=tried,
        verdict=_named(verdict),
        uses_try=verdict.uses_try,
        lost=lost,
        facts=facts,
        told=told_of(claimed, attempt, now, is_over=state in {DeliveryState.REJECTED, DeliveryState.EXPIRED}),
        refused=_refusal(claimed, attempt, now) if verdict.scope is Scope.SENDER else None,
        probed=claimed.domain if claimed.probes else None,
    )


def _refusal(claimed: Claimed, attempt: Attempt, now: datetime) -> Refusal:
    """The recipient's domain has no part in what was refused before the recipient was named."""
    domain = claimed.domain if attempt.phase is not Phase.MAIL else None
    return Refusal(claimed.delivery.contact_id, now, claimed.delivery.campaign, domain, attempt.text)


_NOT_TRIED = frozenset({Fault.HELD, Fault.GATE_SHUT, Fault.NOT_ALLOWED})


def of_recheck(claimed: Claimed, judged: NotNow | Dropped, now: datetime) -> Outcome:
    """A mail that did not even come to the wire."""
    if isinstance(judged, NotNow):
        state, not_before, detail = DeliveryState.PLANNED, judged.until, {"until": judged.until.isoformat()}
    else:
        state, not_before, detail = judged.state, None, judged.detail
    outcome = _unsent(claimed, state, judged.reason, now, not_before, detail)
    if judged.reason is Reason.CAMPAIGN_PAUSED and claimed.delivery.not_before > claimed.delivery.planned_at:
        return replace(outcome, facts=())  # said once; it asks again every few minutes
    return outcome


def of_moved(claimed: Claimed, now: datetime) -> Outcome:
    """A mail of unknown fate whose person has another address since: the old one is not hers to write to any more."""
    return _unsent(claimed, DeliveryState.SKIPPED, Reason.NO_ADDRESS, now, None, {})


def of_lost_gate(claimed: Claimed, not_before: datetime, now: datetime) -> Outcome:
    """The database failed at the gate, so the mail did not go: it is as before, and waits for no lease to end."""
    state = DeliveryState.DEFERRED if claimed.tries or claimed.unknowns else DeliveryState.PLANNED
    return Outcome(*claimed.key, claimed.epoch, state, now, not_before=not_before)


def of_template_error(claimed: Claimed, told: str, now: datetime) -> Outcome:
    """The mail cannot be said to this person: the step is skipped, and somebody must look."""
    return _unsent(claimed, DeliveryState.SKIPPED, Reason.TEMPLATE_ERROR, now, None, {"error": told[:500]})


def _unsent(
    claimed: Claimed,
    state: DeliveryState,
    reason: Reason,
    now: datetime,
    not_before: datetime | None,
    detail: dict[str, Any],
) -> Outcome:
    delivery, state = claimed.delivery, _honest(claimed, state)
    fact = Fact(now, _KINDS[state], reason, delivery.campaign, delivery.enrolment, delivery.step, delivery.seq, detail)
    return Outcome(
        contact_id=delivery.contact_id,
        seq=delivery.seq,
        epoch=claimed.epoch,
        state=state,
        at=now,
        reason=reason,
        not_before=not_before,
        facts=(fact,),
    )


def _honest(claimed: Claimed, state: DeliveryState) -> DeliveryState:
    """Where a first copy may have arrived, no later refusal makes it certain that none did."""
    return DeliveryState.UNKNOWN if claimed.unknowns and state in _DID_NOT_GO else state


_DID_NOT_GO = frozenset({DeliveryState.REJECTED, DeliveryState.EXPIRED, DeliveryState.SKIPPED, DeliveryState.CANCELLED})


def _fact(
    claimed: Claimed,
    state: DeliveryState,
    reason: Reason | None,
    now: datetime,
    attempt: Attempt,
    not_before: datetime | None,
) -> Fact:
    delivery = claimed.delivery
    detail: dict[str, Any] = {"phase": attempt.phase.value}
    if attempt.code is not None:
        detail["code"] = attempt.code
    if attempt.fault is not None:
        detail["fault"] = attempt.fault.value
    if attempt.text:
        detail["text"] = attempt.text
    if not_before is not None:
        detail["again_at"] = not_before.isoformat()
    return Fact(now, _KINDS[state], reason, delivery.campaign, delivery.enrolment, delivery.step, delivery.seq, detail)


def _named(verdict: Verdict) -> str:
    return f"{verdict.state.value} {verdict.scope.value}" if verdict.scope is not None else verdict.state.value

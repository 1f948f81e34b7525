from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.domain.delivery import DeliveryState as S
from nurture.domain.ledger import Reason
from nurture.domain.retry import (
    HARD_MAXIMUM,
    Attempt,
    Fault,
    Phase,
    Retry,
    Scope,
    classify,
    next_retry,
    resend_at,
)
from nurture.domain.steps import MailKind

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FAR = NOW + timedelta(days=30)
P, F = Phase, Fault

REPLIES = [
    # stage, code, enhanced, text -> state, scope, reason
    (P.CONNECT, 421, None, "busy", S.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY),
    (P.CONNECT, 554, None, "no service", S.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY),
    (P.TLS, 454, "4.7.0", "TLS not available", S.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY),
    (P.TLS, 502, None, "not implemented", S.DEFERRED, Scope.RELAY_MISCONFIGURED, Reason.RELAY),
    (P.AUTH, 454, "4.7.0", "temporary failure", S.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY),
    (P.AUTH, 421, None, "too many", S.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY),
    (P.AUTH, 530, "5.7.0", "must STARTTLS", S.DEFERRED, Scope.RELAY_MISCONFIGURED, Reason.RELAY),
    (P.AUTH, 534, "5.7.9", "too weak", S.DEFERRED, Scope.RELAY_MISCONFIGURED, Reason.RELAY),
    (P.AUTH, 535, "5.7.8", "bad credentials", S.DEFERRED, Scope.RELAY_MISCONFIGURED, Reason.RELAY),
    (P.AUTH, 538, "5.7.11", "encryption required", S.DEFERRED, Scope.RELAY_MISCONFIGURED, Reason.RELAY),
    (P.MAIL, 421, "4.3.2", "closing", S.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY),
    (P.MAIL, 421, "4.7.28", "unusual rate of mail", S.DEFERRED, Scope.DOMAIN, Reason.RELAY),
    (P.MAIL, 451, "4.3.0", "local error", S.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY),
    (P.MAIL, 452, "4.3.1", "out of disk", S.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY),
    (P.MAIL, 530, "5.7.0", "authentication required", S.DEFERRED, Scope.RELAY_MISCONFIGURED, Reason.RELAY),
    (P.MAIL, 550, "5.7.1", "sender not owned", S.DEFERRED, Scope.SENDER, Reason.SENDER),
    (P.MAIL, 553, "5.1.8", "sender domain", S.DEFERRED, Scope.SENDER, Reason.SENDER),
    (P.MAIL, 552, "5.3.4", "message too big", S.REJECTED, Scope.MESSAGE, Reason.CONTENT),
    (P.MAIL, 552, None, "size exceeds maximum", S.REJECTED, Scope.MESSAGE, Reason.CONTENT),
    (P.RCPT, 450, "4.2.0", "try later", S.DEFERRED, Scope.RECIPIENT, Reason.RELAY),
    (P.RCPT, 451, "4.7.1", "Greylisted, try again", S.DEFERRED, Scope.RECIPIENT, Reason.RELAY),
    (P.RCPT, 450, "4.2.1", "receiving at a rate", S.DEFERRED, Scope.RECIPIENT, Reason.RELAY),
    (P.RCPT, 452, "4.2.2", "mailbox full", S.DEFERRED, Scope.RECIPIENT, Reason.RELAY),
    (P.RCPT, 452, "4.5.3", "too many recipients", S.DEFERRED, Scope.RECIPIENT, Reason.RELAY),
    (P.RCPT, 421, None, "closing", S.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY),
    (P.RCPT, 550, "5.1.1", "no such user", S.REJECTED, Scope.RECIPIENT, Reason.ADDRESS),
    (P.RCPT, 550, None, "no", S.REJECTED, Scope.RECIPIENT, Reason.ADDRESS),
    (P.RCPT, 551, "5.1.6", "moved", S.REJECTED, Scope.RECIPIENT, Reason.ADDRESS),
    (P.RCPT, 552, "5.2.2", "over quota", S.REJECTED, Scope.RECIPIENT, Reason.ADDRESS),
    (P.RCPT, 553, "5.6.7", "no SMTPUTF8", S.REJECTED, Scope.RECIPIENT, Reason.UNSUPPORTED),
    (P.RCPT, 550, "5.7.1", "blocked by Spamhaus", S.REJECTED, Scope.SENDER, Reason.SENDER),
    (P.RCPT, 550, "5.1.1", "rejected for policy reasons", S.REJECTED, Scope.SENDER, Reason.SENDER),
    (P.RCPT, 530, None, "authentication required", S.DEFERRED, Scope.RELAY_MISCONFIGURED, Reason.RELAY),
    (P.RCPT, 556, "5.1.10", "null MX", S.REJECTED, Scope.RECIPIENT, Reason.ADDRESS),
    (P.DATA, 451, "4.3.0", "later", S.DEFERRED, Scope.MESSAGE, Reason.RELAY),
    (P.DATA, 554, "5.5.1", "no", S.REJECTED, Scope.MESSAGE, Reason.CONTENT),
    (P.DATA, 554, "5.7.1", "no", S.REJECTED, Scope.SENDER, Reason.SENDER),
    (P.DOT, 421, "4.3.2", "shutting down", S.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY),
    (P.DOT, 421, "4.7.0", "too much spam from you", S.DEFERRED, Scope.DOMAIN, Reason.RELAY),
    (P.DOT, 451, "4.3.0", "queue error", S.DEFERRED, Scope.MESSAGE, Reason.RELAY),
    (P.DOT, 550, "5.7.26", "DMARC fails", S.REJECTED, Scope.SENDER, Reason.SENDER),
    (P.DOT, 550, "5.7.515", "not authenticated", S.REJECTED, Scope.SENDER, Reason.SENDER),
    (P.DOT, 554, "5.6.0", "malformed", S.REJECTED, Scope.MESSAGE, Reason.CONTENT),
    (P.DOT, 552, "5.3.4", "too big", S.REJECTED, Scope.MESSAGE, Reason.CONTENT),
    (P.DOT, 550, "5.1.1", "user unknown", S.REJECTED, Scope.RECIPIENT, Reason.ADDRESS),
    (P.DOT, 552, None, "mailbox is full", S.REJECTED, Scope.RECIPIENT, Reason.ADDRESS),
    (P.DOT, 554, None, "transaction failed", S.REJECTED, Scope.MESSAGE, Reason.CONTENT),
    (P.BODY, 552, "5.3.4", "too big", S.REJECTED, Scope.MESSAGE, Reason.CONTENT),
    (P.DONE, 250, "2.0.0", "queued", S.SENT, None, Reason.ACCEPTED),
    (P.DOT, 354, None, "again?", S.UNKNOWN, Scope.RELAY_DOWN, Reason.NO_REPLY),
    (P.RCPT, 354, None, "what", S.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY),
]


@pytest.mark.parametrize(("phase", "code", "enhanced", "text", "state", "scope", "reason"), REPLIES)
def test_a_reply_means_what_the_table_says(phase, code, enhanced, text, state, scope, reason):
    verdict = classify(Attempt(phase, code, enhanced, text))
    assert (verdict.state, verdict.scope, verdict.reason) == (state, scope, reason)


FAULTS = [
    (P.CONNECT, F.UNREACHABLE, S.DEFERRED, Scope.RELAY_DOWN, False),
    (P.CONNECT, F.TIMED_OUT, S.DEFERRED, Scope.RELAY_DOWN, False),
    (P.TLS, F.NO_TLS, S.DEFERRED, Scope.RELAY_MISCONFIGURED, False),
    (P.TLS, F.BAD_CERTIFICATE, S.DEFERRED, Scope.RELAY_MISCONFIGURED, False),
    (P.AUTH, F.NO_AUTH, S.DEFERRED, Scope.RELAY_MISCONFIGURED, False),
    (P.AUTH, F.CLOSED, S.DEFERRED, Scope.RELAY_DOWN, False),
    (P.MAIL, F.CLOSED, S.DEFERRED, Scope.RELAY_DOWN, True),
    (P.DATA, F.TIMED_OUT, S.DEFERRED, Scope.RELAY_DOWN, True),
    (P.BODY, F.CLOSED, S.DEFERRED, Scope.RELAY_DOWN, True),
    (P.DOT, F.CLOSED, S.UNKNOWN, Scope.RELAY_DOWN, True),
    (P.DOT, F.TIMED_OUT, S.UNKNOWN, Scope.RELAY_DOWN, True),
    (P.DOT, F.GARBAGE, S.UNKNOWN, Scope.RELAY_DOWN, True),
    (P.GATE, F.GATE_SHUT, S.PLANNED, None, False),
    (P.CONNECT, F.HELD, S.DEFERRED, None, False),
    (P.CONNECT, F.NOT_ALLOWED, S.SKIPPED, None, False),
    (P.MAIL, F.UNSUPPORTED, S.REJECTED, Scope.RECIPIENT, True),
    (P.MAIL, F.TOO_BIG, S.REJECTED, Scope.MESSAGE, True),
    (P.BODY, F.LOCAL, S.DEFERRED, Scope.RELAY_DOWN, False),
]


@pytest.mark.parametrize(("phase", "fault", "state", "scope", "uses_try"), FAULTS)
def test_a_fault_means_what_the_table_says(phase, fault, state, scope, uses_try):
    verdict = classify(Attempt(phase, fault=fault))
    assert (verdict.state, verdict.scope, verdict.uses_try) == (state, scope, uses_try)


attempts = st.builds(
    Attempt,
    st.sampled_from(Phase),
    st.none() | st.integers(200, 599),
    st.none() | st.sampled_from(["2.0.0", "4.7.1", "5.1.1", "5.7.1", "4.2.1"]),
    st.text(max_size=40),
    st.none() | st.sampled_from(Fault),
)


@given(attempts)
def test_every_attempt_has_a_verdict_and_only_the_dot_can_leave_one_unknown(attempt):
    verdict = classify(attempt)
    assert (verdict.state is S.UNKNOWN) <= (attempt.phase is Phase.DOT)
    assert (verdict.state is S.SENT) == (attempt.phase is Phase.DONE)


@given(attempts)
def test_what_never_reached_mail_uses_up_no_try_of_anybody(attempt):
    if attempt.phase in {Phase.CONNECT, Phase.TLS, Phase.AUTH} and attempt.fault not in {
        Fault.UNSUPPORTED,
        Fault.TOO_BIG,
        Fault.BAD_MESSAGE,
    }:
        assert not classify(attempt).uses_try


def test_greylisting_is_not_a_reason_to_slow_down_but_throttling_is():
    assert not classify(Attempt(P.RCPT, 451, "4.7.1", "greylisting in action")).slow_down
    assert classify(Attempt(P.RCPT, 451, "4.7.500", "server busy")).slow_down
    assert classify(Attempt(P.RCPT, 450, "4.2.1", "")).slow_down


def test_what_is_our_fault_tells_a_human():
    assert classify(Attempt(P.AUTH, 535, "5.7.8", "no")).alarm
    assert classify(Attempt(P.RCPT, 550, "5.7.1", "spam")).alarm
    assert not classify(Attempt(P.RCPT, 550, "5.1.1", "no such user")).alarm


def test_retries_come_after_5_10_20_40_and_then_every_60_minutes():
    waits = [
        (next_retry(tries, NOW, 0.5, first_try=NOW, expires_at=FAR) - NOW) / timedelta(minutes=1)
        for tries in range(1, 8)
    ]
    assert waits == [5, 10, 20, 40, 60, 60, 60]


@given(st.integers(1, 50), st.floats(0, 1))
def test_jitter_spreads_by_a_fifth_and_the_first_retry_never_comes_before_five_minutes(tries, jitter):
    middle = next_retry(tries, NOW, 0.5, first_try=NOW, expires_at=FAR) - NOW
    wait = next_retry(tries, NOW, jitter, first_try=NOW, expires_at=FAR) - NOW
    assert wait >= timedelta(minutes=5)
    assert 0.8 * middle <= wait <= 1.2 * middle + timedelta(microseconds=1)


def test_there_is_no_retry_past_the_end_of_validity():
    assert next_retry(1, NOW, 0.5, first_try=NOW, expires_at=NOW + timedelta(minutes=5)) is None
    assert next_retry(1, NOW, 0.5, first_try=NOW, expires_at=NOW + timedelta(minutes=6)) is not None


def test_there_is_no_retry_five_days_after_the_first_try():
    late = NOW + HARD_MAXIMUM - timedelta(minutes=30)
    assert next_retry(9, late, 0.5, first_try=NOW, expires_at=FAR) is None


def test_a_draw_outside_0_to_1_is_refused():
    with pytest.raises(ValueError, match="jitter"):
        next_retry(1, NOW, 1.5, first_try=NOW, expires_at=FAR)


def test_a_marketing_mail_of_unknown_fate_is_never_sent_again():
    assert resend_at(MailKind.MARKETING, NOW, copies=1) is None


def test_a_transactional_mail_of_unknown_fate_is_sent_once_more_after_a_quarter_of_an_hour():
    assert resend_at(MailKind.TRANSACTIONAL, NOW, copies=1) == NOW + timedelta(minutes=15)
    assert resend_at(MailKind.TRANSACTIONAL, NOW, copies=2) is None


def test_an_unknown_mail_is_left_to_the_policy_of_its_kind():
    assert classify(Attempt(P.DOT, fault=F.CLOSED)).retry is Retry.BY_KIND

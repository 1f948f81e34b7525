"""What one attempt to hand over a mail means: for the delivery, the person, the relay; and when to try again.

The sender makes exactly one attempt and reports the stage it reached. Everything else is decided here, from values:

    before the dot was written   the server must discard (RFC 5321 4.1.1.4): safe to try again, whatever went wrong
    after the dot, a reply       definite: 2xx accepted, 4xx refused for now, 5xx refused
    after the dot, no reply      unknown: the server may have it (RFC 1047). Only the kind of mail decides what follows
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from nurture.domain import reply_texts
from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Reason
from nurture.domain.steps import MailKind


class Phase(StrEnum):
    """How far an attempt came. `connect` is name, TCP, greeting and EHLO; `done` is a 2xx to the final dot."""

    CONNECT = "connect"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    GATE = "gate"
    BODY = "body"
    DOT = "dot"
    DONE = "done"


class Fault(StrEnum):
    """What ended an attempt, where it was not a reply."""

    UNREACHABLE = "unreachable"  # no name, no route, refused
    TIMED_OUT = "timed_out"
    CLOSED = "closed"
    GARBAGE = "garbage"  # not an SMTP reply
    NO_TLS = "no_tls"  # required, and not offered or not possible
    BAD_CERTIFICATE = "bad_certificate"
    NO_AUTH = "no_auth"  # credentials are set, and the server offers no way to use them
    UNSUPPORTED = "unsupported"  # the server lacks an extension this mail needs
    TOO_BIG = "too_big"  # larger than the SIZE the server announced
    BAD_MESSAGE = "bad_message"  # bytes or addresses that must not go on the wire
    GATE_SHUT = "gate_shut"
    HELD = "held"  # the breaker is open, or we are stopping: nothing was tried
    NOT_ALLOWED = "not_allowed"  # not on the allow list of this installation
    LOCAL = "local"  # the local inbox could not be written


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one mail. `text` is the cleaned reply or the fault in words (at most 512 characters)."""

    phase: Phase
    code: int | None = None
    enhanced: str | None = None
    text: str = ""
    fault: Fault | None = None


class Scope(StrEnum):
    """Whose matter a failure is; also who has to wait."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    SENDER = "sender"
    DOMAIN = "domain"
    RELAY_DOWN = "relay_down"
    RELAY_MISCONFIGURED = "relay_misconfigured"

    @property
    def is_relay(self) -> bool:
        return self in {Scope.RELAY_DOWN, Scope.RELAY_MISCONFIGURED}


class Retry(StrEnum):
    NEVER = "never"
    SCHEDULED = "scheduled"  # next_retry()
    WHEN_RELAY_IS_BACK = "when_relay_is_back"  # the breaker says when; no try of this person was used up
    BY_KIND = "by_kind"  # resend_at()
    JUDGE_AGAIN = "judge_again"  # back to planned: the next turn decides


@dataclass(frozen=True, slots=True)
class Verdict:
    """`uses_try`: counts towards this delivery's retries. `slow_down`: spare the domain. `alarm`: tell a human."""

    state: DeliveryState
    scope: Scope | None
    reason: Reason | None
    retry: Retry = Retry.NEVER
    uses_try: bool = True
    slow_down: bool = False
    alarm: bool = False


def classify(attempt: Attempt) -> Verdict:
    """The verdict on an attempt: total, and the same for the same values. RELAY faults never touch the person."""
    if attempt.phase is Phase.DONE:
        return _ACCEPTED
    if attempt.code is None:
        return _by_fault(attempt)
    if attempt.phase in _CONNECTING:
        return _connecting(attempt)
    if attempt.code // 100 == 5:
        return _refused(attempt)
    if attempt.code // 100 == 4:
        return _put_off(attempt)
    return _by_fault(replace(attempt, code=None, fault=Fault.GARBAGE))


_CONNECTING = frozenset({Phase.CONNECT, Phase.TLS, Phase.AUTH})
_ACCEPTED = Verdict(DeliveryState.SENT, None, Reason.ACCEPTED)
_DOWN = Verdict(DeliveryState.DEFERRED, Scope.RELAY_DOWN, Reason.RELAY, Retry.WHEN_RELAY_IS_BACK, uses_try=False)
_MISCONFIGURED = replace(_DOWN, scope=Scope.RELAY_MISCONFIGURED, alarm=True)
_PUT_OFF = Verdict(DeliveryState.DEFERRED, Scope.RECIPIENT, Reason.RELAY, Retry.SCHEDULED)
_TOO_BIG = Verdict(DeliveryState.REJECTED, Scope.MESSAGE, Reason.CONTENT, alarm=True)
_UNSUPPORTED = Verdict(DeliveryState.REJECTED, Scope.RECIPIENT, Reason.UNSUPPORTED)
_SENDER = Verdict(DeliveryState.REJECTED, Scope.SENDER, Reason.SENDER, slow_down=True, alarm=True)
_HELD = replace(_DOWN, scope=None)

_FAULTS = {
    Fault.NO_TLS: _MISCONFIGURED,
    Fault.BAD_CERTIFICATE: _MISCONFIGURED,
    Fault.NO_AUTH: _MISCONFIGURED,
    Fault.UNSUPPORTED: _UNSUPPORTED,
    Fault.TOO_BIG: _TOO_BIG,
    Fault.BAD_MESSAGE: _TOO_BIG,
    Fault.GATE_SHUT: Verdict(DeliveryState.PLANNED, None, None, Retry.JUDGE_AGAIN, uses_try=False),
    Fault.HELD: _HELD,
    Fault.NOT_ALLOWED: Verdict(DeliveryState.SKIPPED, None, Reason.NOT_ALLOWED_HERE, uses_try=False),
    Fault.LOCAL: _DOWN,
}


def _by_fault(attempt: Attempt) -> Verdict:
    if attempt.fault in _FAULTS:
        return _FAULTS[attempt.fault]
    if attempt.phase is Phase.DOT:
        return Verdict(DeliveryState.UNKNOWN, Scope.RELAY_DOWN, Reason.NO_REPLY, Retry.BY_KIND)
    if attempt.phase in _CONNECTING:
        return _DOWN
    # A mail that makes the relay hang up must not go round for ever, so from MAIL on a try is used up.
    return replace(_DOWN, retry=Retry.SCHEDULED, uses_try=True)


def _connecting(attempt: Attempt) -> Verdict:
    code = attempt.code or 0
    if attempt.phase is Phase.CONNECT or code // 100 == 4:
        return _DOWN
    return _MISCONFIGURED


def _put_off(attempt: Attempt) -> Verdict:
    slow = _asks_to_slow_down(attempt)
    if attempt.code == 421 or attempt.phase is Phase.MAIL:
        # "421 4.7.x too much mail" is about what we send to that domain; a bare 421 is the relay going away.
        return replace(_PUT_OFF, scope=Scope.DOMAIN if slow else Scope.RELAY_DOWN, slow_down=slow)
    if attempt.phase is Phase.RCPT:
        return replace(_PUT_OFF, slow_down=slow)
    return replace(_PUT_OFF, scope=Scope.DOMAIN if slow else Scope.MESSAGE, slow_down=slow)


def _asks_to_slow_down(attempt: Attempt) -> bool:
    if reply_texts.says_greylisted(attempt.text):
        return False
    enhanced = attempt.enhanced or ""
    return enhanced.startswith("4.7.") or enhanced == "4.2.1" or reply_texts.says_slow_down(attempt.text)


def _refused(attempt: Attempt) -> Verdict:
    enhanced, text = attempt.enhanced or "", attempt.text
    if attempt.code in {530, 535, 538} and attempt.phase in {Phase.MAIL, Phase.RCPT}:
        return _MISCONFIGURED
    if enhanced in {"5.6.7", "5.6.9"}:
        return _UNSUPPORTED
    if enhanced in {"5.3.4", "5.2.3"} or (attempt.phase is Phase.MAIL and attempt.code == 552):
        return _TOO_BIG
    if attempt.phase is Phase.MAIL:
        # Our own sender address or standing: the mail itself can still go once that is put right.
        return replace(_SENDER, state=DeliveryState.DEFERRED, retry=Retry.SCHEDULED, slow_down=False)
    if enhanced.startswith("5.7.") or enhanced in {"5.1.7", "5.1.8"} or reply_texts.is_about_us(text):
        return _SENDER
    if _names_the_recipient(attempt):
        return Verdict(DeliveryState.REJECTED, Scope.RECIPIENT, Reason.ADDRESS)
    return Verdict(DeliveryState.REJECTED, Scope.MESSAGE, Reason.CONTENT)


def _names_the_recipient(attempt: Attempt) -> bool:
    enhanced = attempt.enhanced or ""
    if enhanced.startswith(("5.1.", "5.2.")):
        return True
    if reply_texts.says_no_such_user(attempt.text) or reply_texts.says_mailbox_full(attempt.text):
        return True
    return attempt.phase is Phase.RCPT and not enhanced.startswith(("5.3.", "5.5.", "5.6."))


# --- when to try again -----------------------------------------------------------------------------------------------

INTERVALS = tuple(timedelta(minutes=minutes) for minutes in (5, 10, 20, 40, 60))
FIRST_RETRY_AT_LEAST = timedelta(minutes=5)  # sooner, and greylisting never lets us in
HARD_MAXIMUM = timedelta(days=5)  # RFC 5321 4.5.4.1
SPREAD = 0.2
RESEND_GRACE = timedelta(minutes=15)


def next_retry(
    tries: int, now: datetime, jitter: float, *, first_try: datetime, expires_at: datetime
) -> datetime | None:
    """The instant of the next try after `tries` used-up ones (1 = the first failed), None when there is none left.

    `jitter` is 0..1 and spreads by +-20 %. Never past the end of the validity window, nor 5 days after the first try.
    """
    if not 0 <= jitter <= 1:
        raise ValueError(f"jitter {jitter!r} is not between 0 and 1; pass one uniform draw")
    interval = INTERVALS[min(max(tries, 1), len(INTERVALS)) - 1]
    wait = max(interval * (1 - SPREAD + 2 * SPREAD * jitter), FIRST_RETRY_AT_LEAST)
    at = now + wait
    return at if at < min(expires_at, first_try + HARD_MAXIMUM) else None


def resend_at(kind: MailKind, unknown_since: datetime, copies: int) -> datetime | None:
    """When a mail of unknown fate may go once more with the same bytes: never for marketing, once for transactional.

    `copies` counts how often its dot was written without an answer. A second unknown stays unknown.
    """
    if kind is MailKind.MARKETING or copies > 1:
        return None
    return unknown_since + RESEND_GRACE

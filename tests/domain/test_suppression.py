from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nurture.domain.suppression import Strike, Suppression, is_dead, suppression_for

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
S = Suppression

CAUSES = [
    # code, status, text, came later -> weight
    (550, "5.1.1", "The email account that you tried to reach does not exist.", False, S.NOW),
    (550, "5.1.1", "User unknown", True, S.NOW),
    (501, "5.1.3", "Bad recipient address syntax", False, S.NOW),
    (550, "5.1.6", "Mailbox has moved", False, S.NOW),
    (556, "5.1.10", "Recipient address has null MX", False, S.NOW),
    (550, None, "No such user here", False, S.NOW),
    (551, None, "unknown recipient <spam@shop.example>", False, S.NOW),
    (550, "5.0.0", "Mailbox not found", False, S.NOW),
    (None, None, "unknown user: ana", True, S.SECOND_STRIKE),
    (550, "5.1.2", "bad destination system", False, S.SECOND_STRIKE),
    (550, "5.4.4", "unable to route: NXDOMAIN", True, S.SECOND_STRIKE),
    (550, "5.2.1", "mailbox disabled", False, S.SECOND_STRIKE),
    (452, "4.2.2", "mailbox full", False, S.SOFT_POINT),
    (552, "5.2.2", "over quota", False, S.SOFT_POINT),
    (552, None, "Requested action aborted: the mailbox is full", False, S.SOFT_POINT),
    (None, "4.4.7", "delivery time expired", True, S.SOFT_POINT),
    (450, "4.4.1", "no answer from host", False, S.NEVER),
    (550, "5.7.26", "unauthenticated email is not accepted due to DMARC", False, S.NEVER),
    (550, "5.7.515", "Access denied, sending domain does not meet the level", False, S.NEVER),
    (421, "4.7.28", "an unusual rate of mail", False, S.NEVER),
    (550, "5.1.1", "blocked using zen.spamhaus.org", False, S.NEVER),
    (550, "5.1.1", "Recipient rejected for policy reasons", False, S.NEVER),
    (550, "5.1.8", "sender domain does not resolve", False, S.NEVER),
    (554, "5.6.0", "bad content", False, S.NEVER),
    (552, "5.3.4", "message too big", False, S.NEVER),
    (550, "5.4.1", "Recipient address rejected: Access denied", False, S.NEVER),
    (550, None, "not today", False, S.NEVER),
    (450, None, "user unknown", False, S.NEVER),
    (554, "5.7.1", "relay access denied", False, S.NEVER),
    (550, "5.1.1", "SPF check failed", False, S.NEVER),
    (451, "4.7.1", "greylisted", False, S.NEVER),
]


@pytest.mark.parametrize(("code", "status", "text", "later", "weight"), CAUSES)
def test_an_address_is_judged_on_the_cause(code, status, text, later, weight):
    assert suppression_for(code=code, enhanced=status, text=text, asynchronous=later) is weight


def strikes(weight, *days):
    return [Strike(NOW - DAY * ago, weight) for ago in days]


def test_one_clear_refusal_is_enough():
    assert is_dead(strikes(S.NOW, 0), NOW)


def test_a_doubtful_one_needs_a_second_a_day_later():
    assert not is_dead(strikes(S.SECOND_STRIKE, 0), NOW)
    assert not is_dead(strikes(S.SECOND_STRIKE, 0, 0.5), NOW)
    assert is_dead(strikes(S.SECOND_STRIKE, 0, 1), NOW)


def test_a_full_mailbox_counts_after_three_mails_over_two_weeks():
    assert not is_dead(strikes(S.SOFT_POINT, 0, 20), NOW)
    assert not is_dead(strikes(S.SOFT_POINT, 0, 5, 10), NOW)
    assert is_dead(strikes(S.SOFT_POINT, 0, 5, 14), NOW)


def test_soft_points_are_forgotten_after_ninety_days():
    assert not is_dead(strikes(S.SOFT_POINT, 0, 50, 91), NOW)


def test_a_delivery_in_between_wipes_the_slate():
    assert not is_dead(strikes(S.SOFT_POINT, 1, 5, 20), NOW, last_delivered=NOW - 3 * DAY)
    assert not is_dead(strikes(S.NOW, 5), NOW, last_delivered=NOW - DAY)


def test_what_never_counts_never_adds_up():
    assert not is_dead(strikes(S.NEVER, *range(50)), NOW)

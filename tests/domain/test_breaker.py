from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.domain.breaker import Breaker, BreakerState, Pace
from nurture.domain.mailbox_providers import provider_of
from nurture.domain.retry import Attempt, Fault, Phase, classify

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SENT = classify(Attempt(Phase.DONE, 250))
DOWN = classify(Attempt(Phase.CONNECT, fault=Fault.UNREACHABLE))
WRONG = classify(Attempt(Phase.AUTH, 535))
NO_SUCH_USER = classify(Attempt(Phase.RCPT, 550, "5.1.1"))
SHUT = classify(Attempt(Phase.GATE, fault=Fault.GATE_SHUT))
THROTTLED = classify(Attempt(Phase.RCPT, 421, "4.7.28", "unusual rate"))


def after(breaker, *verdicts, now=NOW):
    for verdict in verdicts:
        breaker = breaker.after(verdict, now)
    return breaker


def test_five_relay_failures_in_a_row_open_it():
    assert after(Breaker(), *[DOWN] * 4).may_send(NOW)
    opened = after(Breaker(), *[DOWN] * 5)
    assert opened.state is BreakerState.OPEN
    assert not opened.may_send(NOW)


def test_half_of_the_last_twenty_open_it():
    mixed = [SENT, DOWN] * 9
    assert after(Breaker(), *mixed).state is BreakerState.CLOSED
    assert after(Breaker(), *mixed, SENT, DOWN).state is BreakerState.OPEN


def test_refused_people_never_open_it():
    assert after(Breaker(), *[NO_SUCH_USER] * 50).state is BreakerState.CLOSED


def test_a_shut_gate_says_nothing_about_the_relay():
    assert after(Breaker(), *[DOWN, SHUT] * 4, DOWN).state is BreakerState.OPEN


def test_a_wrong_set_up_opens_it_at_once_and_for_longer():
    opened = after(Breaker(), WRONG)
    assert opened.state is BreakerState.OPEN
    assert opened.probe_at == NOW + 15 * MINUTE


def test_probes_come_after_half_a_minute_and_double_up_to_a_quarter_of_an_hour():
    breaker, now, pauses = after(Breaker(), *[DOWN] * 5), NOW, []
    for _ in range(8):
        pauses.append((breaker.probe_at - now) / SECOND)
        now = breaker.probe_at
        assert breaker.may_send(now)
        breaker = breaker.probing(now)
        assert not breaker.may_send(now), "a probe is one mail"
        breaker = breaker.after(DOWN, now)
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]


def test_a_probe_that_nobody_reported_on_does_not_keep_it_shut_for_ever():
    breaker = after(Breaker(), *[DOWN] * 5).probing(NOW + 30 * SECOND)
    assert breaker.may_send(NOW + 60 * SECOND)


def test_a_good_probe_closes_it_and_traffic_comes_back_slowly():
    breaker = after(Breaker(), *[DOWN] * 5).probing(NOW + 30 * SECOND)
    assert breaker.share(NOW) == 0
    then = NOW + 31 * SECOND
    closed = breaker.after(SENT, then)
    assert closed.state is BreakerState.CLOSED
    assert [closed.share(then + MINUTE * n) for n in range(4)] == [0.25, 0.5, 1.0, 1.0]
    assert [closed.room(then + MINUTE * n, 40) for n in range(4)] == [10, 20, 40, 40]


def test_the_ramp_is_not_forgotten_while_mail_flows():
    breaker = after(Breaker(), *[DOWN] * 5).probing(NOW).after(SENT, NOW)
    assert after(breaker, SENT, SENT).share(NOW) == 0.25
    assert breaker.after(SENT, NOW + 5 * MINUTE).ramp_from is None


def test_stragglers_do_not_close_an_open_breaker():
    assert after(Breaker(), *[DOWN] * 5, SENT, SENT).state is BreakerState.OPEN


@given(st.lists(st.sampled_from([SENT, DOWN, WRONG, NO_SUCH_USER, SHUT]), max_size=30), st.booleans())
def test_it_survives_the_trip_through_a_row(verdicts, probing):
    breaker = after(Breaker(), *verdicts)
    breaker = breaker.probing(NOW + MINUTE) if probing else breaker
    assert Breaker.from_json(json.loads(json.dumps(breaker.to_json()))) == breaker


def test_pace_rises_by_one_after_a_clean_cohort_and_halves_when_asked():
    pace = Pace(limit=4)
    for _ in range(4):
        pace = pace.after(SENT)
    assert pace.limit == 5
    assert pace.after(THROTTLED).limit == 2
    assert Pace(limit=1).after(THROTTLED).limit == 1


def test_pace_has_a_ceiling():
    pace = Pace(limit=19)
    for _ in range(100):
        pace = pace.after(SENT)
    assert pace.limit == 20


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("ana@gmail.com", "google"),
        ("ana@GoogleMail.com", "google"),
        ("hotmail.co.uk", "microsoft"),
        ("outlook.fr", "microsoft"),
        ("yahoo.co.jp", "yahoo"),
        ("aol.com", "yahoo"),
        ("live.shop.example", "live.shop.example"),
        ("yahoo.evil.com", "yahoo.evil.com"),
        ("Shop.Example.", "shop.example"),
    ],
)
def test_families_of_domains_share_their_pace(address, provider):
    assert provider_of(address) == provider

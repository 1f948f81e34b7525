"""When refusals that are about the sender are too many, and how long a mailbox provider is left alone then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nurture.domain.refusals import WINDOW, DomainPause, StormRule, is_about_sender, paused

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_a_storm_is_more_than_five_of_up_to_a_hundred_mails_or_five_percent_of_more():
    rule = StormRule()
    assert (rule.newest, rule.enough) == (6, 121)
    assert not rule.is_storm(5, 5)
    assert rule.is_storm(6, 6)
    assert rule.is_storm(6, 119)
    assert not rule.is_storm(6, 120)
    assert not StormRule(100).is_storm(200, 200), "a hundred percent: never"


def test_the_pause_is_longer_each_time_the_probe_is_refused_up_to_a_day():
    pause = paused("example.org", 6, 6, "blocked", NOW)
    assert pause.probe_at == NOW + timedelta(hours=1)
    lengths = []
    for _ in range(6):
        pause = pause.refused_again(NOW)
        lengths.append(pause.length / timedelta(hours=1))
        assert pause.probe_at == NOW + pause.length
    assert lengths == [2, 4, 8, 16, 24, 24]


def test_a_storm_soon_after_the_last_begins_with_a_longer_pause():
    def again(ended_at: datetime) -> timedelta:
        before = DomainPause("example.org", NOW, 6, 6, "", NOW, timedelta(hours=4), ended_at)
        return paused("example.org", 6, 6, "", NOW, before).length

    assert again(NOW - timedelta(hours=1)) == timedelta(hours=8)
    assert again(NOW - WINDOW) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("enhanced", "text", "expected"),
    [
        ("5.7.26", "unauthenticated", True),
        ("4.7.28", "unusual rate", True),
        ("5.1.8", "bad sender", True),
        (None, "554 client host blocked using zen.spamhaus.org", True),
        ("5.1.1", "no such user", False),
        ("5.2.2", "mailbox full", False),
        ("5.6.1", "media not supported", False),
    ],
)
def test_what_came_back_counts_by_its_cause(enhanced: str | None, text: str, expected: bool):
    assert is_about_sender(enhanced, text) is expected

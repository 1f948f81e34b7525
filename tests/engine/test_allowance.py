"""The relay's rate limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nurture.engine.allowance import MINUTE, Allowance

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


@given(st.integers(1, 50), st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), max_size=60), st.booleans())
def test_no_sixty_seconds_see_more_than_the_limit(limit: int, steps: list[tuple[int, int]], halved: bool) -> None:
    allowance = Allowance(limit)
    allowance.halved = halved
    now, begun = NOW, []
    for seconds, wanted in steps:
        now += timedelta(seconds=seconds)
        number = allowance.room(wanted, now)
        allowance.take(number, now)
        begun.append((now, number))
    most = max(limit // 2, 1) if halved else limit
    for start, _ in begun:
        assert sum(number for at, number in begun if start <= at < start + MINUTE) <= most


def test_room_comes_back_when_a_minute_has_passed() -> None:
    allowance = Allowance(10)
    allowance.take(allowance.room(50, NOW), NOW)
    assert allowance.room(50, NOW + timedelta(seconds=59)) == 0
    assert allowance.room(50, NOW + MINUTE) == 10


def test_without_a_limit_everything_may_begin() -> None:
    assert Allowance().room(200, NOW) == 200


def test_after_an_outage_half_of_it() -> None:
    allowance = Allowance()
    allowance.halved = True
    assert allowance.room(200, NOW) == 100
    assert allowance.room(1, NOW) == 1

"""The relay's rate limit."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from nurture.domain.ration import MINUTE, Ration

NOW = 1_900_000_000.0


@given(st.integers(1, 500), st.lists(st.tuples(st.floats(0, 40), st.integers(1, 300)), max_size=60))
def test_no_sixty_seconds_see_more_than_the_limit_and_no_second_more_than_two_seconds_worth(
    limit: int, steps: list[tuple[float, int]]
) -> None:
    ration, now, begun = Ration(), NOW, []
    for seconds, wanted in steps:
        now += seconds
        number = min(ration.room(limit, now), wanted)
        ration = Ration.from_json(json.loads(json.dumps(ration.take(number, limit, now).to_json())))
        begun.append((now, number))
    for start, _ in begun:
        assert sum(number for at, number in begun if start <= at < start + MINUTE) <= limit
        assert sum(number for at, number in begun if start <= at < start + 1) <= max(1, limit / 60 * 3)


def test_a_daemon_that_looks_about_once_a_second_uses_the_whole_limit() -> None:
    ration, begun = Ration(), 0
    for second in range(600):
        now = NOW + second + (second % 7) / 20  # ticks are not on time to the millisecond
        number = ration.room(600, now)
        ration, begun = ration.take(number, 600, now), begun + number
    assert 5_950 <= begun <= 6_020


def test_a_small_limit_is_one_mail_now_and_then() -> None:
    ration = Ration().take(1, 2, NOW)
    assert [ration.room(2, NOW + seconds) for seconds in (0, 29, 31)] == [0, 0, 1]


def test_what_is_kept_stays_small() -> None:
    ration = Ration()
    for step in range(10_000):
        ration = ration.take(1, 60_000, NOW + step / 100)
    assert len(ration.taken) <= 2 * MINUTE + 1

"""What comes next for a person, as her own page tells it."""

from __future__ import annotations

from collections.abc import Callable

from nurture.engine.recipient import Coming, coming
from nurture.storage.contacts import find
from nurture.testing.house import ANA, START, House
from nurture.testing.worlds import instant

SERIES = """\
campaign: series
title: Getting started
start: {event: Signed Up}
steps:
  - {id: first, send: hello}
  - wait: 2 days
  - {id: second, send: hello}
  - record: Got Started
"""
AFTER = """\
campaign: after
title: What others did
start: {event: Got Started}
steps:
  - wait: 7 days
  - {id: idea, send: hello}
"""


def test_what_comes_is_the_next_mail_of_each_campaign_also_of_one_that_only_follows(
    build: Callable[..., House],
) -> None:
    house = build(SERIES, AFTER)
    house.consenting()
    house.tell("Signed Up")
    house.drain()

    def ahead() -> list[Coming]:
        with house.database.read() as tx:
            ana = find(tx, ANA)
        assert ana is not None
        return coming(house.database, house.app.applied(), ana, house.now)

    assert ahead() == [
        Coming("Getting started", START, instant("2026-03-04 09:00")),
        Coming("What others did", None, instant("2026-03-11 09:00")),
    ]
    house.tell("nurture.unsubscribed", topic="tips")
    assert ahead() == [], "at once, before her turn"

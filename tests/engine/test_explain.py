"""Explain, from the tables of a database. What it says in which situation is held by test_explain_table.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from click import unstyle

from nurture.cli.explain import told as as_lines
from nurture.engine.explain import Explanation, explain
from nurture.errors import NurtureError
from nurture.testing.house import ANA, House, sources
from nurture.testing.smtp import ScriptedServer, say

Build = Callable[..., House]
TEN = "caps:\n  - {max: 1, per: 10 days}\n"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def told(house: House, **asked: Any) -> Explanation:
    found = explain(house.database, house.app.applied(), ANA, house.now, **asked)
    assert found is not None
    return found


def why(house: House, what: str) -> str:
    return "\n".join(next(line.why for line in reversed(told(house).lines) if line.what.startswith(what)))


def value(house: House) -> None:
    house.consenting()
    house.tell("Signed Up", value=8)


def test_what_the_relay_said_is_told(build: Build) -> None:
    with ScriptedServer({"RCPT": say("550 5.1.1 no such user here")}) as server:
        house = build(server=server)
        value(house)
        house.drain()
    assert "no such user here" in why(house, "was refused hello")


def test_what_happened_long_ago_is_told_in_the_words_of_its_revision(build: Build, server: ScriptedServer) -> None:
    """From SQL, where facts, mails and enrolments come out of tables and not out of a world in memory."""
    text = "start: {event: Signed Up, again: always}\nsteps:\n  - {id: a, send: a, if: start.value > 5}\n"
    house = build(text, server=server, project=TEN)
    house.consenting()
    house.tell("Signed Up", value=2)
    house.drain()
    house.apply(sources(text.replace("> 5", "> 1"), project=TEN))
    house.live_until("+1 hour")
    house.tell("Signed Up", value=2, n=2)
    house.drain()
    found = told(house)
    skipped, sent = (next(one for one in found.lines if one.what == what) for what in ("skips a", "sends a"))
    assert (skipped.revision, sent.revision, found.revision) == (1, 2, 2)
    assert [line for line in map(unstyle, as_lines(found)) if line.startswith("decided by")] == [
        "decided by revision 1:", "decided by revision 2:",
    ]  # fmt: skip
    assert skipped.why == ("condition false", "start.value > 5 is false: start.value is 2")
    assert found.caps[0].startswith("1 per 10 days: full until")
    assert "c/a" in found.caps[0]
    house.tell("Signed Up", value=2, n=3)
    house.drain()
    assert why(house, "skips a").startswith("must be out by")
    assert 'cap "1 per 10 days" is full until' in why(house, "skips a")


def test_other_moments_are_told_from_the_tables(build: Build, server: ScriptedServer) -> None:
    house = build("start: {event: Signed Up}\nsteps:\n  - wait: 2 days\n  - {id: a, send: a}\n", server=server)
    value(house)
    house.drain()
    now = house.now
    ahead = told(house).campaigns[0]
    assert [line.what for line in ahead.places[0].next] == ["sends a", "leaves"]
    later = told(house, at=now + timedelta(days=3))
    assert later.tense == "future"
    assert [line.what for line in later.lines if line.expected] == ["sends a", "leaves"]
    house.live_until("+3 days")
    house.drain()
    then = told(house, at=now + timedelta(days=1))
    assert then.tense == "past"
    assert [line.what for line in then.campaigns[0].places[0].next] == ["sends a", "leaves"]
    assert told(house).campaigns[0].state == "left"


def test_what_is_expected_is_what_then_happens(build: Build, server: ScriptedServer) -> None:
    """The same `decide` plays the future and decides it."""
    house = build(
        "campaign: one\nstart: {event: Signed Up}\nsteps:\n  - wait: 1 day\n  - {id: a, send: a}\n  - wait: 1 day\n"
        "  - {id: b, send: b, if: start.value > 5}\n",
        "campaign: two\npriority: 90\nstart: {event: Signed Up}\nsteps:\n  - wait: 1 day\n  - {id: d, send: d}\n",
        server=server,
        project="caps:\n  - {max: 1, per: 20 hours}\n",
    )
    value(house)
    house.drain()
    begun = house.now
    expected = [line for line in told(house, at=begun + timedelta(days=5)).lines if line.expected]
    house.live_until("+5 days")
    happened = [line for line in told(house).lines if line.at > begun]
    assert len(happened) >= 5
    assert [(one.campaign, one.what) for one in expected] == [(one.campaign, one.what) for one in happened]


def test_a_mail_in_flight_is_told_with_its_state(build: Build, server: ScriptedServer) -> None:
    house = build(server=server)
    value(house)
    house.advance()
    (story,) = told(house).campaigns
    assert story.places[0].now == "its mail is planned"


def test_who_is_never_let_in_is_told_why(build: Build, server: ScriptedServer) -> None:
    house = build(
        "campaign: never\nstart: {event: Bought}\nsteps:\n  - {id: x, send: x}\n",
        "campaign: refused\nstart: {event: Signed Up, if: event.value > 15}\nsteps:\n  - {id: y, send: y}\n",
        server=server,
    )
    value(house)
    house.drain()
    stories = {story.campaign: story for story in told(house).campaigns}
    assert stories["never"].state == stories["refused"].state == "never"
    assert stories["never"].outside == ("never had event Bought",)
    assert "  event.value > 15 is false: event.value is 8" in stories["refused"].outside


def test_a_step_that_nobody_knows_is_refused_with_the_nearest_name(build: Build, server: ScriptedServer) -> None:
    house = build(server=server)
    house.consenting()
    with pytest.raises(NurtureError, match="did you mean hello"):
        told(house, step="helo")


def test_nobody_is_nobody(build: Build) -> None:
    house = build()
    assert explain(house.database, house.app.applied(), "x@people.example", house.now) is None
    assert explain(house.database, house.app.applied(), "not an address @", house.now) is None


def test_people_of_a_campaign_that_is_gone_can_still_be_explained(build: Build, server: ScriptedServer) -> None:
    house = build("start: {event: Signed Up}\nsteps:\n  - wait: 1 day\n  - {id: a, send: a}\n", server=server)
    value(house)
    house.drain()
    house.apply(sources("campaign: other\nstart: {event: X}\nsteps:\n  - {id: x, send: x}\n"), confirmed=["c"])
    house.drain()
    assert "campaign gone" in why(house, "leaves")

"""Explain: every reason that keeps a mail from going is told, with the values that decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nurture.domain.contact import SuppressionReason
from nurture.engine.explain import Explanation, explain
from nurture.engine.ingest import IncomingEvent
from nurture.storage.suppressions import suppress
from nurture.testing.house import ANA, House, sources
from nurture.testing.smtp import ScriptedServer, say

Build = Callable[..., House]
TEN = "caps:\n  - {max: 1, per: 10 days}\n"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def told(house: House, campaign: str | None = None) -> Explanation:
    found = explain(house.database, house.app.applied(), ANA, house.now, campaign=campaign)
    assert found is not None
    return found


def why(house: House, what: str) -> str:
    return next(line.why for line in reversed(told(house).lines) if line.what.startswith(what))


def signing_up(condition: str = "", **options: Any) -> tuple[str, dict[str, Any]]:
    return f"start: {{event: Signed Up, again: always}}\nsteps:\n  - {{id: a, send: a{condition}}}\n", options


def no_consent(house: House) -> None:
    house.tell("Signed Up")


def suppressed(house: House) -> None:
    house.consenting()
    house.database.transact(lambda tx: suppress(tx, [ANA], SuppressionReason.MANUAL, house.now, "hand"))
    house.tell("Signed Up")


def opted_out(house: House) -> None:
    house.consenting()
    house.take(IncomingEvent(name="nurture.unsubscribed", email=ANA, properties={"topic": "tips"}))
    house.tell("Signed Up")


def value(house: House) -> None:
    house.consenting()
    house.tell("Signed Up", value=8)


def nothing(house: House) -> None:
    house.consenting()
    house.tell("Signed Up")


def twice(house: House) -> None:
    house.consenting()
    house.tell("Signed Up", n=1)
    house.live_until("+1 hour")
    house.tell("Signed Up", n=2)


SKIPS: dict[str, tuple[tuple[str, dict[str, Any]], Callable[[House], None], str, list[str]]] = {
    "no consent": (signing_up(), no_consent, "skips a", ["no consent"]),
    "suppressed": (signing_up(), suppressed, "skips a", ["suppressed"]),
    "topic": (signing_up(), opted_out, "skips a", ["topic opted out"]),
    "false": (signing_up(", if: start.value >= 60"), value, "skips a",
              ["condition false", "start.value >= 60 is false", "start.value is 8"]),
    "unknown": (signing_up(", if: start.value >= 60"), nothing, "skips a",
                ["condition unknown", "start.value >= 60 is unknown"]),
    "cap": (signing_up(", on_cap: skip", project=TEN), twice, "skips a",
            ['cap "1 per 10 days" filled by c/a at', "room opens"]),
    "too far ahead": (signing_up(project=TEN), twice, "skips a", ["cap", "must be out by"]),
    "postponed": (signing_up(", late: drop after 20 days", project=TEN), twice, "holds a", ["cap", "until"]),
    "quiet hours": (signing_up(project="quiet_hours: 08:00-20:00\n"), nothing, "holds a", ["quiet hours", "until"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SKIPS)
def test_why_a_mail_does_not_go_is_told_with_what_decided(build: Build, server: ScriptedServer, name: str) -> None:
    (campaign, options), live, what, words = SKIPS[name]
    house = build(campaign, server=server, **options)
    live(house)
    house.drain()
    reason = why(house, what)
    for word in words:
        assert word in reason, reason


def test_what_the_relay_said_is_told(build: Build) -> None:
    with ScriptedServer({"RCPT": say("550 5.1.1 no such user here")}) as server:
        house = build(server=server)
        nothing(house)
        house.drain()
    assert "no such user here" in why(house, "was refused hello")


def test_who_is_never_let_in_is_told_why(build: Build, server: ScriptedServer) -> None:
    house = build(
        "campaign: never\nstart: {event: Bought}\nsteps:\n  - {id: x, send: x}\n",
        "campaign: refused\nstart: {event: Signed Up, if: event.value > 5}\nsteps:\n  - {id: y, send: y}\n",
        server=server,
    )
    house.consenting()
    house.tell("Signed Up", value=2)
    house.drain()
    stories = {story.campaign: story for story in told(house).campaigns}
    assert stories["never"].state == stories["refused"].state == "never"
    assert stories["never"].never == "never had event Bought"
    assert "condition false" in stories["refused"].never


def test_who_is_inside_is_told_what_comes_and_what_would_end_it(build: Build, server: ScriptedServer) -> None:
    text = (
        "start: {event: Signed Up}\nstop:\n  - event: Bought\nsteps:\n  - wait: 2 days\n    until: '10:00'\n"
        "  - {id: a, send: a}\n"
    )
    house = build(text, server=server)
    house.take(IncomingEvent(name="Newsletter Subscribed", email=ANA, zone="Europe/Helsinki"))
    house.tell("Signed Up")
    house.drain()
    (story,) = told(house).campaigns
    assert story.state == "inside"
    assert story.next == ("wait>a: until Wed 04 Mar 10:00 Europe/Helsinki, then a",)
    assert "event Bought" in story.stops
    assert told(house).zone_is_hers
    house.live_until("+4 days")
    (story,) = told(house).campaigns
    assert story.state == "left"
    assert [line.what for line in story.told][-2:] == ["sends a", "leaves"]


def test_a_mail_in_flight_is_told_with_its_state(build: Build, server: ScriptedServer) -> None:
    house = build(server=server)
    nothing(house)
    house.advance()
    (story,) = told(house).campaigns
    assert story.next == ("hello: the mail is planned",)


def test_caps_are_told_with_what_fills_them(build: Build, server: ScriptedServer) -> None:
    house = build(server=server, project=TEN)
    nothing(house)
    house.drain()
    assert told(house).caps == ("1 per 10 days: 1 used",)
    assert told(house).mailable == "gets marketing mail"
    house.live_until("+11 days")
    assert told(house).caps == ("1 per 10 days: 0 used",)


def test_nobody_is_nobody(build: Build) -> None:
    house = build()
    assert explain(house.database, house.app.applied(), "x@people.example", house.now) is None
    assert explain(house.database, house.app.applied(), "not an address @", house.now) is None


def test_people_of_a_campaign_that_is_gone_can_still_be_explained(build: Build, server: ScriptedServer) -> None:
    house = build("start: {event: Signed Up}\nsteps:\n  - wait: 1 day\n  - {id: a, send: a}\n", server=server)
    nothing(house)
    house.drain()
    house.apply(sources("campaign: other\nstart: {event: X}\nsteps:\n  - {id: x, send: x}\n"), confirmed=["c"])
    house.drain()
    assert "campaign gone" in why(house, "leaves")

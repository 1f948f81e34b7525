"""Apply: what must be confirmed, what happens to people inside, and when it takes hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from nurture.domain.enrolment import LeftBy
from nurture.engine.apply import MANY, InFlight, apply, plan
from nurture.engine.ingest import IncomingEvent
from nurture.errors import ConfigurationError, ConflictError
from nurture.storage.queue import next_instant
from nurture.testing.house import ANA, House, sources
from nurture.testing.smtp import ScriptedServer

Build = Callable[..., House]
TWO = "start: {event: Signed Up}\nsteps:\n  - {id: a, send: a}\n  - wait: 4 days\n  - {id: b, send: b}\n"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def house(build: Build, server: ScriptedServer) -> House:
    """Ana has had the first mail and waits for the second."""
    made = build(TWO, server=server)
    made.consenting()
    made.tell("Signed Up")
    made.live_until("+1 day")
    return made


CONFIRM: dict[str, tuple[str | None, str]] = {
    "a live campaign that is gone": (None, "c"),
    "a pause that ends": (TWO, "c"),
    "a wait that is gone before a mail": (TWO.replace("  - wait: 4 days\n", ""), "c/b"),
    "a mail that went already, under another id": (TWO.replace("{id: b, send: b}", "{id: z, send: a}"), "c/z"),
}


@pytest.mark.parametrize("name", CONFIRM)
def test_what_could_mail_people_twice_or_many_at_once_is_confirmed_by_name(house: House, name: str) -> None:
    text, expected = CONFIRM[name]
    if name == "a pause that ends":
        house.apply(sources("status: paused\n" + TWO))
    files = sources(*([text] if text is not None else ["campaign: other\n" + TWO.replace("send: ", "send: new/")]))
    planned = plan(house.database, files)
    assert planned.to_confirm == (expected,)
    before = plan(house.database, house.files).against
    with pytest.raises(ConflictError, match=f"--confirm {expected}"):
        apply(house.database, planned, house.now, "test")
    with pytest.raises(ConflictError, match="--confirm"):
        apply(house.database, planned, house.now, "test", confirmed=["something else"])
    assert apply(house.database, planned, house.now, "test", confirmed=[expected]) == before + 1


def test_another_seed_is_confirmed_too(house: House) -> None:
    assert plan(house.database, sources(TWO, project="seed: another\n")).to_confirm == ("seed",)


def test_a_campaign_that_mails_what_another_did_is_confirmed(house: House) -> None:
    files = sources(TWO, "campaign: twin\nstart: {event: Bought}\nsteps:\n  - {id: x, send: a}\n")
    assert plan(house.database, files).to_confirm == ("twin",)


def test_a_plan_that_is_out_of_date_changes_nothing(house: House) -> None:
    planned = plan(house.database, sources(TWO, project=""))
    house.apply(sources(TWO.replace("4 days", "6 days")))
    with pytest.raises(ConflictError, match="planned against 1"):
        apply(house.database, planned, house.now, "test")
    assert house.app.applied().number == 2


def test_files_with_errors_are_not_applied(house: House) -> None:
    broken = plan(house.database, sources(TWO.replace("wait: 4 days", "wait: four days")))
    assert not broken.is_sound
    with pytest.raises(ConflictError, match="nurture validate"):
        apply(house.database, broken, house.now, "test")
    no_link = sources(TWO, templates={"a": "---\nsubject: x\n---\n<p>no way out</p>"})
    assert not plan(house.database, no_link).is_sound


def test_the_plan_counts_who_stands_where(house: House) -> None:
    planned = plan(house.database, sources(TWO.replace("4 days", "6 days")))
    assert planned.standing == {"c": {"wait>b": 1}}


@pytest.mark.parametrize(
    ("in_flight", "days", "expected"),
    [(InFlight.KEEP, "9 days", 4), (InFlight.RESCHEDULE, "9 days", 9), (InFlight.RESCHEDULE, "2 days", 2)],
)
def test_those_who_wait_keep_their_time_or_get_a_new_one(
    house: House, in_flight: InFlight, days: str, expected: int
) -> None:
    begun = house.now - timedelta(days=1)
    house.apply(sources(TWO.replace("4 days", days)), in_flight=in_flight)
    house.live_until("+20 days")
    second = house.mails()[1]
    assert second.settled_at is not None
    assert timedelta() <= second.settled_at - (begun + timedelta(days=expected)) < timedelta(minutes=1)


def test_nobody_goes_at_once_when_a_wait_has_become_shorter_than_it_has_lasted(
    house: House, server: ScriptedServer
) -> None:
    people = [f"p{number}@people.example" for number in range(30)]
    house.consenting(*people)
    house.take(*(IncomingEvent(name="Signed Up", email=email) for email in people))
    house.live_until("+2 days")
    sent = len(server.messages)
    house.apply(sources(TWO.replace("4 days", "1 day")), in_flight=InFlight.RESCHEDULE)
    house.live_until("+5 minutes")
    assert len(server.messages) - sent < 12
    house.live_until("+1 hour")
    assert len(server.messages) - sent == 31


def test_more_people_than_a_set_number_within_the_hour_are_confirmed_by_name(build: Build) -> None:
    start = "start: {event: Signed Up}\nsteps:\n  - wait: 9 days\n  - {id: a, send: a}\n"
    house = build(start)
    house.take(*(IncomingEvent(name="Signed Up", email=f"p{number}@people.example") for number in range(MANY + 1)))
    house.drain()
    planned = plan(house.database, sources(start.replace("9 days", "30 minutes")))
    with pytest.raises(ConflictError, match=f"{MANY + 1} people in c would go on within the hour; .* --confirm c"):
        apply(house.database, planned, house.now, "test", in_flight=InFlight.RESCHEDULE)
    assert plan(house.database, house.files).against == 1
    assert apply(house.database, planned, house.now, "test", in_flight=InFlight.RESCHEDULE, confirmed=["c"]) == 2


def test_archiving_lets_people_finish_or_leave(build: Build, server: ScriptedServer) -> None:
    for in_flight, mails, left in ((InFlight.KEEP, 2, LeftBy.FINISHED), (InFlight.EXIT, 1, LeftBy.EJECTED)):
        house = build(TWO, server=server)
        email = f"{in_flight}@people.example"
        house.consenting(email)
        house.tell("Signed Up", email)
        house.live_until("+1 day")
        house.apply(sources("status: archived\n" + TWO), in_flight=in_flight)
        house.tell("Signed Up", f"late-{email}")
        house.live_until("+9 days")
        assert (len(house.mails(email)), house.left_by(email)) == (mails, [left])
        assert house.mails(f"late-{email}") == []


def test_who_is_inside_a_campaign_that_is_gone_leaves_at_once(house: House) -> None:
    house.apply(sources("campaign: other\nstart: {event: X}\nsteps:\n  - {id: x, send: x}\n"), confirmed=["c"])
    house.drain()
    assert house.left_by() == [LeftBy.ARCHIVED]


def test_a_renamed_step_takes_its_people_along_and_is_not_sent_again(house: House, server: ScriptedServer) -> None:
    renamed = TWO.replace("{id: a, send: a}", "{id: first, send: a, was: a}").replace("{id: b,", "{id: second,")
    renamed = renamed.replace("send: b}", "send: b, was: b}")
    house.apply(sources(renamed))
    house.live_until("+9 days")
    assert [record.delivery.step for record in house.mails()] == ["a", "second"]


def test_a_running_pump_takes_up_what_was_applied_meanwhile(house: House, server: ScriptedServer) -> None:
    async def live() -> None:
        async with house.engine() as engine:
            await engine.pump.drain()
            other = "campaign: d\nstart: {event: Bought}\nsteps:\n  - {id: d, send: d}\n"
            await engine.in_thread(house.apply, sources(TWO, other))
            await engine.in_thread(house.tell, "Bought")
            await engine.pump.drain()

    asyncio.run(live())
    assert [(record.delivery.step, record.delivery.revision) for record in house.mails()] == [("a", 1), ("d", 2)]


def test_a_mail_planned_before_an_edit_goes_as_the_edit_says(build: Build, server: ScriptedServer) -> None:
    house = build(TWO, server=server)
    house.consenting()
    house.tell("Signed Up")
    house.advance()
    other = sources(TWO)
    other["email_templates/a.html"] = other["email_templates/a.html"].replace("subject: Hello", "subject: Good day")
    house.apply(other)
    house.drain()
    assert b"Subject: Good day" in server.messages[0].data


def test_a_mail_whose_step_an_edit_took_away_does_not_go(build: Build, server: ScriptedServer) -> None:
    house = build(TWO, server=server)
    house.consenting()
    house.tell("Signed Up")
    house.advance()
    house.apply(sources(TWO.replace("  - {id: a, send: a}\n", "")))
    house.live_until("+9 days")
    assert [(record.delivery.step, record.delivery.state) for record in house.mails()] == [
        ("a", "cancelled"), ("b", "sent"),
    ]  # fmt: skip


def test_a_campaign_paused_in_its_file_holds_its_mails_and_says_so_once(build: Build, server: ScriptedServer) -> None:
    house = build(TWO, server=server)
    house.consenting()
    house.tell("Signed Up")
    house.advance()
    house.apply(sources("status: paused\n" + TWO))
    house.live_until("+6 hours")
    assert len(server.messages) == 0
    assert house.told().count("postponed campaign_paused") == 1
    house.apply(sources(TWO))
    house.live_until("+10 minutes")
    assert len(server.messages) == 1


def test_nothing_applied_is_said_so(build: Build, database: Any, tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError, match="nurture apply"):
        House(database, tmp_path, sources(TWO)).app.applied()


def test_what_is_due_in_the_past_is_still_the_next_instant(house: House) -> None:
    house.pass_time("+30 days")
    with house.database.read() as tx:
        at = next_instant(tx)
    assert at is not None
    assert at < house.now
    house.live_until(house.now)
    assert "skipped late" in house.told(ANA)


def test_a_segment_that_nobody_watched_for_a_while_is_looked_at_anew(build: Build) -> None:
    """Who came into it meanwhile has not entered it when a campaign asks for it again."""
    other = "campaign: other\nstart: {event: Signed Up}\nsteps:\n  - {id: b, send: b}\n"
    thanks = "campaign: thanks\nstart: {segment: loyal}\nsteps:\n  - {id: a, send: a}\n"
    loyal = {"segments": "  loyal: orders() >= 1\n"}
    house = build(other, thanks, **loyal)
    house.consenting()
    house.live_until("+1 day")
    house.apply(sources(other, **loyal))
    house.live_until("+2 hours")
    house.tell("Order Completed")
    house.drain()
    house.apply(sources(other, thanks, **loyal))
    house.live_until("+1 day")
    assert "enrolled" not in house.told()

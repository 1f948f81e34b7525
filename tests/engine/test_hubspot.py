"""HubSpot both ways, against a server that answers as its API is documented."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from nurture.engine.hubspot import HUBSPOT, HubSpot, HubSpotError, pull
from nurture.engine.outgoing import call_out
from nurture.engine.subscriptions import follow
from nurture.storage.contacts import find
from nurture.storage.database import Database
from nurture.storage.tables import events
from nurture.testing.house import House, sources
from nurture.testing.hubspot import TOKEN, HubSpotServer

AT = "2026-03-02T08:00:00.{:03d}Z"
MOVES = """\
lifecycle:
  stages: [subscriber, customer]
  moves:
    - {to: customer, on: HubSpot Stage Changed, if: event.stage == 'customer'}
    - {to: customer, on: Order Completed}
"""


@pytest.fixture
def server():
    with HubSpotServer() as running:
        yield running


@pytest.fixture
def house(_sqlite_template, tmp_path, server):
    import shutil

    shutil.copy(_sqlite_template, tmp_path / "nurture.db")  # one kind of database: no SQL here is of its own
    with Database(f"sqlite:///{tmp_path / 'nurture.db'}", address_secret="s", leases_by_server=False) as database:
        files = sources("start: {event: Signed Up}\nsteps:\n  - {id: hello, send: hello}\n", lifecycle=MOVES)
        house = House(database, tmp_path, files, hubspot_token=TOKEN, hubspot_url=server.url)
        house.apply()
        yield house


def took(house):
    return pull(house.database, house.app.hubspot, house.now)


def told(house):
    with house.database.read() as tx:
        return [tuple(row) for row in tx.execute(select(events.c.name, events.c.properties).order_by(events.c.id))]


def person(house, email):
    with house.database.read() as tx:
        return find(tx, email)


def told_out(house):
    """Follow the ledger, and make the calls."""
    programme = house.app.applied().programme
    follow(house.database, programme, house.now, {HUBSPOT: frozenset({"stage_moved"})})

    async def work() -> int:
        async with house.engine() as engine:
            return await call_out(house.database, house.app.callers(), engine.in_thread, house.clock.now)

    return asyncio.run(work())


def test_contacts_and_stages_come_in_once_and_only_what_changed_is_asked_for(house, server):
    server.add(1, AT.format(1), email="ana@example.com", firstname="Ana", lifecyclestage="customer",
               hs_timezone="europe_slash_helsinki", hs_language="fi")  # fmt: skip
    server.add(2, AT.format(2), email="bo@example.com", lifecyclestage="lead", hs_email_optout="true")
    server.add(3, AT.format(3), email="no address", lifecyclestage=None)
    assert (took(house).events, took(house).events) == (3, 0)
    house.advance()
    ana, bo = person(house, "ana@example.com"), person(house, "bo@example.com")
    assert (ana.zone, ana.locale, ana.stage, ana.attributes) == (
        "Europe/Helsinki", "fi", "customer", {"first_name": "Ana", "hubspot_stage": "customer"},
    )  # fmt: skip
    assert bo.consent == "withdrawn"
    server.add(2, "2026-03-02T08:30:00Z", email="bo@example.com", lifecyclestage="customer")
    assert took(house).events == 1
    assert told(house)[-1] == ("HubSpot Stage Changed", {"stage": "customer"})
    assert int(server.searches[-1]["filterGroups"][0]["filters"][0]["value"]) > 1_700_000_000_000


def test_many_pages_and_many_contacts_of_one_instant_are_all_read(house, server):
    for number in range(230):
        server.add(number, AT.format(5 if number < 150 else number), email=f"p{number}@example.com")
    assert took(house).contacts >= 230
    with house.database.read() as tx:
        assert all(find(tx, f"p{number}@example.com") for number in range(230))


@pytest.mark.parametrize(("code", "part"), [(429, "come again in 10"), (502, "502"), (403, "scopes")])
def test_what_was_read_before_it_stopped_is_kept_and_the_rest_comes_later(house, server, code, part):
    for number in range(150):
        server.add(number, AT.format(number), email=f"p{number}@example.com")
    server.answers = [200, code]
    with pytest.raises(HubSpotError, match=part):
        took(house)
    assert person(house, "p5@example.com")
    took(house)
    assert person(house, "p149@example.com")


def test_a_wrong_token_says_which_setting_it_is_and_never_what_it_is(house, server):
    with pytest.raises(HubSpotError, match="NURTURE_HUBSPOT_TOKEN") as caught:
        pull(house.database, HubSpot(server.url, "pat-wrong"), house.now)
    assert "pat-wrong" not in str(caught.value)


def test_our_stage_changes_go_out_and_never_back_to_where_they_came_from(house, server):
    told_out(house)  # from here on
    server.add(1, AT.format(1), email="ana@example.com", lifecyclestage="customer")
    server.add(2, AT.format(2), email="bo@example.com", lifecyclestage="subscriber")
    took(house)
    house.tell("Order Completed", "bo@example.com")
    house.tell("Order Completed", "cy@example.com")  # whom HubSpot does not know
    house.advance()
    assert person(house, "ana@example.com").stage == "customer"
    server.answers = [500]
    told_out(house)
    house.pass_time("+2 minutes")
    told_out(house)
    assert server.updates == [("bo@example.com", {"lifecyclestage": "customer"})]
    server.contacts["2"]["lastmodifieddate"] = (house.now + timedelta(minutes=1)).isoformat()
    took(house)
    house.advance()
    assert told_out(house) == 0
    assert len(server.updates) == 1

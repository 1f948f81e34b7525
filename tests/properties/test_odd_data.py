"""Whatever is in somebody's data, a turn comes out, the same one each time, and a day holds one mail in every zone."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.domain.campaign import EventStart, EventStop
from nurture.domain.event import NOTHING
from nurture.domain.programme import Programme
from nurture.domain.steps import WaitFor, WaitQuiet
from nurture.domain.timing import zone_of
from nurture.engine.simulate import World
from nurture.language.compile import compile_project
from nurture.language.source import read_project
from nurture.testing.worlds import contact, programme

START = datetime(2026, 3, 28, 9, tzinfo=UTC)
ZONES = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("posix", "right", "Etc")))
ODD = programme(
    """\
start: {event: Cart, key: event.id, if: event.value >= 0 or event.id != 3, meanwhile: restart}
stop: {event: Emptied, where: event.id == start.id}
goal: {event: Order Completed, within: 9 days, value: event.total / start.value, then: stay}
offers:
  o: {expires: 3 days, tiers: [{name: t, if: spent() > start.value, discount: 5%, code: "unique:P"}]}
steps:
  - {id: one, send: a/a, if: "start.items[0].price > 3 or days_since(contact.seen) > 2"}
  - wait_until: contact.renews_at - 3 business days
  - set: {contact.size: start.value, contact.seen: start.at}
  - {id: two, send: a/a, offer: o, if: "starts_with(contact.city, 'B') or exists(start.value)"}
  - wait_until: offer.expires_at - 1 day
    until: "10:00"
  - branch:
      - {if: used('o'), do: [end]}
      - {if: len(start.items) > 1, do: []}
  - wait_for: {event: Emptied, up_to: 2 days, where: event.value == start.value}
    then: [{id: three, send: a/a}]
    otherwise: [{move: lapsed}]
  - record: {event: Cart Left, with: {id: start.id, items: start.items}}
  - webhook: crm
""",
    "campaign: d\nstart: {date: contact.birthday}\nsteps:\n  - {id: wish, send: a/a}\n",
    "campaign: e\nstart: {segment: rich}\nstop: {segment: poor}\nsteps:\n  - {id: hi, send: a/a}\n",
    project="quiet_hours: 21:00-08:00\ncaps: [{max: 2, per: 7 days}]\n",
    segments={"rich": "spent(last='90 days') > 100 or contact.size > 3", "poor": "contact.size < 0"},
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from([10**400, -1e308, 1e308, "2026-05-01", "9999-12-31", "0001-01-01T00:00+14:00", "1990-02-29"])
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = ["id", "value", "total", "items", "at", "topic", "campaign", "key", "with", "code", "revenue"]
properties = st.dictionaries(st.sampled_from(NAMES), values, max_size=6)
attributes = st.dictionaries(st.sampled_from(["seen", "size", "city", "renews_at", "birthday", "tags", "vip"]), values)
events = st.tuples(
    st.sampled_from(
        ["Cart", "Cart", "Emptied", "Order Completed", "Newsletter Subscribed", "nurture.unsubscribed", "nurture.enrol"]
    ),
    properties,
    st.integers(-5000, 50_000),
)


def lived(
    rules: Programme, happened: list[tuple[str, dict[str, object], int]], zone: str | None, known: dict[str, object]
) -> World:
    world = World(rules, START)
    world.add(contact(created=START, zone=zone, attributes=known))
    for name, data, minutes in happened:
        at = START + timedelta(minutes=minutes)
        world.post(1, name, max(at, START), data or NOTHING, happened=at)
    world.run_until(START + timedelta(days=120))
    return world


@settings(max_examples=150)
@given(st.lists(events, min_size=1, max_size=6), st.none() | st.sampled_from(ZONES) | st.text(max_size=9), attributes)
def test_a_turn_comes_out_whatever_the_data(
    happened: list[tuple[str, dict[str, object], int]], zone: str | None, known: dict[str, object]
) -> None:
    world, again = lived(ODD, happened, zone, known), lived(ODD, happened, zone, known)
    person = world.people[1]
    assert not person.pending
    assert repr(person.ledger) == repr(again.people[1].ledger)
    json.dumps([dict(fact.detail) for fact in person.ledger])
    json.dumps([dict(each.payload) for each in person.outgoing])


STARTER = compile_project(read_project(Path(__file__).resolve().parents[2])).programme


def names_of(rules: Programme) -> list[str]:
    """Every event a programme listens to."""
    found = set(rules.consent_granted_by | rules.consent_withdrawn_by)
    for move in rules.lifecycle.moves:
        found |= move.on
    for campaign in rules.campaigns.values():
        if isinstance(campaign.start, EventStart):
            found.add(campaign.start.event)
        found |= {stop.event for stop in campaign.stops if isinstance(stop, EventStop)}
        for node in campaign.nodes.values():
            if isinstance(node, WaitFor):
                found.add(node.event)
            elif isinstance(node, WaitQuiet):
                found |= node.after
    return sorted(found)


assert STARTER is not None
SHIPPED = STARTER


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(names_of(SHIPPED)), properties, st.integers(0, 50_000)), max_size=10),
    st.sampled_from(ZONES),
    attributes,
)
def test_the_starter_programme_takes_any_data_too(
    happened: list[tuple[str, dict[str, object], int]], zone: str, known: dict[str, object]
) -> None:
    assert not lived(SHIPPED, happened, zone, known).people[1].pending


DAILY = programme(
    'start: {event: X}\nsteps:\n  - until: "02:30"\n  - {id: daily, send: a/a}\n  - wait: 1 day\n    until: "02:30"\n'
    "  - goto: {step: daily, times: 40}\n"
)


@settings(max_examples=25)
@given(st.dates(date(2000, 1, 1), date(2040, 10, 1)), st.sampled_from(ZONES))
def test_a_daily_mail_goes_once_for_every_local_date(day: date, zone: str) -> None:
    """At half past two, where most clocks change."""
    start = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    world = World(DAILY, start)
    world.add(contact(created=start, zone=zone))
    world.post(1, "X", start)
    world.run_until(start + timedelta(days=60))
    person = world.people[1]
    dates = [person.at[each.seq].astimezone(zone_of(zone)).date() for each in person.sent]
    assert len(dates) == 41
    for earlier, later in pairwise(dates):
        missing = [
            earlier + timedelta(days=ahead)
            for ahead in range(1, (later - earlier).days)
            if _exists(earlier + timedelta(days=ahead), zone)
        ]
        assert later > earlier
        assert missing == []


def _exists(day: date, zone: str) -> bool:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone_of(zone))
    return noon.astimezone(UTC).astimezone(zone_of(zone)).date() == day

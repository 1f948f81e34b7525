"""People behave as the behaviour file says."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from nurture.domain.contact import Consent
from nurture.engine.simulation.lives import Lived, Lives
from nurture.engine.simulation.nature import Habits
from nurture.engine.simulation.population import Population
from nurture.language.compile import Compiled, compile_project
from nurture.testing.house import sources

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
GREET = "campaign: greet\nstart: {event: Signed Up, again: always}\nsteps:\n  - {id: hello, send: hello}\n"
SOME = "people: {stages: {awareness: 1}}\n"
SOMEBODY = f"version: 1\n{SOME}"


def compiled(behaviour: str, *campaigns: str) -> Compiled:
    files = {**sources(*(campaigns or (GREET,))), "campaigns/behaviour.yaml": behaviour}
    return compile_project(files)


def lives(behaviour: str, people: int = 200, days: int = 30, seed: int = 1) -> list[Lived]:
    found = compiled(behaviour)
    assert found.programme is not None, found.errors
    assert found.behaviour is not None
    end = BEGIN + timedelta(days=days)
    population = Population(found.behaviour, people, seed, BEGIN, end)
    habits = Habits.of(found.behaviour, found.programme, BEGIN, end)
    live = Lives(found.programme, end)
    return [live.of(population.person(number), habits) for number in range(people)]


def told(lived: list[Lived]) -> Counter[str]:
    return Counter(event.name for each in lived for event in each.told)


def test_things_are_done_as_often_as_the_rate_says() -> None:
    often = told(lives(SOMEBODY + "does:\n  - {event: Ping, rate: 3 per 30 days}\n", people=1000))["Ping"]
    assert 2700 < often < 3300


def test_rates_and_chances_go_by_stage() -> None:
    text = SOMEBODY + "does:\n  - {event: Ping, rate: {lapsed: 9 per 30 days}}\n"
    assert told(lives(text)) == {}
    chance = "then: [{event: Pong, chance: {lapsed: 100%}, within: 1 hour}, {event: Pung, within: 1 hour}]"
    happened = told(lives(SOMEBODY + f"does:\n  - {{event: Ping, rate: 1 per 30 days, {chance}}}\n"))
    assert happened["Pong"] == 0
    assert happened["Pung"] > happened["Ping"] * 0.9


def test_seasons_say_when() -> None:
    text = (
        SOMEBODY
        + 'does:\n  - {event: Ping, rate: 6 per 30 days}\nseasons: {hours: {"00:00-12:00": 0}, days: {mon: 0}}\n'
    )
    events = [event.at for each in lives(text) for event in each.told]
    assert len(events) > 500
    assert {at.hour for at in events} == set(range(12, 24))
    assert 0 not in {at.weekday() for at in events}


def test_a_mail_is_answered_with_the_data_of_its_campaign() -> None:
    text = (
        SOMEBODY
        + "does:\n  - {event: Signed Up, rate: 2 per 30 days, with: {plan: pro, seat: {between: [1, 5]}}}\n"
        + "responses: [{to: greet/hello, event: Clicked, chance: 100%, within: 1 day, with: {how: {same_as: plan}}}]\n"
    )
    lived = lives(text, people=50)
    clicks = [event for each in lived for event in each.told if event.name == "Clicked"]
    assert clicks
    assert all(click.properties["plan"] == click.properties["how"] == "pro" for click in clicks)
    assert all(1 <= click.properties["seat"] <= 5 for click in clicks)


def test_many_mails_tire() -> None:
    text = (
        SOMEBODY
        + "does:\n  - {event: Signed Up, rate: 30 per 30 days}\n"
        + "responses:\n  - {to: '*', event: Sighed, chance: 1%, tiring: TIRING, within: 1 hour}\n"
    )
    fresh, tired = (told(lives(text.replace("TIRING", factor), people=60))["Sighed"] for factor in ("1", "3"))
    assert tired > 3 * fresh


def test_who_falls_silent_does_nothing_any_more() -> None:
    text = SOMEBODY + "does:\n  - {event: Ping, rate: 30 per 30 days}\n"
    loud, silent = told(lives(text))["Ping"], told(lives(text + "churn: 1 per day\n"))["Ping"]
    assert silent < loud / 10


def test_people_come_while_it_runs_and_are_new() -> None:
    text = SOMEBODY + "arrivals: {share: 50%, by: [{event: Newsletter Subscribed, share: 2}, {event: Signed Up}]}\n"
    lived = lives(text)
    new = [each for each in lived if each.stage is None]
    assert len(new) == 100
    assert Counter(each.told[0].name for each in new)["Newsletter Subscribed"] in range(50, 85)
    subscribed = [each for each in new if each.told[0].name == "Newsletter Subscribed"]
    assert all(each.person.contact.consent is Consent.GRANTED for each in subscribed)


def test_what_people_did_before_starts_nothing_but_is_known() -> None:
    text = SOMEBODY.replace("}}", "}, history: [{event: Signed Up, times: 2-3, within: 90 days}]}")
    lived = lives(text, people=50)
    assert {len(each.person.history["Signed Up"]) for each in lived} == {2, 3}
    assert [each for each in lived if each.person.deliveries] == []


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("people: {stages: {awarness: 1}}", "N202", 2),
        (SOME + "does:\n  - {event: A, rate: often}", "N619", 4),
        (SOME + "does:\n  - {event: A, rate: 1 per day, with: {x: {between: [3, 1]}}}", "N619", 4),
        (SOME + "does:\n  - {event: A, rate: 1 per day, with: {x: {one_of: []}}}", "N619", 4),
        (SOME + "does:\n  - {event: A, rate: 1 per day, with: {d: {day: [x, y]}}}", "N619", 4),
        (SOME + "does:\n  - {event: A, rate: 1 per day, with: nothing}", "N106", 4),
        (SOME + "does:\n  - {event: A, rate: 1 per day, then: nothing}", "N106", 4),
        (SOME + "responses:\n  - {to: greed, event: A, chance: 1%, within: 1 day}", "N212", 4),
        (SOME + "responses:\n  - {to: greet/hallo, event: A, chance: 1%, within: 1 day}", "N208", 4),
        (SOME + "responses:\n  - {to: 'category: disco', event: A, chance: 1%, within: 1 day}",
         "N206", 4),
        (SOME + "responses:\n  - {to: greet, event: A, chance: 0.1, within: 1 day}", "N610", 4),
        (SOME + "responses:\n  - {to: greet, event: A, chance: 1%, after: 2 days, within: 1 day}",
         "N619", 4),
        ("people: {stages: {awareness: 1}, history: [{event: A, times: 4-2, within: 1 day}]}", "N619", 2),
        (SOME + "sesons: {}", "N103", 3),
        (SOME + "seasons: {days: {mon: 0, tue: 0, wed: 0, thu: 0, fri: 0, sat: 0, sun: 0}}",
         "N619", 3),
        (SOME + "chains:\n  a: [{event: A, within: 1 day, then: a}]", "N213", 4),
        (SOME + "values:\n  a: {like: a}", "N213", 4),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_named_with_its_line(text: str, code: str, line: int) -> None:
    problems = compiled(f"version: 1\n{text}\n").errors
    assert [(each.code, each.line, each.file) for each in problems] == [(code, line, "campaigns/behaviour.yaml")]

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.domain.conditions import Condition, Facts
from nurture.domain.event import Event
from nurture.language.expressions import parse_condition
from nurture.testing.expressions import NOW, Person, people, questions

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
SEEN = [
    Event(n, "Seen", NOW - age * DAY, {"x": x}) for n, (age, x) in enumerate([(40, "a"), (5, "a"), (2, "b"), (1, "a")])
]


def change(text: str, **facts: Any) -> datetime | None:
    return parse_condition(text).next_change(Facts(now=NOW, history={"Seen": SEEN}, **facts))


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("did('Seen')", None),
        ("did('Never', last='3 days')", None),
        ("did('Seen', last='3 days')", 2),  # when the latest leaves
        ("count('Seen', last='3 days') == 2", 1),  # when the first leaves
        ("count('Seen', last='10 days') == 2", 5),
        ("last('Seen', last='3 days').x == 'a'", 2),
        ("first('Seen', last='3 days').x == 'a'", 1),
        ("did('Seen', last='3 days', where=event.x == 'b')", 1),
        ("did('Seen', last='3 days', where=event.x == 'c')", None),
        ("exists(last('Seen', last='3 days'))", 2),
        ("days_since(last('Seen')) >= 3", 2),
        ("days_since(last('Seen')) < 3", 2),
        ("3 <= days_since(last('Seen'))", 2),
        ("days_since(last('Seen')) > 0.5", None),
        ("days_since(last('Never')) > 3", None),
        ("days_since(last('Seen')) * 2 + 1 >= 7", 2),
        ("10 - days_since(last('Seen')) <= 7", 2),
        ("days_since(last('Seen')) >= contact.patience", 3),
        ("days_since(last('Seen')) == 3", 2),
        ("days_since(first('Seen')) > days_since(last('Seen'))", None),
        ("now >= contact.renews_at", 10),
        ("contact.renews_at <= now", 10),
        ("now >= '2026-06-10'", None),
        ("exists(contact.renews_at)", None),
        ("contact.patience == 4", None),
        # what decides stands, whatever the rest does
        ("contact.no and did('Seen', last='3 days')", None),
        ("contact.yes and did('Seen', last='3 days')", 2),
        ("contact.unknown and did('Seen', last='3 days')", 2),
        ("contact.yes or did('Seen', last='3 days')", None),
        ("did('Seen', last='3 days') or did('Seen', last='4 days')", 3),
        ("did('Seen', last='3 days') and did('Seen', last='4 days')", 2),
        ("segment('recent')", 2),
        ("not segment('recent')", 2),
        ("segment('missing')", None),
        ("segment('loop')", None),
    ],
)
def test_the_next_change_is_known_to_the_microsecond(text: str, days: float | None):
    facts: dict[str, Any] = {
        "contact": {"patience": 4, "renews_at": (NOW + 10 * DAY).isoformat(), "yes": True, "no": False},
        "segments": {
            "recent": parse_condition("did('Seen', last='3 days')"),
            "loop": parse_condition("segment('loop')"),
        },
    }
    assert change(text, **facts) == (None if days is None else NOW + days * DAY)


def test_a_strict_comparison_changes_a_tick_after_the_threshold():
    assert change("days_since(last('Seen')) > 3") == NOW + 2 * DAY + TICK
    assert change("days_since(last('Seen')) <= 3") == NOW + 2 * DAY + TICK
    assert change("now > contact.at", contact={"at": (NOW + DAY).isoformat()}) == NOW + DAY + TICK
    assert change("now <= contact.at", contact={"at": NOW.isoformat()}) == NOW + TICK


@pytest.mark.parametrize("op", ["<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize("left", ["days_since(last('Seen'))", "count('Seen', last='3 days')", "spent(last='3 days')"])
def test_answer_and_change_in_one_pass_are_what_each_is_alone(left: str, op: str):
    history = {"Seen": SEEN, "Order Completed": [Event(9, "Order Completed", NOW - DAY, {"total": 2})]}
    condition = parse_condition(f"{left} {op} 2")
    for shift in (DAY - TICK, DAY, DAY + TICK, 2 * DAY, 9 * DAY):
        facts = Facts(now=NOW + shift, history=history)
        assert condition.stands(facts) == (condition.holds(facts), condition.next_change(facts))


def test_where_may_change_its_mind_about_an_event():
    expiring = [Event(1, "Seen", NOW - DAY, {"until": (NOW + 2 * DAY).isoformat()})]
    facts = Facts(now=NOW, history={"Seen": expiring})
    for text in ("did('Seen', where=now < event.until)", "did('Seen', where=now >= event.until)"):
        assert parse_condition(text).next_change(facts) == NOW + 2 * DAY


def test_the_end_of_the_calendar_is_no_error():
    near = datetime(9999, 12, 30, tzinfo=UTC)
    facts = Facts(now=near, contact={"at": "9999-12-31T23:59:59Z", "patience": 1e300}, history={"Seen": SEEN})
    for text in ("now > contact.at", "days_since(last('Seen')) > contact.patience", "days_since('0001-01-01') > 4"):
        condition = parse_condition(text)
        assert condition.next_change(facts) is None
        assert condition.stands(facts) == (condition.holds(facts), None)


@settings(max_examples=300, deadline=None)
@given(questions(), people(), st.lists(st.floats(0, 1), max_size=6))
def test_before_the_next_change_the_answer_stands(condition: Condition, person: Person, fractions: list[float]):
    facts = person.facts(campaign="cart")
    answer, following = condition.holds(facts), condition.next_change(facts)
    assert condition.stands(facts) == (answer, following)
    assert following is None or following > NOW
    end = following or NOW + 500 * DAY
    instants = {NOW + fraction * (end - NOW) for fraction in fractions} | {end - TICK}
    for moment in [*(event.at for event in person.events), person.contact.created_at, NOW]:
        for days in (1, 1.5, 2, 3, 4, 30):
            instants |= {moment + days * DAY + shift * TICK for shift in (-1, 0, 1)}
    for instant in sorted(instants):
        if NOW < instant < end:
            later = person.facts(instant, campaign="cart")
            assert condition.holds(later) is answer, f"{condition.source} changed at {instant}, not at {following}"

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from nurture.domain.conditions import Condition, Facts, Needs
from nurture.domain.event import Event
from nurture.domain.expression.tree import Either, Every, Node, Not
from nurture.language.expressions import parse_condition, parse_expression
from nurture.testing.expressions import NOW, Person, people, questions

DAY = timedelta(days=1)


def ask(text: str, **facts: Any) -> bool | None:
    return parse_condition(text).holds(Facts(now=NOW, **facts))


def happened(name: str, *ages: float, **properties: Any) -> dict[str, list[Event]]:
    """Events of one name, so many days ago, oldest first."""
    return {name: [Event(n, name, NOW - age * DAY, properties) for n, age in enumerate(sorted(ages, reverse=True))]}


# --- three values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("contact.plan == 'pro'", True),
        ("contact.plan != 'pro'", False),
        ("contact.plan < 'q'", True),
        ("contact.plan == 1", None),
        ("contact.seats >= 3", True),
        ("contact.seats == 3.0", True),
        ("contact.seats == True", None),
        ("contact.seats < '5'", None),
        ("contact.vip", True),
        ("contact.vip == True", True),
        ("contact.vip == 1", None),
        ("contact.vip < contact.vip", None),
        ("contact.plan", None),
        ("contact.seats", None),
        ("contact.missing", None),
        ("contact.missing == 1", None),
        ("contact.missing != 1", None),
        ("contact.empty == 1", None),
        ("not contact.missing", None),
        ("contact.vip and contact.missing", None),
        ("contact.vip or contact.missing", True),
        ("not contact.vip and contact.missing", False),
        ("contact.missing is None", True),
        ("contact.missing is not None", False),
        ("exists(contact.missing)", False),
        ("exists(contact.empty)", False),
        ("exists(contact.tags)", True),
        ("contact.tags == contact.tags", None),
        ("contact.address.city == 'Turku'", True),
        ("contact['address']['city'] == 'Turku'", True),
        ("contact.plan.city == 'Turku'", None),
        ("contact.tags[0] == 'vip'", True),
        ("contact.tags[7] == 'vip'", None),
        ("contact.address[0] == 'vip'", None),
        ("1 < contact.seats < 5", True),
        ("1 < contact.seats < 3", False),
    ],
)
def test_missing_or_foreign_data_is_unknown(text: str, answer: bool | None):
    contact = {
        "plan": "pro", "seats": 3, "vip": True, "empty": None, "tags": ["vip", "fi", 7], "address": {"city": "Turku"}
    }  # fmt: skip
    assert ask(text, contact=contact) is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("'vip' in contact.tags", True),
        ("'b2b' in contact.tags", False),
        ("'b2b' not in contact.tags", True),
        ("7 in contact.tags", True),
        ("8 in contact.tags", False),
        ("True in contact.tags", None),
        ("'vip' in contact.none", False),
        ("'vip' in contact.plan", None),
        ("'vip' in contact.missing", None),
        ("'vip' not in contact.missing", None),
        ("contact.missing in contact.tags", None),
        ("contact.plan in ['pro', 'team']", True),
        ("contact.plan not in ['pro', 'team']", False),
        ("contact.plan in [1, 2]", None),
        ("contact.seats in ['1', 3]", True),
        ("contact.seats in ['3']", None),
        ("contact.vip in [1]", None),
        ("contact.tags in ['a']", None),
        ("contact.missing in ['a']", None),
        ("contact.missing not in ['a']", None),
    ],
)
def test_membership_is_unknown_where_nothing_in_the_list_is_of_the_kind(text: str, answer: bool | None):
    contact = {"plan": "pro", "seats": 3, "vip": True, "tags": ["vip", "fi", 7], "none": []}
    assert ask(text, contact=contact) is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("contact.a + contact.b == 5", True),
        ("contact.b / contact.a == 1.5", True),
        ("contact.a - contact.b * 2 == -4", True),
        ("contact.a / contact.zero > 1", None),
        ("contact.a / contact.zero < 1", None),
        ("contact.text + contact.a > 1", None),
        ("contact.text * contact.a > 0", None),
        ("contact.vip + 1 == 2", None),
        ("contact.huge * contact.huge > 1", None),
        ("contact.missing + 1 > 0", None),
        ("contact.nan != 1", None),
        ("contact.nan < 1", None),
        ("-contact.a == -2", True),
    ],
)
def test_only_numbers_calculate_and_nothing_raises(text: str, answer: bool | None):
    contact = {"a": 2, "b": 3, "zero": 0, "text": "a", "vip": True, "huge": 1e300, "nan": float("nan")}
    assert ask(text, contact=contact) is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("len(contact.tags) == 2", True),
        ("len(contact.name) == 3", True),
        ("len(contact.age) == 2", None),
        ("lower(contact.name) == 'ana'", True),
        ("lower(contact.age) == '30'", None),
        ("starts_with(contact.name, 'An')", True),
        ("starts_with(contact.name, 'an')", False),
        ("starts_with(contact.age, '3')", None),
        ("starts_with(contact.missing, '3')", None),
    ],
)
def test_functions_of_text_and_lists(text: str, answer: bool | None):
    assert ask(text, contact={"tags": ["a", "b"], "name": "Ana", "age": 30}) is answer


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("contact.renews_at > now", True),
        ("now < contact.renews_at", True),
        ("contact.day < now", True),
        ("contact.local == now", True),
        ("contact.name > now", None),
        ("contact.age > now", None),
        ("days_since(contact.day) > 5.3", True),
        ("days_since(contact.day) > 5.5", False),
        ("days_since(contact.renews_at) < 0", True),
        ("days_since(contact.local) == 0", True),
        ("days_since(contact.name) > 0", None),
        ("days_since(contact.age) > 0", None),
        ("contact.created_at > '2026-06-01'", True),
        ("contact.created_at == '2026-06-10T09:30:00Z'", True),
        ("days_since(contact.created_at) == 5", True),
        ("days_since('2026-06-14T09:30:00+00:00') == 1", True),
    ],
)
def test_times_are_compared_as_instants_and_bare_dates_are_utc(text: str, answer: bool | None):
    contact = {
        "renews_at": "2026-07-01T00:00:00Z", "day": "2026-06-10", "local": "2026-06-15T12:30:00+03:00", "name": "Ana",
        "age": 7, "created_at": NOW - 5 * DAY,
    }  # fmt: skip
    assert ask(text, contact=contact) is answer


def test_an_event_counts_while_it_is_younger_than_the_window():
    condition = parse_condition("did('Seen', last='3 days')")
    history = happened("Seen", 3)
    assert condition.holds(Facts(now=NOW - timedelta(microseconds=1), history=history)) is True
    assert condition.holds(Facts(now=NOW, history=history)) is False


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("did('Order Completed')", True),
        ("did('Cart Emptied')", False),
        ("not did('Cart Emptied')", True),
        ("count('Order Completed') == 3", True),
        ("orders() == 3", True),
        ("orders(last='30 days') == 2", True),
        ("orders(last='1 month') == 2", True),
        ("orders(last='4 weeks') == 2", True),
        ("orders(where=event.total > 15) == 1", True),
        ("orders(where='event.total > 15') == 1", True),
        ("orders(where=event.coupon == 'X') == 0", True),
        ("orders(where=event.total >= contact.floor) == 2", True),
        ("spent() == 40.3", True),
        ("spent(last='30 days') == 30.3", True),
        ("spent(where=event.nothing == 1) == 0", True),
        ("count('Cart Emptied') == 0", True),
        ("last('Order Completed').total == 20.2", True),
        ("last('Order Completed', where=event.total < 15).total == 10.1", True),
        ("first('Order Completed').value == 10", True),
        ("first('Order Completed', last='30 days').total == 10.1", True),
        ("last('Order Completed').nothing == 1", None),
        ("last('Cart Emptied').total == 1", None),
        ("days_since(last('Order Completed')) == 1", True),
        ("days_since(first('Order Completed')) == 100", True),
        ("days_since(last('Cart Emptied')) > 1", None),
        ("last('Order Completed').at > first('Order Completed').at", True),
        ("exists(last('Order Completed'))", True),
        ("last('Cart Emptied') is None", True),
    ],
)
def test_the_past_is_counted_summed_and_picked(text: str, answer: bool | None):
    name = "Order Completed"
    history = {
        name: [
            Event(1, name, NOW - 100 * DAY, {"value": 10, "revenue": 5}),
            Event(2, name, NOW - 20 * DAY, {"total": 10.1, "value": 99}),
            Event(3, name, NOW - 1 * DAY, {"total": 20.2}),
        ]
    }
    assert ask(text, history=history, contact={"floor": 10.1}) is answer


def test_an_order_without_a_readable_amount_adds_nothing():
    name = "Order Completed"
    odd: list[Any] = [None, "12", True, float("nan"), float("inf"), 1e15, {"a": 1}]
    history = {name: [Event(n, name, NOW - DAY, {"total": amount}) for n, amount in enumerate([*odd, 0.1, 0.2])]}
    assert ask("spent() == 0.3", history=history) is True


def test_an_event_in_hand_is_not_the_candidate_of_where():
    history = happened("Seen", 1, x="a")
    assert ask("did('Seen', where=event.x == 'a') and event.x == 'b'", history=history, event={"x": "b"}) is True


# --- what only the campaign knows -------------------------------------------------------------------------------------


def test_steps_are_those_of_the_campaign_that_asks_unless_another_is_named():
    told = happened("Email Clicked", 2, campaign="cart", step="reminder")
    facts: dict[str, Any] = {"received": {("cart", "reminder"): NOW}, "history": told}
    for word in ("received", "clicked"):
        assert ask(f"{word}('reminder')", campaign="cart", **facts) is True
        assert ask(f"{word}('sweetener')", campaign="cart", **facts) is False
        assert ask(f"{word}('reminder')", campaign="welcome", **facts) is False
        assert ask(f"{word}('cart/reminder')", campaign="welcome", **facts) is True
        assert ask(f"{word}('cart/reminder')", **facts) is True
        assert ask(f"{word}('reminder')", **facts) is None
    assert ask("opened('reminder')", campaign="cart", **facts) is False


@pytest.mark.parametrize("granted_at", [NOW - 2 * DAY, (NOW - 2 * DAY).isoformat()])
def test_an_offer_is_used_by_an_order_with_its_code_after_the_grant(granted_at: Any):
    offer = {"code": "CART-1", "granted_at": granted_at, "name": "sweetener"}
    after, before = (happened("Order Completed", age, code="CART-1") for age in (1, 3))
    assert ask("used(offer)", offer=offer, history=after) is True
    assert ask("used('sweetener')", offer=offer, history=after) is True
    assert ask("used(offer)", offer=offer, history=before) is False
    assert ask("used(offer)", offer=offer, history=happened("Order Completed", 1, code="OTHER")) is False
    assert ask("used('other')", offer=offer, history=after) is None
    assert ask("used(offer)", offer=None, history=after) is None
    assert ask("used(offer)", offer={"code": "CART-1"}, history=after) is None


def test_segments_see_the_contact_only():
    segments = {
        "loyal": parse_condition("orders() >= 2"),
        "here": parse_condition("exists(event) or exists(start) or exists(offer)"),
        "nested": parse_condition("segment('loyal') and contact.vip"),
    }
    facts: dict[str, Any] = {
        "segments": segments,
        "history": happened("Order Completed", 1, 2),
        "contact": {"vip": True},
    }
    assert ask("segment('loyal')", **facts) is True
    assert ask("segment('nested')", **facts) is True
    assert ask("segment('here')", event={"a": 1}, start={"a": 1}, offer={"code": "x"}, **facts) is False
    assert ask("segment('unheard of')", **facts) is None


def test_a_segment_that_asks_about_itself_has_no_answer():
    segments = {"a": parse_condition("segment('b')"), "b": parse_condition("segment('a') or contact.vip")}
    assert ask("segment('a')", segments=segments) is None
    assert ask("segment('a')", segments=segments, contact={"vip": True}) is True


def test_stages():
    assert ask("in_stage('retention')", stage="retention") is True
    assert ask("in_stage('retention')", stage="lapsed") is False
    assert ask("in_stage('retention')") is None
    assert ask("days_since(stage_since()) >= 14", stage="retention", stage_since=NOW - 14 * DAY) is True


def test_expressions_give_values():
    facts = Facts(now=NOW, event={"id": "c1", "total": 80}, contact={"birthday": "1990-02-28"})
    assert parse_expression("event.id").value(facts) == "c1"
    assert parse_expression("event.total * 0.1").value(facts) == 8
    assert parse_expression("contact.birthday").value(facts) == "1990-02-28"
    assert parse_expression("event.total >= 80").value(facts) is True
    assert parse_expression("event.nothing").value(facts) is None
    assert parse_expression("start.id").value(facts) is None


# --- laws -------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(questions(), questions(), people())
def test_kleene_laws_hold_for_every_question(one: Condition, other: Condition, person: Person):
    facts = person.facts()

    def holds(text: str) -> bool | None:
        return parse_condition(text.format(one.tree, other.tree)).holds(facts)

    p, q = one.holds(facts), other.holds(facts)
    order: dict[bool | None, int] = {False: 0, None: 1, True: 2}
    assert order[holds("({0}) and ({1})")] == min(order[p], order[q])
    assert order[holds("({0}) or ({1})")] == max(order[p], order[q])
    assert order[holds("not ({0})")] == 2 - order[p]
    assert holds("not (({0}) and ({1}))") is holds("not ({0}) or not ({1})")


@settings(deadline=None)
@given(questions())
def test_the_plain_form_of_a_question_reads_back_as_the_same_question(condition: Condition):
    again = parse_condition(str(condition.tree))
    assert str(again.tree) == str(condition.tree)


@settings(deadline=None)
@given(questions(), people())
def test_an_explanation_agrees_with_the_answer(condition: Condition, person: Person):
    facts = person.facts(campaign="cart")
    entries = iter(condition.saw(facts))
    assert _answered(condition.tree, entries) is condition.holds(facts)
    assert next(entries, None) is None


def _answered(tree: Node, entries: Iterator[dict[str, Any]]) -> bool | None:
    """The answer, put together again from what the explanation says of every question."""
    if isinstance(tree, Not):
        inner = _answered(tree.operand, entries)
        return None if inner is None else not inner
    if isinstance(tree, Every | Either):
        parts = [_answered(part, entries) for part in tree.parts]
        decisive = isinstance(tree, Either)
        return decisive if decisive in parts else None if None in parts else not decisive
    entry = next(entries)
    assert entry["text"] == str(tree)
    answer: bool | None = entry["value"]
    return answer


def test_an_explanation_names_what_was_seen():
    condition = parse_condition("orders(last='365 days') == 0 and (start.value >= 60 or did('Seen'))")
    facts = Facts(now=NOW, history=happened("Seen", 2), start={"value": 40})
    assert condition.saw(facts) == [
        {"text": "orders(last='365 days') == 0", "value": True, "saw": {"orders(last='365 days')": 0}},
        {"text": "start.value >= 60", "value": False, "saw": {"start.value": 40}},
        {
            "text": "did('Seen')",
            "value": True,
            "saw": {"did('Seen')": True, "last('Seen')": {"event": "Seen", "at": "2026-06-13T09:30:00+00:00"}},
        },
    ]


def test_an_explanation_of_a_segment_says_why():
    facts = Facts(now=NOW, contact={"plan": "pro"}, segments={"paying": parse_condition("contact.plan == 'pro'")})
    (entry,) = parse_condition("segment('paying')").saw(facts)
    assert entry["because"] == [{"text": "contact.plan == 'pro'", "value": True, "saw": {"contact.plan": "pro"}}]


# --- as values --------------------------------------------------------------------------------------------------------


def test_conditions_are_equal_by_source_and_survive_pickling():
    one, same, other = (parse_condition(text) for text in ("contact.vip", " contact.vip ", "contact.plan == 'a'"))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    again = pickle.loads(pickle.dumps(other))
    assert again == other
    assert again.holds(Facts(now=NOW, contact={"plan": "a"})) is True
    assert pickle.loads(pickle.dumps(parse_expression("event.id"))) == parse_expression("event.id")


def test_needs_name_everything_an_expression_will_ask_for():
    condition = parse_condition(
        "did('Seen', last='30 days', where=event.sku == contact.favourite) and count('Seen', last='7 days') > 1"
        " and event.id == start.id and segment('loyal') and in_stage('lapsed') and opened('cart/reminder')"
        " and received('tour') and days_since(contact.address.since) > 3 and orders() > 0"
    )
    assert condition.needs == Needs(
        events={"Seen": 30 * DAY, "Email Opened": None, "Order Completed": None},
        contact=frozenset({"favourite", "address"}),
        event=frozenset({"id"}),
        start=frozenset({"id"}),
        segments=frozenset({"loyal"}),
        steps=frozenset({"cart/reminder", "tour"}),
        stages=frozenset({"lapsed"}),
    )


def test_needs_include_those_of_segments_within_segments():
    segments = {
        "a": parse_condition("segment('b') and did('Seen', last='3 days')"),
        "b": parse_condition("segment('a') or did('Seen', last='9 days') or contact.vip"),
    }
    needs = parse_condition("segment('a') or segment('gone')").needs.resolved(segments)
    assert needs.events == {"Seen": 9 * DAY}
    assert needs.contact == {"vip"}
    assert needs.segments == {"a", "b", "gone"}


def test_a_window_without_end_outweighs_any_other():
    merged = Needs.merged([Needs(events={"Seen": None}), Needs(events={"Seen": DAY})])
    assert merged.events == {"Seen": None}
    assert merged == Needs.merged([Needs(events={"Seen": DAY}), Needs(events={"Seen": None})])


def test_the_facts_are_left_as_they_were():
    facts = Facts(now=NOW, event={"x": 1}, history=happened("Seen", 1, x="a"), campaign="cart", contact={"a": 1})
    before = facts.copy()
    condition = parse_condition("did('Seen', where=event.x == 'a') and days_since(last('Seen')) > 3")
    condition.holds(facts)
    condition.next_change(facts)
    condition.saw(facts)
    assert facts == before


def test_naive_times_in_facts_are_taken_as_utc():
    assert ask("contact.at < now", contact={"at": datetime(2026, 6, 15, 9, 29)}) is True
    assert ask("contact.at < now", contact={"at": datetime(2026, 6, 15, 9, 31)}) is False
    assert NOW.tzinfo is UTC

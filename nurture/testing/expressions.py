"""Expressions and people, drawn at random by hypothesis: small worlds, full of edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from nurture.domain.conditions import Condition, Facts
from nurture.domain.contact import Contact
from nurture.domain.event import Event
from nurture.errors import ExpressionError
from nurture.language.expressions import parse_condition

NOW = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
EVENTS = ("Seen", "Quote Requested", "Order Completed", "Email Opened")
SEGMENTS = {
    "pro": parse_condition("contact.plan == 'a' or contact.vip"),
    "recent": parse_condition("did('Seen', last='3 days') and not segment('pro')"),
    "shouting": parse_condition("lower(contact.plan) == 'a' and contact.plan != 'a'"),
    "loop": parse_condition("segment('loop') or contact.vip"),
}

# --- people -----------------------------------------------------------------------------------------------------------

scalars = st.sampled_from(
    [None, True, False, 0, 1, -2, 3, 2.5, 0.1, 0.3, 10**18, "", "a", "A", "b", "ab", "é", "ß", "2026-06-10", "1",
     "\U0001f600"]
)  # fmt: skip
values = scalars | st.lists(scalars, max_size=4) | st.fixed_dictionaries({}, optional={"city": scalars})
ages = st.sampled_from(
    [timedelta(), TICK, DAY, DAY - TICK, 3 * DAY - TICK, 3 * DAY, 3 * DAY + TICK, 30 * DAY, 30 * DAY + TICK, 400 * DAY]
) | st.integers(0, 40 * 86_400_000_000).map(lambda count: count * TICK)


@dataclass(frozen=True, slots=True)
class Person:
    """A contact and her past."""

    contact: Contact
    events: list[Event] = field(default_factory=list)

    def facts(self, now: datetime = NOW, **more: Any) -> Facts:
        """What a condition that is no part of an enrolment may know of her."""
        history: dict[str, list[Event]] = {}
        for event in sorted(self.events, key=lambda event: (event.at, event.id)):
            history.setdefault(event.name, []).append(event)
        return Facts(
            now=now,
            contact=self.contact.named(),
            history=history,
            stage=self.contact.stage,
            stage_since=self.contact.stage_since,
            segments=SEGMENTS,
            **more,
        )


_properties = st.fixed_dictionaries(
    {},
    optional={
        "x": values,
        "total": scalars,
        "value": scalars,
        "revenue": scalars,
        "campaign": st.sampled_from(["cart", "other", 1]),
        "step": st.sampled_from(["reminder", "tour"]),
    },
)


@st.composite
def people(draw: st.DrawFn) -> Person:
    """One person."""
    stage = draw(st.sampled_from([None, "a", "purchase"]))
    contact = Contact(
        id=draw(st.integers(1, 10**6)),
        email=draw(st.sampled_from([None, "a", "ana@shop.example"])),
        created_at=NOW - draw(ages),
        attributes=draw(
            st.fixed_dictionaries(
                {}, optional={"plan": values, "score": scalars, "vip": values, "tags": values, "address": values}
            )
        ),
        stage=stage,
        stage_since=None if stage is None else NOW - draw(ages),
    )
    told = draw(st.lists(st.tuples(st.sampled_from(EVENTS), ages, _properties), max_size=6))
    return Person(contact, [Event(n, name, NOW - age, found) for n, (name, age, found) in enumerate(told, 1)])


# --- expressions ------------------------------------------------------------------------------------------------------

_data = st.sampled_from(
    ["contact.plan", "contact.score", "contact.vip", "contact.tags", "contact.address.city", "contact.tags[0]",
     "contact['plan']", "contact.nothing", "last('Seen').x", "first('Order Completed').total", "last('Seen').x[1]"]
)  # fmt: skip
_candidate = st.sampled_from(["event.x", "event.total", "event.x.city", "contact.plan", "event.step"])
_texts = st.sampled_from(["'a'", "'A'", "'b'", "'é'", "'1'", "''", "contact.email", "contact.stage"])
_plain = st.sampled_from(["0", "1", "-2", "2.5", "0.3", "3"])
_windows = st.sampled_from(["", "last='1 day'", "last='3 days'", "last='30 days'", "last='36 hours'"])
_orders = ["==", "!=", "<", "<=", ">", ">="]
_names = st.sampled_from([f"'{name}'" for name in EVENTS])


def _call(word: str, *arguments: str) -> str:
    return f"{word}({', '.join(argument for argument in arguments if argument)})"


def _compared(left: st.SearchStrategy[str], right: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda one, op, other: f"({one}) {op} ({other})", left, st.sampled_from(_orders), right)


def _where(moving: bool) -> st.SearchStrategy[str]:
    times = st.sampled_from(["days_since(event.x) > 3", "now < event.x"])
    tests = st.one_of(
        _compared(_candidate, _candidate | _plain | _texts),
        st.sampled_from(["exists(event.x)", "'a' in event.x", "event.total > 0.2", "starts_with(event.x, 'a')"]),
        *([times] if moving else []),
    )
    return st.just("") | tests.map(lambda test: f"where={test}")


def _read(text: str) -> str:
    """Some of what is drawn could never be anything but unknown, and is refused: then something simple instead."""
    try:
        parse_condition(text)
    except ExpressionError:
        return "contact.vip"
    return text


def _sided(left: st.SearchStrategy[str], op: list[str], right: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{} {} {}".format, left, st.sampled_from(op), right)


@cache
def questions(*, moving: bool = True, portable: bool = False) -> st.SearchStrategy[Condition]:
    """Conditions of some size. `moving` ones ask about time; `portable` ones can be written in SQL."""
    where = _where(moving and not portable)
    found = st.builds(_call, st.sampled_from(["last", "first"]), _names, _windows, where)
    did = st.builds(_call, st.just("did"), _names, _windows, where)
    counts = st.builds(_call, st.just("count"), _names, _windows, where)
    totals = st.builds(_call, st.sampled_from(["orders", "spent"]), _windows, where)
    numbers = st.one_of(_plain, counts, totals, (_data | _texts).map("len({})".format), _data)
    sums = st.builds("({}) {} ({})".format, numbers, st.sampled_from(["+", "-", "*", "/"]), numbers)
    times = st.sampled_from(["contact.created_at", "stage_since()"]) | found.map("{}.at".format)
    days = (times | found if portable else times | found | _data).map("days_since({})".format)
    lists = st.sampled_from(["['a', 1, True]", "['a', 'b']", "contact.tags", "[0.1, 3]", "contact.vip"])
    segments = [name for name in [*SEGMENTS, "missing"] if not portable or name != "shouting"]
    leaves = [
        _compared(_data, _data | _plain | _texts | st.sampled_from(["True", "False"])),
        _compared(numbers | sums, numbers | sums),
        _compared(_texts, _texts | _data),
        _compared(times, times | st.just("'2026-06-10'")),
        _data,
        did,
        _sided(_data | _texts | _plain, ["in", "not in"], lists),
        (_data | found | st.just("stage_since()")).map("exists({})".format),
        (_data | found).map("{} is None".format),
        st.sampled_from(segments).map("segment('{}')".format),
        st.sampled_from(["in_stage('purchase')", "opened('reminder')", "opened('cart/tour')", "received('reminder')"]),
        _data.map("starts_with({}, 'a')".format),
    ]
    if moving:
        leaves += [
            _compared(days, numbers),
            _compared(numbers, st.builds("{1} * ({0} - 1)".format, days, _plain)),
            _compared(st.just("now"), times if portable else times | _data),
            _compared(days, days),
        ]
    if not portable:
        leaves.append(_compared(_data.map("lower({})".format), _texts))
    leaf = st.one_of(*leaves).map(_read)
    joined = st.recursive(
        leaf,
        lambda part: st.one_of(
            st.builds("({}) {} ({})".format, part, st.sampled_from(["and", "or", "and", "or", "==", "!="]), part),
            part.map("not ({})".format),
        ),
        max_leaves=4,
    )
    return joined.map(_read).map(parse_condition)

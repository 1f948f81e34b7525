"""_events.yaml and _webhooks.yaml: what they say, and what is held against it."""

from __future__ import annotations

import pytest

from nurture.domain.incoming import Property, misfit
from nurture.language.compile import compile_project
from nurture.testing.house import sources

EVENTS = """\
version: 1
events:
  Checkout Started: {checkout_id: text, value: number?, items: list}
  Order Completed: {checkout_id: text?, total: number}
"""
CAMPAIGN = """\
start: {event: Checkout Started, key: event.checkout_id, if: event.value > 5}
stop: [{event: Order Completed, where: event.checkout_id == start.checkout_id}]
goal: {event: Order Completed, within: 5 days, value: event.total}
steps:
  - {id: hello, send: hello, if: "start.value > 5 and not did('Order Completed', where=event.total > 1)"}
"""
TEMPLATE = """\
---
subject: Hello
preheader: A few words about the cart, once in a while
needs: [start.items]
---
<p>{{ start.items|length }} {{ postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>
"""


def problems(campaign=CAMPAIGN, events=EVENTS, template=TEMPLATE, **files):
    made = sources(campaign, templates={"hello": template})
    made |= {"campaigns/_events.yaml": events, **{f"campaigns/_{name}.yaml": text for name, text in files.items()}}
    found = compile_project(made).problems
    return [(each.code, each.line, each.message, each.hint) for each in found if each.code != "N406"]


def test_what_is_named_as_the_schema_has_it_is_fine():
    assert problems() == []


@pytest.mark.parametrize(
    ("right", "wrong", "line", "hint"),
    [
        ("key: event.checkout_id", "key: event.checkout_ld", 5, "checkout_id"),
        ("if: event.value", "if: event.valeu", 5, "value"),
        ("where: event.checkout_id ==", "where: event.checkout ==", 6, "checkout_id"),
        ("== start.checkout_id", "== start.chekout_id", 6, "checkout_id"),
        ("value: event.total", "value: event.totl", 7, "total"),
        ("start.value > 5 and", "start.valu > 5 and", 9, "value"),
        ("where=event.total", "where=event.toal", 9, "total"),
        ("not did('Order Completed', where=event.total > 1)", "last('Order Completed').totl > 1", 9, "total"),
    ],
)
def test_a_property_no_event_brings_is_an_error_with_the_one_that_is_meant(right, wrong, line, hint):
    assert right in CAMPAIGN
    ((code, at, message, told),) = problems(CAMPAIGN.replace(right, wrong))
    assert (code, at) == ("N303", line)
    assert "campaigns/_events.yaml" in message
    assert told == f"did you mean {hint}?"


def test_a_template_may_need_only_what_the_event_brings():
    ((code, line, _, hint),) = problems(template=TEMPLATE.replace("[start.items]", "[start.item]"))
    assert (code, line, hint) == ("N407", 4, "did you mean items?")


def test_an_event_without_a_schema_may_bring_anything():
    assert problems(events="version: 1\nevents: {}\n") == []


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ("version: 1\nevents:\n  A: {b: nummer}\n", "N105"),
        ("version: 1\nevents:\n  nurture.bounced: {b: text}\n", "N105"),
        ("version: 1\n", "N104"),
        ("version: 1\nevents: {A: {b: text}}\nmore: 1\n", "N103"),
    ],
)
def test_a_broken_schema_names_its_line(events, code):
    assert code in [each[0] for each in problems(events=events)]


@pytest.mark.parametrize(
    ("webhook", "code"),
    [
        ("{from: shopify, secret: SHOP_SECRET}", None),
        ("{from: shopify, secret: shop-secret-itself}", "N105"),
        ("{from: shopify, secret: NURTURE_SECRET_KEY}", "N105"),
        ("{from: shopify}", "N104"),
        ("{from: magento, secret: S_X}", "N106"),
        ("{from: generic, secret: S_X}", "N108"),
        ("{from: stripe, secret: S_X, events: [{event: A, email: /e}]}", "N108"),
        ("{from: generic, secret: S_X, events: [{event: A}]}", "N104"),
        ("{from: generic, secret: S_X, events: [{event: A, email: e}]}", "N105"),
        ("{from: generic, secret: S_X, events: [{event: nurture.enrol, email: /e}]}", "N105"),
        ("{from: generic, secret: S_X, events: [{event: Course Booked, email: /a~1b/c, with: {x: /y, z: 1}}]}", None),
    ],
)
def test_a_webhook_names_its_secret_and_what_its_messages_mean(webhook, code):
    found = problems(webhooks=f"version: 1\nwebhooks:\n  shop: {webhook}\n")
    assert [each[0] for each in found] == ([code] if code else [])
    assert not any("shop-secret-itself" in each[2] for each in found)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("text", "a", 1), ("number", 1.5, "1.5"), ("number", 0, True), ("yes or no", False, "no"),
        ("time", "2026-03-02T09:00:00Z", "tomorrow"), ("list", [], {}), ("object", {}, []),
    ],
)  # fmt: skip
def test_a_value_fits_its_kind(kind, right, wrong):
    schema = {"x": Property(kind)}
    assert misfit(schema, {"x": right, "more": 1}) is None
    assert "x is not" in (misfit(schema, {"x": wrong}) or "")
    assert misfit(schema, {}) == "its property x is missing"
    assert misfit({"x": Property(kind, optional=True)}, {"x": None}) is None

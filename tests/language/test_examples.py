"""The examples that documents and editors show are files that compile."""

# ruff: noqa: E501  # as documents show them

from __future__ import annotations

from datetime import time, timedelta

from nurture.domain.steps import OnCap, Send
from nurture.domain.timing import Hours
from nurture.language.compile import compile_project

PROJECT = """\
version: 1
lifecycle:
  stages: [awareness, consideration, purchase, retention, advocacy, lapsed]   # yours to name; aliases map other vocabularies
  aliases: {reach: awareness, acquisition: consideration, conversion: purchase, loyalty: advocacy, customer: purchase, evangelist: advocacy}
  first: awareness
  moves:                                   # people drift back, and repeat
    - {to: consideration, from: awareness, on: [Newsletter Subscribed, Quote Requested, Product Viewed]}
    - {to: purchase, on: Order Completed, from: [awareness, consideration, lapsed]}
    - {to: retention, from: purchase, after: 14 days}
    - {to: advocacy, from: retention, on: [Referral Made, Review Posted]}
    - {to: advocacy, from: retention, if: "orders(last='365 days') >= 5"}
    - {to: consideration, from: [retention, advocacy], on: Quote Requested}
    - {to: lapsed, from: [purchase, retention, advocacy], if: "days_since(last('Order Completed')) > 180"}
zone: Europe/Helsinki                      # used when a contact has none; explain says so
senders:
  shop: {name: Northwind Garden, email: hello@northwind.example, reply_to: care@northwind.example}
postal_address: Northwind Garden, Mannerheimintie 1, 00100 Helsinki, Finland
topics:
  tips: {title: Tips and tutorials}
  offers: {title: Offers and rewards}
quiet_hours: 21:00-08:00
holidays: FI
caps:                                      # all of them hold, for every person, in every rolling window
  - {max: 1, per: 20 hours}
  - {max: 3, per: 7 days}
  - {max: 1, per: 14 days, category: discount}
  - {max: 4, per: 90 days, category: discount}
hold_out: 2%                               # of people who never get marketing mail, so that uplift can be measured
"""

CAMPAIGN = """\
# yaml-language-server: $schema=../.nurture/campaign.schema.json
version: 1
campaign: abandoned-cart
title: Remind people of the cart they left
owner: shop@northwind.example
topic: offers
status: live                               # draft | live | paused | archived
priority: 80                               # wins a slot over lower numbers

start:
  event: Checkout Started                  # or  stage: "consideration -> purchase"  |  "* -> lapsed"
  key: event.checkout_id                   #     segment: loyal-customers | date: contact.birthday | manual
  if: event.value >= 15
  again: after 7 days                      # never | always | after N days; the same key never starts twice at once
  meanwhile: refresh                       # same key fires again while inside: ignore | refresh (data) | restart

stop:                                      # leaves at once, wherever the person stands; also checked at the gate
  - event: Order Completed
    where: event.checkout_id == start.checkout_id
  - event: Cart Emptied
goal: {event: Order Completed, within: 5 days, value: event.total}

steps:
  - wait_quiet: 1 hour                     # begins again whenever one of these is seen
    after: [Product Added, Product Removed, Checkout Started]
  - id: reminder
    send: cart/reminder
    late: drop after 6 hours
  - wait: 1 day
    until: "10:00"
  - id: sweetener
    send: cart/last-chance
    category: discount
    if: orders(last='365 days') == 0 and start.value >= 60
    on_cap: skip                           # or: postpone [up to 3 days]   (default: postpone up to the late limit)
"""

TEST = """\
test: buying stops the reminders, even on the night the clocks change
campaign: abandoned-cart
person: ana                                # campaigns/people/ana.yaml
from: 2026-10-24T20:00 Europe/Berlin
story:
  - {at: +0m, event: Checkout Started, with: {checkout_id: c1, value: 80}}
  - {at: +14h, event: Order Completed, with: {checkout_id: c1, total: 80}}
expect:
  sent: [reminder]
  left_by: stop
"""

SOURCES = {
    "campaigns/_project.yaml": PROJECT,
    "campaigns/abandoned-cart.yaml": CAMPAIGN,
    "campaigns/tests/buying.yaml": TEST,
    "campaigns/people/ana.yaml": (
        "person: ana\nemail: ana@people.example\nzone: Europe/Berlin\n"
        "starts: {abandoned-cart: {items: [{name: Spade}]}}\n"
    ),
    "email_templates/cart/reminder.html": (
        "---\nsubject: Still yours\nneeds: [contact.first_name?, start.items[].name]\n---\n"
    ),
    "email_templates/cart/last-chance.html": "---\nsubject: Ten percent\n---\n",
}


def test_the_documented_project_compiles_without_a_problem() -> None:
    compiled = compile_project(SOURCES)
    assert compiled.problems == ()
    programme = compiled.programme
    assert programme is not None
    assert programme.quiet_hours == Hours(time(21), time(8))
    assert programme.longest_cap == timedelta(days=90)
    assert programme.lifecycle.aliases["evangelist"] == "advocacy"
    campaign = programme.campaigns["abandoned-cart"]
    assert list(campaign.nodes) == ["wait_quiet>reminder", "reminder", "wait>sweetener", "sweetener"]
    sweetener = campaign.nodes["sweetener"]
    assert isinstance(sweetener, Send)
    assert sweetener.on_cap is OnCap.SKIP
    (story,) = compiled.stories
    assert story.expect.left_by == "stop"

from __future__ import annotations

import textwrap

import pytest

PROJECT = """\
version: 1
lifecycle:
  stages: [awareness, purchase, advocacy, lapsed]
  aliases: {reach: awareness, customer: purchase}
  first: awareness
  moves:
    - {to: purchase, from: [awareness, lapsed], on: Order Completed}
    - {to: advocacy, from: purchase, after: 14 days}
    - {to: lapsed, from: [purchase, advocacy], if: "days_since(last('Order Completed')) > 180"}
zone: Europe/Helsinki
locale: en
currency: EUR
seed: garden
senders:
  shop: {name: Northwind Garden, email: hello@northwind.example, reply_to: care@northwind.example}
  mia: {name: Mia, email: mia@northwind.example}
postal_address: Northwind Garden, Mannerheimintie 1, 00100 Helsinki, Finland
topics:
  tips: {title: Tips and tutorials}
  offers: {title: Offers and rewards}
categories: [discount, value]
quiet_hours: 21:00-08:00
holidays: FI
caps:
  - {max: 1, per: 20 hours}
  - {max: 3, per: 7 days}
  - {max: 1, per: 14 days, category: discount}
hold_out: 2%
consent:
  granted_by: [Newsletter Subscribed]
  withdrawn_by: [Newsletter Unsubscribed]
teams: {care: care@northwind.example}
webhooks: {crm: https://crm.northwind.example/hook}
meta: {anything: goes}
"""

SEGMENTS = """\
version: 1
segments:
  regulars: orders(last='365 days') >= 3
  big-spenders: {if: "spent(last='365 days') >= 600", title: People who spend much}
"""

CART = """\
version: 1
campaign: abandoned-cart
title: Remind people of the cart they left
owner: shop@northwind.example
topic: offers
status: live
priority: 80
start:
  event: Checkout Started
  key: event.checkout_id
  if: event.value >= 15
  again: after 7 days
  meanwhile: refresh
stop:
  - event: Order Completed
    where: event.checkout_id == start.checkout_id
  - event: Cart Emptied
goal: {event: Order Completed, within: 5 days, value: event.total}
send_window:
  between: 08:00-20:00
  days: weekdays
hold_out: 10%
offers:
  saver:
    expires: 48 hours
    discount: 10%
    code: unique:CART
  thanks:
    expires: 14 days
    tiers:
      - name: gold
        if: contact.lifetime_value >= 800
        discount: 15%
        code: unique:GOLD
      - name: regular
        discount: 5 EUR
        code: fixed:THANKS10
steps:
  - wait_quiet: 1 hour
    after: [Product Added, Checkout Started]
  - id: reminder
    send: cart/reminder
    late: drop after 6 hours
  - wait: 1 day
    until: "10:00"
    on: [mon, tue, wed]
  - id: sweetener
    send: cart/last-chance
    category: discount
    offer: saver
    if: orders(last='365 days') == 0 and start.value >= 60
    on_cap: skip
  - wait_for:
      event: Cart Viewed
      where: event.checkout_id == start.checkout_id
      up_to: 3 days
    then:
      - set: {contact.looked_again: true}
    otherwise:
      - id: letter
        send: cart/letter
        from: mia
        offer: thanks
        category: discount
        was: old-letter
  - wait: 2 business days
  - branch:
      - if: segment('regulars')
        do:
          - move: advocacy
          - record: {event: Cart Rescued, with: {value: start.value}}
      - else: true
        do:
          - webhook: crm
          - end
  - split: closing
    arms:
      - name: alert
        share: 60
        do:
          - alert: {team: care, text: Call this person}
      - name: hold-out
        share: 40
        do: []
  - wait_until: contact.renews_at - 14 days
  - goto: {step: letter, times: 2}
"""

THANKS = """\
version: 1
campaign: order-thanks
status: live
start: {event: Order Completed, key: event.order_id}
steps:
  - id: receipt
    send: order/receipt
    kind: transactional
"""

ANA = """\
person: ana
email: ana@people.example
zone: Europe/Berlin
locale: en
stage: customer
attributes: {first_name: Ana, renews_at: "2027-01-31"}
history:
  - {event: Order Completed, at: -40d, with: {total: 80}}
  - {event: Product Viewed, at: 2026-05-01}
starts:
  abandoned-cart: {checkout_id: c1, value: 80, items: [{name: Spade}, {name: Rake}]}
  order-thanks: {order_id: o1, total: 80}
"""

STORY = """\
test: buying stops the reminders, even on the night the clocks change
campaign: abandoned-cart
person: ana
from: 2026-10-24T20:00 Europe/Berlin
story:
  - {at: +0m, event: Checkout Started, with: {checkout_id: c1, value: 80}}
  - {at: +14h, event: Order Completed, with: {checkout_id: c1, total: 80}}
expect:
  sent: [reminder]
  not_sent: [sweetener]
  skipped: {letter: cap}
  left_by: stop
"""


def template(subject: str, needs: str = "[]") -> str:
    return textwrap.dedent(f"""\
        ---
        subject: {subject}
        preheader: A line that says more
        layout: card
        needs: {needs}
        ---
        <p>Hello</p>
        """)


@pytest.fixture
def project() -> dict[str, str]:
    """A small project without a single problem, in which nearly every word of the language stands once."""
    return {
        "campaigns/_project.yaml": PROJECT,
        "campaigns/_segments.yaml": SEGMENTS,
        "campaigns/abandoned-cart.yaml": CART,
        "campaigns/order-thanks.yaml": THANKS,
        "campaigns/people/ana.yaml": ANA,
        "campaigns/tests/buying-stops.yaml": STORY,
        "email_templates/_layouts/card.html": "<!DOCTYPE html>",
        "email_templates/brand.yaml": "colour: green\n",
        "email_templates/cart/reminder.html": template("Still yours", "[contact.first_name, start.items[].name]"),
        "email_templates/cart/last-chance.html": template("Ten percent", "[offer.code, start.value]"),
        "email_templates/cart/letter.md": template("A word from Mia", "[contact.nickname?]"),
        "email_templates/order/receipt.html": template("Your order", "[start.order_id]"),
    }

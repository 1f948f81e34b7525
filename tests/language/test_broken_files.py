"""One mistake each in a project without mistakes: the file, the line and the code are named, and nothing else is."""

# ruff: noqa: E501, Q003  # one row a mistake

from __future__ import annotations

import pytest

from nurture.language.compile import compile_project
from nurture.language.problems import CODES

P = "campaigns/_project.yaml"
S = "campaigns/_segments.yaml"
C = "campaigns/abandoned-cart.yaml"
T = "campaigns/order-thanks.yaml"
A = "campaigns/people/ana.yaml"
Y = "campaigns/tests/buying-stops.yaml"
R = "email_templates/cart/reminder.html"
L = "email_templates/cart/last-chance.html"

# file, what stands there, what somebody wrote instead (the problem is in the line of «», else in its first line), code
ERRORS = [
    # N1: YAML
    (P, "lifecycle:\n", "lifecycle:\n\tstages: []\n", "N100", "\tstages"),
    (C, "title: Remind people", "title: Remind: people", "N100"),
    (C, "goal: {event: Order Completed, within: 5 days, value: event.total}", "goal: {event: Order Completed,", "N100", None),
    (C, "priority: 80", "priority: 80\npriority: 90", "N100", "priority: 90"),
    (C, "campaign: abandoned-cart", "campaign: &name abandoned-cart", "N100"),
    (C, "owner: shop@northwind.example", "owner: *name", "N100"),
    (C, "title: Remind people of the cart they left", "title: !!python/object:os.system x", "N100"),
    (C, "title: Remind people of the cart they left", 'title: "Remind people', "N100", None),
    (C, "version: 1\n", "version: 1\n---\n", "N100", "---"),
    (C, "status: live", "status: live\n  priority: 3", "N100", "  priority: 3"),
    (C, "  event: Checkout Started\n", "   event: Checkout Started\n", "N100", None),
    (P, "zone: Europe/Helsinki", "zone: 'Europe/Helsinki", "N100", None),
    (C, "title: Remind people of the cart they left", "title: {{ contact.name }}", "N101"),
    (C, "    send: cart/reminder", "    send: cart/reminder\n    subject: {{ contact.first_name }}, still here?", "N101", "subject:"),
    (R, "subject: Still yours", "subject: {{ contact.first_name }}, still yours", "N101"),
    ("email_templates/brand.yaml", None, "colour: {{ green }}\n", "N101"),
    ("email_templates/brand.yaml", None, "- green\n", "N110"),
    # N1: versions and emptiness
    (C, "version: 1\n", "", "N102", "campaign: abandoned-cart"),
    (C, "version: 1\n", "version: 2\n", "N102"),
    (P, "version: 1\n", 'version: "1"\n', "N102"),
    (S, "version: 1\n", "version: one\n", "N102"),
    (A, "person: ana", "version: 3\nperson: ana", "N102"),
    (T, None, "", "N110", None),
    (T, None, "- a\n- b\n", "N110"),
    (T, None, "just words\n", "N110"),
    (T, None, "# only a comment\n", "N110", None),
    # N1: unknown keys at every level
    (P, "zone: Europe", "zoen: Europe", "N103"),
    (P, "quiet_hours:", "quiet_hour:", "N103"),
    (P, "  first: awareness", "  frist: awareness", "N103"),
    (P, "{to: advocacy, from: purchase, after: 14 days}", "{to: advocacy, form: purchase, after: 14 days}", "N103"),
    (P, "mia: {name: Mia, email: mia@northwind.example}", "mia: {name: Mia, email: mia@northwind.example, replyto: a@b.example}", "N103"),
    (P, "tips: {title: Tips and tutorials}", "tips: {titel: x, title: Tips}", "N103"),
    (P, "tips: {title: Tips and tutorials}", "tips: {title: Tips, tricks and tutorials}", "N103"),
    (P, "{max: 1, per: 20 hours}", "{max: 1, per: 20 hours, categories: discount}", "N103"),
    (P, "  granted_by:", "  grantedby:", "N103"),
    (S, "segments:", "segment: {}\nsegments:", "N103", "segment: {}"),
    (S, "title: People", "name: People", "N103"),
    (C, "title: Remind", "titel: Remind", "N103"),
    (C, "  again: after 7 days", "  agian: after 7 days", "N103"),
    (C, "  again: after 7 days", "  re-entry: after 7 days", "N103"),
    (C, "stop:\n", "exit:\n", "N103"),
    (C, "    where: event.checkout_id == start.checkout_id\n  - event: Cart", "    were: event.checkout_id == start.checkout_id\n  - event: Cart", "N103"),
    (C, "within: 5 days, value", "within: 5 days, vlaue", "N103"),
    (C, "  between: 08", "  betwen: 08", "N103"),
    (C, "    late: drop after 6 hours", "    lat: drop after 6 hours", "N103"),
    (C, "    late: drop after 6 hours", "    until: \"10:00\"", "N103"),
    (C, "    on: [mon, tue, wed]", "    days: [mon, tue, wed]", "N103"),
    (C, "      up_to: 3 days", "      up_to: 3 days\n      upto: 4 days", "N103", "upto"),
    (C, "      - if: segment('regulars')\n        do:", "      - when: x\n        if: segment('regulars')\n        do:", "N103"),
    (C, "        share: 60", "        share: 60\n        weight: 60", "N103", "weight"),
    (C, "  - move: advocacy", "  - move: advocacy\n            if: orders() > 3", "N103", "if: orders() > 3"),
    (C, "alert: {team: care, text", "alert: {team: care, txet", "N103"),
    (C, "goto: {step: letter, times: 2}", "goto: {step: letter, times: 2, max: 3}", "N103"),
    (C, "    expires: 48 hours", "    expires: 48 hours\n    celing: 20%", "N103", "celing"),
    (C, "      - name: gold", "      - name: gold\n        titel: x", "N103", "titel"),
    (A, "attributes:", "trait: x\nattributes:", "N103"),
    (A, "at: -40d, with", "at: -40d, wiht", "N103"),
    (Y, "  left_by: stop", "  left: stop", "N103"),
    (Y, "story:", "until: +3d\nsories: []\nstory:", "N103", "sories"),
    # N1: missing keys
    (C, "campaign: abandoned-cart\n", "", "N104", "version: 1"),
    (P, "senders:\n  shop: {name: Northwind Garden, email: hello@northwind.example, reply_to: care@northwind.example}\n  mia: {name: Mia, email: mia@northwind.example}\n", "", "N104", "version: 1"),
    (P, "{name: Mia, email: mia@northwind.example}", "{name: Mia}", "N104"),
    (P, "{max: 3, per: 7 days}", "{max: 3}", "N104"),
    (P, "{to: advocacy, from: purchase, after: 14 days}", "{from: purchase, after: 14 days}", "N104"),
    (C, "within: 5 days, ", "", "N104", "goal:"),
    (C, "  - id: reminder\n    send", "  - send", "N104"),
    (C, "      up_to: 3 days\n", "", "N104", "event: Cart Viewed"),
    (C, "    after: [Product Added, Checkout Started]\n", "", "N104", "wait_quiet"),
    (C, "        share: 60\n", "", "N104", "name: alert"),
    (C, "    discount: 10%\n", "", "N104", "expires: 48"),
    (C, "  if: event.value >= 15", "  if:", "N104"),
    (C, "    on_cap: skip", "    on_cap:", "N104"),
    (C, "title: Remind people of the cart they left", "title:", "N104"),
    (T, "steps:\n  - id: receipt\n    send: order/receipt\n    kind: transactional\n", "", "N104", "version: 1"),
    (A, "email: ana@people.example\n", "", "N104", "person: ana"),
    (Y, "expect:\n  sent: [reminder]\n  not_sent: [sweetener]\n  skipped: {letter: cap}\n  left_by: stop\n", "expect: {}\n", "N104"),
    # N1: wrong types
    (C, "title: Remind people of the cart they left", "title: 12", "N105"),
    (C, "title: Remind people of the cart they left", "title: [a, b]", "N105"),
    (C, "priority: 80", 'priority: "80"', "N105"),
    (C, "priority: 80", "priority: high", "N105"),
    (C, "priority: 80", "priority: 101", "N105"),
    (C, "priority: 80", "priority: -1", "N105"),
    (C, "    on_cap: skip", "    on_cap: skip\n    urgent: yes", "N105", "urgent"),
    (C, "  - wait_until: contact.renews_at - 14 days", "  - wait 2 days", "N105"),
    (C, "  - wait_until: contact.renews_at - 14 days", "  - 14", "N105"),
    (C, "  - wait_until: contact.renews_at - 14 days", "  - goto: {step: letter, times: 0}", "N105"),
    (C, "goto: {step: letter, times: 2}", "goto: {step: letter, times: 500}", "N105"),
    (T, "steps:\n  - id: receipt\n    send: order/receipt\n    kind: transactional\n", "steps: []\n", "N105"),
    (T, "steps:\n  - id: receipt\n    send: order/receipt\n    kind: transactional\n", "steps: wait\n", "N105"),
    (T, "start: {event: Order Completed, key: event.order_id}", "start: Order Completed", "N105"),
    (P, "{max: 1, per: 20 hours}", "{max: 0, per: 20 hours}", "N105"),
    (P, "currency: EUR", "currency: euro", "N105"),
    (P, "locale: en", "locale: English", "N105"),
    (P, "{to: advocacy, from: purchase, after: 14 days}", "{to: advocacy, from: advocacy, after: 14 days}", "N105"),
    (P, "crm: https://crm.northwind.example/hook", "crm: crm.northwind.example/hook", "N105"),
    (C, "      - set: {contact.looked_again: true}", "      - set: {contact.stage: advocacy}", "N105"),
    (C, "      - set: {contact.looked_again: true}", "      - set: {}", "N105"),
    (C, "record: {event: Cart Rescued,", "record: {event: nurture.enrol,", "N105"),
    (A, "attributes: {first_name: Ana, renews_at: \"2027-01-31\"}", "attributes: [first_name]", "N105"),
    # N1: choices and combinations
    (C, "status: live", "status: lvie", "N106"),
    (C, "status: live", "status: active", "N106"),
    (C, "  meanwhile: refresh", "  meanwhile: refesh", "N106"),
    (C, "value: event.total}", "value: event.total, then: leave}", "N106"),
    (T, "    kind: transactional", "    kind: transactionl", "N106"),
    (A, "stage: customer", "stage: customer\nconsent: maybe", "N106", "consent"),
    (Y, "skipped: {letter: cap}", "skipped: {letter: capped}", "N106"),
    (Y, "  left_by: stop", "  left_by: stopped", "N106"),
    (C, "  event: Checkout Started\n", "  event: Checkout Started\n  segment: regulars\n", "N108"),
    (T, "start: {event: Order Completed, key: event.order_id}", "start: {key: contact.plan}", "N108"),
    (T, "start: {event: Order Completed, key: event.order_id}", 'start: {event: Order Completed, key: event.order_id, at: "09:00"}', "N108"),
    (C, "  - event: Cart Emptied", "  - {event: Cart Emptied, segment: regulars}", "N108"),
    (C, "  - event: Cart Emptied", "  - {segment: regulars, where: event.x == 1}", "N108"),
    (P, "{to: advocacy, from: purchase, after: 14 days}", "{to: advocacy, from: purchase}", "N108"),
    (P, "after: 14 days}", "after: 14 days, on: Review Posted}", "N108"),
    (C, "  - wait: 2 business days", "  - wait: 2 business days\n    send: cart/letter\n    id: second", "N108"),
    (C, "  - wait: 2 business days", "  - sned: cart/letter\n    id: second", "N108"),
    (C, "  - wait: 2 business days", "  - delay: 2 days", "N108"),
    (C, "  - wait: 2 business days", "  - {}", "N108"),
    (C, "      - else: true\n", "      - else: true\n        if: orders() > 1\n", "N108"),
    (C, "    discount: 10%\n    code: unique:CART\n", "    discount: 10%\n    code: unique:CART\n    tiers: [{name: a, discount: 5%, code: fixed:A}]\n", "N108", "expires: 48"),
    (A, "attributes: {first_name: Ana", "attributes: {email: a@b.example, first_name: Ana", "N108"),
    (C, "    send: cart/reminder", "    send: cart/reminder\n    was: [old, 3]", "N105", "was"),
    # N1: names
    (C, "campaign: abandoned-cart", "campaign: Abandoned Cart", "N111"),
    (C, "  - id: reminder", "  - id: Reminder 1", "N111"),
    (P, "teams: {care: ", "teams: {Care Team: a@b.example, care: ", "N111"),
    (C, "offers:\n", "offers:\n  Save 10%: {expires: 1 day, discount: 1%, code: fixed:A}\n", "N111", "Save 10%"),
    (S, "  regulars: ", "  Our regulars: orders() > 1\n  regulars: ", "N111"),
    (C, "  - split: closing", "  - split: Closing arms", "N111"),
    (C, "      - set: {contact.looked_again: true}", "      - set: {looked-again: true}", "N111"),
    # N2: names
    (C, "  - wait: 2 business days", "  - id: reminder\n    send: cart/reminder\n  - wait: 2 days", "N201", "  - id: reminder\n    send: cart/reminder\n  - wait: 2 days"),
    (C, "      - name: hold-out", "      - name: alert", "N201", "      - name: alert\n        share: 40"),
    (C, "      - name: regular", "      - name: gold", "N201", "      - name: gold\n        discount: 5 EUR"),
    (C, "was: old-letter", "was: reminder", "N201"),
    (C, "    send: cart/last-chance", "    send: cart/last-chance\n    was: old-letter", "N201", "was: old-letter\n  -"),
    (T, "campaign: order-thanks", "campaign: abandoned-cart", "N201"),
    (P, "stages: [awareness, purchase, advocacy, lapsed]", "stages: [awareness, purchase, advocacy, lapsed, purchase]", "N201"),
    (P, "aliases: {reach:", "aliases: {lapsed: awareness, reach:", "N201"),
    (P, "  first: awareness", "  first: awarness", "N202"),
    (P, "{to: advocacy, from: purchase, after: 14 days}", "{to: advocate, from: purchase, after: 14 days}", "N202"),
    (P, "from: [purchase, advocacy]", "from: [purchase, loyal]", "N202"),
    (P, "aliases: {reach: awareness", "aliases: {reach: awarenes", "N202"),
    (C, "move: advocacy", "move: advocay", "N202"),
    (T, "start: {event: Order Completed, key: event.order_id}", 'start: {stage: "lead -> purchase"}', "N202"),
    (C, "  - event: Cart Emptied", '  - stage: "* -> churned"', "N202"),
    (A, "stage: customer", "stage: custommer", "N202"),
    (Y, "  left_by: stop", "  left_by: stop\n  stage: gone", "N202", "stage: gone"),
    (C, "send: cart/reminder", "send: cart/remindr", "N203"),
    (C, "send: cart/letter", "send: cart/letter.md", "N203"),
    (T, "send: order/receipt", "send: _layouts/card", "N203"),
    (C, "  - event: Cart Emptied", "  - segment: regular", "N204"),
    (T, "start: {event: Order Completed, key: event.order_id}", "start: {segment: big-spender}", "N204"),
    (C, "topic: offers", "topic: offer", "N205"),
    (C, "    category: discount\n    offer: saver", "    category: discounts\n    offer: saver", "N206"),
    (C, "from: mia", "from: maria", "N207"),
    (C, "goto: {step: letter,", "goto: {step: lettre,", "N208"),
    (Y, "sent: [reminder]", "sent: [remindr]", "N208"),
    (Y, "not_sent: [sweetener]", "not_sent: [sweetner]", "N208"),
    (Y, "skipped: {letter: cap}", "skipped: {leter: cap}", "N208"),
    (C, "alert: {team: care,", "alert: {team: caer,", "N209"),
    (C, "webhook: crm", "webhook: cmr", "N210"),
    (Y, "campaign: abandoned-cart", "campaign: abandoned-carts", "N212"),
    (Y, "person: ana", "person: anna", "N212"),
    (A, "  order-thanks: {", "  order-thank: {", "N212"),
    (S, "  regulars: orders(last='365 days') >= 3", "  regulars: segment('big-spenders')\n  loop: segment('loop')", "N213", "loop:"),
    (P, "zone: Europe/Helsinki", "zone: Europe/Helsinki\nsurveys: {s: {event: E, answers: [a, 1], texts: {en: {question: Q, thanks: T, answers: {c: C}}}}}", "N217", "surveys:"),
    (R, "---\n<p>", "---\n<p>{{ answer_url('s', 9) }}", "N217", "<p>{{ answer_url"),
    (C, "          - end\n", "          - end\n          - wait: 1 day\n", "N214", "          - wait: 1 day"),
    (C, "      - if: segment('regulars')\n        do:", "      - else: true\n        do:", "N214", "      - else: true\n        do:\n          - webhook"),
    # N3: expressions
    (C, "  if: event.value >= 15", "  if: event.value = 15", "N301"),
    (C, "  if: event.value >= 15", "  if: event.value >= 15 && contact.vip", "N301"),
    (C, "  if: event.value >= 15", "  if: evnt.value >= 15", "N301"),
    (C, "  if: event.value >= 15", "  if: event.value >=", "N301"),
    (C, "  key: event.checkout_id", "  key: event.checkout_id +", "N301"),
    (C, "if: segment('regulars')", "if: segment('regular')", "N301"),
    (C, "if: segment('regulars')", "if: in_stage('loyal')", "N301"),
    (C, "if: segment('regulars')", "if: received('remindr')", "N301"),
    (C, "if: segment('regulars')", "if: ordres() > 3", "N301"),
    (C, "if: segment('regulars')", "if: __import__('os').system('x')", "N301"),
    (C, "if: segment('regulars')", "if: event.value > 3", "N301"),
    (S, "orders(last='365 days') >= 3", "orders(last='365') >= 3", "N301"),
    (S, "orders(last='365 days') >= 3", "start.value >= 3", "N301"),
    (P, "days_since(last('Order Completed')) > 180", "days_since(last('Order Completed') > 180", "N301"),
    (C, "value: event.total}", "value: event.total +}", "N301"),
    (C, "contact.renews_at - 14 days", "contact.renews_at ++ - 14 days", "N301"),
    (C, "with: {value: start.value}", "with: {value: start.value == = 3}", "N301"),
    (C, "        if: contact.lifetime_value >= 800", "        if: contact.lifetime_value => 800", "N301"),
    # N4: templates and their data
    (R, None, "<p>Hello</p>\n", "N401"),
    (R, "---\n<p>", "<p>", "N401", "---"),
    (R, "needs: [contact.first_name, start.items[].name]", "needs: contact.first_name", "N401"),
    (R, "contact.first_name", "visitor.first_name", "N401"),
    (R, "subject: Still yours\n", "", "N402", "preheader"),
    (R, "start.items[].name", "offer.code", "N403"),
    (R, "start.items[].name", "start.items[].colour", "N404"),
    (R, "start.items[].name", "start.total", "N404"),
    (R, "contact.first_name", "contact.last_name", "N405"),
    # N5: addresses
    (P, "email: mia@northwind.example", "email: mia(at)northwind.example", "N501"),
    (P, "email: mia@northwind.example", "email: Mia <mia@northwind.example>", "N501"),
    (C, "owner: shop@northwind.example", "owner: the shop", "N501"),
    (P, "teams: {care: care@northwind.example}", "teams: {care: care}", "N501"),
    (P, "email: mia@northwind.example", "email: mia.northwind@gmail.com", "N502"),
    (P, "email: mia@northwind.example", "email: mia@localhost", "N502"),
    # N6: time
    (C, "  - wait: 2 business days", "  - wait: 2", "N601"),
    (C, "  - wait: 2 business days", "  - wait: 2 dyas", "N601"),
    (C, "  - wait: 2 business days", "  - wait: -2 days", "N601"),
    (C, "  - wait: 2 business days", "  - wait: 0 days", "N601"),
    (C, "  - wait: 2 business days", "  - wait: a while", "N601"),
    (C, "  - wait: 2 business days", "  - wait: 2.5 days", "N601"),
    (C, "  - wait: 2 business days", "  - wait: [2 days]", "N601"),
    (C, "wait_quiet: 1 hour", "wait_quiet: one hour", "N601"),
    (C, "      up_to: 3 days", "      up_to: 30 years", "N601"),
    (C, "late: drop after 6 hours", "late: 6 hours", "N601"),
    (C, "late: drop after 6 hours", "late: drop after 6", "N601"),
    (C, "    on_cap: skip", "    on_cap: drop", "N601"),
    (C, "    on_cap: skip", "    on_cap: postpone up to 3", "N601"),
    (C, "  again: after 7 days", "  again: 7 days", "N601"),
    (C, "  again: after 7 days", "  again: sometimes", "N601"),
    (C, "contact.renews_at - 14 days", "contact.renews_at - 14 dais", "N601"),
    (P, "per: 20 hours", "per: 20", "N601"),
    (C, "    expires: 48 hours", "    expires: two days", "N601"),
    (C, 'until: "10:00"', 'until: "9:30"', "N602"),
    (C, 'until: "10:00"', 'until: "25:00"', "N602"),
    (C, 'until: "10:00"', "until: 10", "N602"),
    (C, 'until: "10:00"', "until: 10am", "N602"),
    (P, "quiet_hours: 21:00-08:00", "quiet_hours: 21-08", "N603"),
    (P, "quiet_hours: 21:00-08:00", "quiet_hours: 21:00-21:00", "N603"),
    (P, "quiet_hours: 21:00-08:00", "quiet_hours: [21, 8]", "N603"),
    (C, "between: 08:00-20:00", "between: 8:00-20:00", "N603"),
    (P, "zone: Europe/Helsinki", "zone: Europe/Helsinky", "N604"),
    (P, "zone: Europe/Helsinki", "zone: EEST+3", "N604"),
    (A, "zone: Europe/Berlin", "zone: Berlin", "N604"),
    (C, "late: drop after 6 hours", "late: drop after 30 seconds", "N605"),
    (C, "between: 08:00-20:00", "between: 22:00-06:00", "N606"),
    (P, "quiet_hours: 21:00-08:00", "quiet_hours: 08:00-07:00", "N607"),
    (P, "per: 20 hours", "per: 2 business days", "N608"),
    (P, "per: 20 hours", "per: 36 months", "N608"),
    (P, "holidays: FI", "holidays: Finland", "N609"),
    (P, "holidays: FI", "holidays: QZ", "N609"),
    (P, "holidays: FI", "holidays: US-QQ", "N609"),
    (P, "holidays: FI", "holidays: [2026-13-01]", "N609"),
    (P, "hold_out: 2%", "hold_out: 2", "N610"),
    (P, "hold_out: 2%", "hold_out: 0.02", "N610"),
    (C, "hold_out: 10%", "hold_out: 110%", "N610"),
    (C, "        share: 60", "        share: 50", "N612", "      - name: alert"),
    (C, "on: [mon, tue, wed]", "on: [mon, teu, wed]", "N614"),
    (C, "days: weekdays", "days: workdays", "N614"),
    (C, "on: [mon, tue, wed]", "on: []", "N614"),
    (C, "  - goto: {step: letter, times: 2}", "  - id: now\n    send: cart/letter\n    category: discount\n    offer: thanks\n  - goto: now", "N616", "  - goto: now"),
    (A, "at: -40d", "at: 40 days ago", "N617"),
    (A, "at: -40d", "at: +40d", "N617"),
    (A, "at: 2026-05-01", "at: 2026-02-30", "N617"),
    (Y, "at: +14h", "at: 14h", "N617"),
    (Y, "at: +14h", "at: -14h", "N617"),
    (Y, "from: 2026-10-24T20:00 Europe/Berlin", "from: 2026-10-24 20 Uhr", "N617"),
    (Y, "from: 2026-10-24T20:00 Europe/Berlin", "from: 2026-10-24T20:00 Europe/Berlinn", "N617"),
    # N7: consent and law
    (P, "postal_address: Northwind Garden, Mannerheimintie 1, 00100 Helsinki, Finland\n", "", "N701", "version: 1"),
    (P, "postal_address: Northwind Garden, Mannerheimintie 1, 00100 Helsinki, Finland", 'postal_address: " "', "N701"),
    (C, "goal: {event: Order Completed, within", "goal: {event: nurture.clicked_by_machine, within", "N216"),
    (C, "topic: offers\n", "", "N702", "campaign: abandoned-cart"),
    (C, "    offer: saver\n", "    offer: saver\n    kind: transactional\n", "N703", "    offer: saver"),
    (T, "    kind: transactional", "    kind: transactional\n    category: discount", "N703", "category"),
    # N8: offers
    (C, "    offer: saver", "    offer: savr", "N801"),
    (C, "    discount: 10%", "    discount: 10", "N802"),
    (C, "    discount: 10%", "    discount: 120%", "N802"),
    (C, "    discount: 10%", "    discount: half price", "N802"),
    (C, "    code: unique:CART", "    code: CART", "N803"),
    (C, "    code: unique:CART", "    code: unique:cart", "N803"),
    (C, "        if: contact.lifetime_value >= 800\n", "", "N804", "      - name: regular"),
]  # fmt: skip

WARNINGS = [
    (C, 'until: "10:00"', "until: 10:00", "N107"),
    (C, "[Product Added, Checkout Started]", "[Product Added, Checkout Stared]", "N211"),
    (C, "        if: contact.lifetime_value >= 800", "        if: contact.frist_name == 'Ana'", "N215"),
    (C, "      - set: {contact.looked_again: true}", "      - set: {contact.points: 1 + contact.points}", "N302"),
    (A, "  abandoned-cart: {checkout_id: c1, value: 80, items: [{name: Spade}, {name: Rake}]}\n", "", "N406", "needs: [contact.first_name"),
    (P, "mia: {name: Mia, email: mia@northwind.example}", "mia: {name: Mia, email: noreply@northwind.example}", "N502"),
    (A, "email: ana@people.example", "email: ana@northwind.fi", "N501"),
    (P, "{max: 3, per: 7 days}", "{max: 1, per: 10 hours}", "N608"),
    (C, "late: drop after 6 hours", "late: drop after 6 hours\n    on_cap: postpone up to 3 days", "N615", "on_cap: postpone"),
    (T, "    kind: transactional", "    kind: transactional\n  - record: {event: Order Completed, with: {order_id: start.order_id}}", "N618", "  - record"),
    (T, "    kind: transactional", "    kind: transactional\n    on_cap: skip", "N703", "on_cap"),
    (C, "        offer: thanks\n", "", "N805", "  thanks:"),
    (C, "    category: discount\n    offer: saver", "    category: value\n    offer: saver", "N806", "offer: saver"),
]  # fmt: skip


def _rows(table: list[tuple[str | None, ...]]) -> list[object]:
    rows = []
    for number, (file, old, new, code, *where) in enumerate(table):
        marker = where[0] if where else next(line for line in str(new).split("\n") if line.strip())
        shown = "".join(char if char.isalnum() else "-" for char in str(new))[:40]
        rows.append(pytest.param(file, old, new, code, marker, id=f"{code}-{number}-{shown}"))
    return rows


def _break(project: dict[str, str], file: str, old: str | None, new: str) -> None:
    if old is None:
        project[file] = new
        return
    assert old in project[file], f"the example no longer has {old!r}"
    project[file] = project[file].replace(old, new, 1)


def _line_of(text: str, marker: str) -> int:
    assert marker in text
    return text[: text.index(marker)].count("\n") + 1


def test_the_project_without_mistakes_has_no_problems(project: dict[str, str]) -> None:
    compiled = compile_project(project)
    assert compiled.problems == ()
    assert compiled.programme is not None


@pytest.mark.parametrize(("file", "old", "new", "code", "marker"), _rows(ERRORS))
def test_a_mistake_is_named_with_its_place_and_stops_everything(
    project: dict[str, str], file: str, old: str | None, new: str, code: str, marker: str | None
) -> None:
    _break(project, file, old, new)
    compiled = compile_project(project)
    errors = [problem for problem in compiled.problems if problem.is_error]
    assert {(problem.file, problem.code) for problem in errors} == {(file, code)}
    assert compiled.programme is None
    if marker is not None:
        assert errors[0].line == _line_of(project[file], marker)
    text = project[file].split("\n")
    assert 1 <= errors[0].line <= len(text)
    assert 1 <= errors[0].column <= len(text[errors[0].line - 1]) + 1
    assert errors[0].message


REPAIRABLE = [row for row in ERRORS if row[3] in {"N101", "N103", "N106"} or str(row[3]).startswith("N2")]


@pytest.mark.parametrize(("file", "old", "new", "code", "marker"), _rows(REPAIRABLE))
def test_a_repair_offered_is_one_that_heals(
    project: dict[str, str], file: str, old: str | None, new: str, code: str, marker: str | None
) -> None:
    _break(project, file, old, new)
    (problem, *others) = compile_project(project).errors
    if problem.fix is None:
        return
    wrong, right = problem.fix
    lines = project[file].split("\n")
    line = lines[problem.line - 1]
    start = line.index(wrong, problem.column - 1)
    lines[problem.line - 1] = line[:start] + right + line[start + len(wrong) :]
    project[file] = "\n".join(lines)
    assert list(compile_project(project).errors) == others == []


def test_the_commonest_slips_are_repaired(project: dict[str, str]) -> None:
    repaired = set()
    for file, old, new, code, *_ in REPAIRABLE:
        broken = dict(project)
        _break(broken, str(file), old, str(new))
        repaired |= {code for problem in compile_project(broken).errors if problem.fix}
    assert repaired >= {"N101", "N103", "N106", "N202", "N203", "N204", "N205", "N206", "N208", "N209", "N210", "N212"}


@pytest.mark.parametrize(("file", "old", "new", "code", "marker"), _rows(WARNINGS))
def test_a_doubtful_thing_is_named_and_let_through(
    project: dict[str, str], file: str, old: str | None, new: str, code: str, marker: str
) -> None:
    _break(project, file, old, new)
    compiled = compile_project(project)
    assert [(problem.code, problem.is_error) for problem in compiled.problems] == [(code, False)]
    assert compiled.programme is not None
    problem = compiled.problems[0]
    assert problem.line == _line_of(project[problem.file], marker)


PING = "version: 1\ncampaign: ping\nstatus: live\nstart: {event: Ping}\nsteps:\n  - record: Pong\n"
PONG = "version: 1\ncampaign: pong\nstatus: live\nstart: {event: Pong}\nsteps:\n  - record: Ping\n"


@pytest.mark.parametrize(
    ("old", "new", "warned"),
    [
        ("", "", 2),
        ("{event: Pong}", "{event: Pong, again: never}", 0),
        ("{event: Pong}", "{event: Pong, again: after 2 days}", 0),
        ("  - record: Ping", "  - wait: 1 day\n  - record: Ping", 0),
        ("  - record: Ping", "  - wait_for: {event: Pung, up_to: 1 day}\n    then: [{record: Ping}]", 2),
    ],
)
def test_campaigns_that_start_each_other_for_ever_are_named(
    project: dict[str, str], old: str, new: str, warned: int
) -> None:
    project["campaigns/ping.yaml"] = PING
    project["campaigns/pong.yaml"] = PONG.replace(old, new)
    compiled = compile_project(project)
    assert compiled.programme is not None
    assert [problem.code for problem in compiled.problems if problem.code != "N211"] == ["N618"] * warned


def test_braces_in_a_text_of_several_lines_need_no_quotes(project: dict[str, str]) -> None:
    long = "alert: {team: care, text: Call this person}"
    text = "alert:\n              team: care\n              text: |\n                - {{ email }}\n                person: {{ x }}"
    project[C] = project[C].replace(long, text)
    assert compile_project(project).problems == ()


def test_every_code_has_a_row_and_every_row_a_code() -> None:
    covered = {str(row[3]) for row in (*ERRORS, *WARNINGS)}
    covered |= {"N109", "N112", "N619"}  # whole files: test_files.py, test_behaviour.py
    covered |= {"N620", "N621", "N622", "N807"}  # test_sense.py
    covered |= {"N303", "N407"}  # test_incoming.py
    covered |= {"N704", "N705"}  # test_forms.py
    assert covered == set(CODES)

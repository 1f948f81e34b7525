"""The stories. Times count from Monday 2 March 2026, 09:00 UTC."""

from __future__ import annotations

from datetime import timedelta

from nurture.testing.scenarios import Scenario, tell

HELLO = "start: {event: Signed Up, again: always}\nsteps:\n  - {id: hello, send: hello}\n"
TWO = """\
start: {event: Signed Up}
steps:
  - {id: a, send: a}
  - wait: 2 days
  - {id: b, send: b}
"""
ONCE = TWO.replace("{event: Signed Up}", "{event: Signed Up, again: never}")
CART = """\
campaign: cart
topic: offers
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
goal: {event: Order Completed, within: 5 days, value: event.total}
steps:
  - wait_quiet: 1 hour
    after: [Product Added, Checkout Started]
  - {id: reminder, send: cart/reminder, late: drop after 6 hours}
  - wait: 1 day
    until: "10:00"
  - {id: sweetener, send: cart/last-chance, category: discount, if: start.value >= 60, on_cap: skip}
"""
YES = "0m ana Newsletter Subscribed"
DAILY = "caps:\n  - {max: 1, per: 20 hours}\n"
QUIET = "quiet_hours: 21:00-08:00\n"


def one(name: str, campaign: str, *lines: object, sent: str, **more: object) -> Scenario:
    campaigns = (campaign,) if isinstance(campaign, str) else campaign
    steps = tuple(f"ana {step}" if " " not in step else step for step in sent.split(", ") if step)
    return Scenario(name, campaigns, tell(*lines), steps, **more)  # type: ignore[arg-type]


def starting(with_: dict[str, object], at: str = "1h") -> tuple[str, dict[str, object]]:
    return (f"{at} ana Checkout Started", {"checkout_id": "c1", **with_})


SCENARIOS = [
    one("one mail at once", HELLO, YES, "1h ana Signed Up", sent="hello"),
    one("without consent nothing goes", HELLO, "1h ana Signed Up", sent=""),
    one("consent that comes later is for later mails", HELLO, "1h ana Signed Up", "2h ana Newsletter Subscribed",
        "3h ana Signed Up", sent="hello"),
    one("a sequence waits in calendar days", TWO, YES, "1h ana Signed Up", sent="a, b"),
    one("unsubscribing ends it", TWO, YES, "1h ana Signed Up", "1d ana Newsletter Unsubscribed", sent="a"),
    one("once and for all where it says so", ONCE, YES, "1h ana Signed Up", "9d ana Signed Up", sent="a, b"),
    one("a cap postpones the second", HELLO, YES, "1h ana Signed Up", "2h ana Signed Up", project=DAILY,
        sent="hello, hello"),
    one("a cap that lasts longer than the mail skips it", HELLO, YES, "1h ana Signed Up", "2h ana Signed Up",
        project="caps:\n  - {max: 1, per: 30 days}\n", sent="hello"),
    one("quiet hours hold a mail until morning", HELLO, YES, "13h ana Signed Up", project=QUIET, sent="hello"),
    one("quiet hours in her own zone", HELLO, YES, "13h ana Signed Up", project=QUIET, sent="hello",
        zones={"ana": "America/Los_Angeles"}),
    one("a cart is reminded of and sweetened", CART, YES, starting({"value": 80}), sent="reminder, sweetener"),
    one("a small cart is not", CART, YES, starting({"value": 5}), sent=""),
    one("a cart without a value is unknown, not small", CART, YES, starting({}), sent=""),
    one("a cheap cart gets no sweetener", CART, YES, starting({"value": 20}), sent="reminder"),
    one("buying stops the reminders and is the goal", CART, YES, starting({"value": 80}),
        ("3h ana Order Completed", {"checkout_id": "c1", "total": 80}), sent="reminder"),
    one("buying something else is a goal, if not a stop", CART, YES, starting({"value": 80}),
        ("3h ana Order Completed", {"checkout_id": "other", "total": 8}), sent="reminder"),
    one("quiet begins again with every product", CART, YES, starting({"value": 80}),
        ("1h50m ana Product Added", {"sku": "x"}), ("2h40m ana Product Added", {"sku": "y"}),
        sent="reminder, sweetener"),
    one("the same cart again only refreshes", CART, YES, starting({"value": 20}), starting({"value": 90}, "1h30m"),
        sent="reminder, sweetener"),
    one("another cart within a week is refused", CART, YES, starting({"value": 80}),
        ("1h5m ana Checkout Started", {"checkout_id": "c2", "value": 30}), sent="reminder, sweetener"),
    one("a cart reported late is judged by when it was left", CART, YES,
        ("20h-18h ana Checkout Started", {"checkout_id": "c1", "value": 80}), sent="sweetener"),
    one("an order reported before its cart", CART, YES,
        ("5h ana Order Completed", {"checkout_id": "c1", "total": 9}),
        ("6h-2h ana Checkout Started", {"checkout_id": "c1", "value": 80}), sent=""),
    one("a goal that is told when its days are long over still counts",
        "start: {event: Signed Up}\ngoal: {event: Order Completed, within: 2 days}\nsteps:\n  - {id: a, send: a}\n",
        YES, "1h ana Signed Up", "9d-8d ana Order Completed", "10d ana Order Completed", sent="a"),
    one("a stage starts a campaign", "start: {stage: '* -> purchase'}\nsteps:\n  - {id: thanks, send: thanks}\n", YES,
        "1d ana Order Completed", sent="thanks"),
    one("retention comes by dwelling",
        "start: {stage: 'purchase -> retention'}\nsteps:\n  - {id: tips, send: tips}\n", YES, "1d ana Order Completed",
        sent="tips"),
    one("leaving a stage stops",
        "start: {stage: '* -> consideration'}\nstop:\n  - stage: '* -> purchase'\nsteps:\n  - wait: 3 days\n"
        "  - {id: nudge, send: nudge}\n", YES, "1d ana Order Completed", sent=""),
    one("a segment starts one", "start: {segment: loyal}\nsteps:\n  - {id: thanks, send: thanks}\n", YES,
        "1d ana Order Completed", "2d ana Order Completed", segments="  loyal: count('Order Completed') >= 2\n",
        sent="thanks"),
    one("a segment by time alone", "start: {segment: quiet}\nsteps:\n  - {id: miss, send: miss}\n", YES,
        "1d ana Order Completed", segments="  quiet: days_since(last('Order Completed')) > 20\n", sent="miss"),
    one("a branch by what she did",
        "start: {event: Signed Up}\nsteps:\n  - wait: 2 days\n  - branch:\n"
        "      - if: did('Page Viewed', last='3 days')\n"
        "        do:\n          - {id: seen, send: seen}\n      - else: true\n        do:\n"
        "          - {id: unseen, send: unseen}\n", YES, "1h ana Signed Up", "1d ana Page Viewed",
        "1h ben Signed Up", "0m ben Newsletter Subscribed", sent="ana seen, ben unseen"),
    one("waiting for an event",
        "start: {event: Signed Up}\nsteps:\n  - wait_for:\n      event: Quiz Taken\n      up_to: 3 days\n"
        "    then:\n      - {id: result, send: result}\n    otherwise:\n      - {id: invite, send: invite}\n",
        YES, "1h ana Signed Up", "2d ana Quiz Taken", "1h ben Signed Up", "0m ben Newsletter Subscribed",
        sent="ana result, ben invite"),
    one("an attribute set and read",
        "start: {event: Signed Up}\nsteps:\n  - set: {contact.vip: 'true'}\n"
        "  - {id: vip, send: vip, if: exists(contact.vip)}\n",
        YES, "1h ana Signed Up", sent="vip"),
    one("a step moves the stage, another campaign starts by it",
        ("campaign: one\nstart: {event: Signed Up}\nsteps:\n  - move: advocacy\n",
         "campaign: two\nstart: {stage: '* -> advocacy'}\nsteps:\n  - {id: ask, send: ask}\n"),
        YES, "1h ana Signed Up", sent="ask"),
    one("an event of our own starts another campaign",
        ("campaign: one\nstart: {event: Signed Up}\nsteps:\n  - record: Finished Course\n",
         "campaign: two\nstart: {event: Finished Course}\nsteps:\n  - {id: well, send: well}\n"),
        YES, "1h ana Signed Up", sent="well"),
    one("priority wins the slot, the other goes later",
        ("campaign: low\npriority: 10\nstart: {event: Signed Up}\nsteps:\n  - {id: low, send: low}\n",
         "campaign: high\npriority: 90\nstart: {event: Signed Up}\nsteps:\n  - {id: high, send: high}\n"),
        YES, "1h ana Signed Up", project=DAILY, sent="high, low"),
    one("a receipt goes at night, over caps, and without consent",
        ("campaign: receipt\nstart: {event: Order Completed, again: always}\nsteps:\n"
         "  - {id: receipt, send: receipt, kind: transactional}\n"),
        "14h ana Order Completed", "15h ana Order Completed", project=DAILY + QUIET, sent="receipt, receipt"),
    one("a discount cap counts discounts only",
        ("campaign: d\nstart: {event: Signed Up, again: always}\nsteps:\n  - {id: d, send: d, category: discount}\n",
         "campaign: v\nstart: {event: Page Viewed, again: always}\nsteps:\n  - {id: v, send: v, category: value}\n"),
        YES, "1h ana Signed Up", "2d ana Signed Up", "2d ana Page Viewed",
        project="caps:\n  - {max: 1, per: 14 days, category: discount}\n", sent="d, v"),
    one("a loop comes round so many times",
        "start: {event: Signed Up}\nsteps:\n  - {id: again, send: again}\n  - wait: 1 day\n"
        "  - goto: {step: again, times: 2}\n", YES, "1h ana Signed Up", sent="again, again, again"),
    one("a split is the same for the same people", (
        "start: {event: Signed Up}\nsteps:\n  - split: tone\n    arms:\n"
        "      - {name: warm, share: 50, do: [{id: warm, send: warm}]}\n"
        "      - {name: cool, share: 50, do: [{id: cool, send: cool}]}\n"
    ), YES, "1h ana Signed Up", "0m ben Newsletter Subscribed", "1h ben Signed Up", "0m eve Newsletter Subscribed",
        "1h eve Signed Up", sent="*"),
    one("held out people get ghosts", "hold_out: 90%\nstart: {event: Signed Up}\nsteps:\n  - {id: a, send: a}\n",
        YES, "1h ana Signed Up", "0m ben Newsletter Subscribed", "1h ben Signed Up", sent="*"),
    one("across the night the clocks change", TWO, YES, "26d14h ana Signed Up", project=QUIET,
        zones={"ana": "Europe/Berlin"}, sent="a, b"),
    one("a wait on weekdays",
        "start: {event: Signed Up}\nsteps:\n  - wait: 1 day\n    until: '09:30'\n    on: [tue, thu]\n"
        "  - {id: a, send: a}\n", YES, "3d ana Signed Up", zones={"ana": "Asia/Kolkata"}, sent="a"),
    one("opting out of one topic leaves the others",
        ("campaign: tips\ntopic: tips\nstart: {event: Signed Up}\nsteps:\n  - wait: 1 day\n  - {id: tip, send: tip}\n",
         ("campaign: offer\ntopic: offers\nstart: {event: Signed Up}\nsteps:\n  - wait: 1 day\n"
         "  - {id: offer, send: offer}\n")),
        YES, "1h ana Signed Up", ("2h ana nurture.unsubscribed", {"topic": "offers"}), sent="tip"),
    one("a complaint ends everything", TWO, YES, "1h ana Signed Up", "1d ana nurture.complained", sent="a"),
    one("ejected by hand", TWO, YES, "1h ana Signed Up", ("1d ana nurture.eject", {"campaign": "c"}), sent="a"),
    one("enrolled by hand", "start: {manual: true}\nsteps:\n  - {id: a, send: a}\n", YES,
        ("1d ana nurture.enrol", {"campaign": "c"}), sent="a"),
    one("an offer with a code",
        "offers:\n  thanks: {expires: 14 days, discount: 10%, code: 'fixed:THANKS10'}\nstart: {event: Signed Up}\n"
        "steps:\n  - {id: gift, send: gift, offer: thanks}\n", YES, "1h ana Signed Up", sent="gift"),
    one("a flood of events is one life", HELLO, YES, *(f"{n}m ana Page Viewed" for n in range(1, 40)),
        "50m ana Signed Up", lasts=timedelta(days=2), sent="hello"),
    one("three wishes for one slot go in order of rank, a day apart",
        tuple(f"campaign: {name}\npriority: {rank}\nstart: {{event: Signed Up}}\nsteps:\n  - {{id: {name}, send: x}}\n"
              for name, rank in (("low", 10), ("mid", 50), ("top", 90))),
        YES, "1h ana Signed Up", project=DAILY, sent="top, mid, low"),
    one("a bounce ends her mail, not her history", TWO, YES, "1h ana Signed Up", "1d ana nurture.bounced",
        "2d ana Order Completed", sent="a"),
    one("who comes back to a topic gets its later mails",
        "start: {event: Signed Up, again: always}\nsteps:\n  - {id: tip, send: tip}\n",
        YES, ("1h ana nurture.unsubscribed", {"topic": "tips"}), "2h ana Signed Up",
        ("3h ana nurture.resubscribed", {"topic": "tips"}), "4h ana Signed Up", sent="tip"),
    one("two carts are two passages, and the order of one is the goal of the other",
        CART.replace("again: after 7 days", "again: always"), YES, starting({"value": 80}),
        ("2h ana Checkout Started", {"checkout_id": "c2", "value": 90}),
        ("150m ana Order Completed", {"checkout_id": "c1", "total": 80}), sent="reminder"),
    one("a window on Saturdays holds a mail for the week",
        "send_window: {between: 10:00-12:00, days: [sat]}\nstart: {event: Signed Up}\nsteps:\n  - {id: a, send: a, "
        "late: drop after 8 days}\n", YES, "1h ana Signed Up", zones={"ana": "America/New_York"}, sent="a"),
    one("lapsed by time, won back by an order",
        ("campaign: back\nstart: {stage: '* -> lapsed'}\nstop: {event: Order Completed}\nsteps:\n"
         "  - {id: miss, send: miss}\n  - wait: 10 days\n  - {id: last, send: last}\n"),
        YES, "1h ana Order Completed", "190d ana Order Completed", lasts=timedelta(days=240), sent="miss"),
]  # fmt: skip

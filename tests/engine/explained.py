"""Small stories and what is asked about each: told by `nurture explain`, and compared with explained.txt.

`python -m tests.engine.explained` writes that file and the examples of docs/explain.md anew; read the difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from nurture.cli.explain import told
from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Reason
from nurture.domain.programme import Programme
from nurture.engine.explain import tell
from nurture.engine.explain.dossier import of_resident
from nurture.engine.simulate import Answer, Post, sent_at_once
from nurture.testing.worlds import Life, programme

GOLDEN = Path(__file__).with_name("explained.txt")
PAGE = Path(__file__).parents[2] / "docs" / "explain.md"
_SHOWN = re.compile(r"(<!-- situation: ([^\n]+) -->\n```text\n).*?```", re.DOTALL)
WIDTH = 80


@dataclass(frozen=True)
class Situation:
    """`files` make the programme, `live` is what happens, `ask` what `explain` is asked; `person` her columns."""

    files: tuple[str, ...]
    live: Callable[[Life], None]
    ask: Mapping[str, Any] = field(default_factory=dict)
    person: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    post: Post = sent_at_once

    def told(self) -> str:
        applied = _programme(self.files, self.options)
        life = Life(applied, post=self.post, **self.person)
        self.live(life)
        world = life.world
        paused = frozenset(self.ask.get("paused", ()))
        asked = {name: value for name, value in self.ask.items() if name != "paused"}
        if "at" in asked:
            asked["at"] = life.when(asked["at"])
        dossier = of_resident(life.person, world.programme, world.now, paused)
        lines = told(tell(world.programme, dossier, **asked), asked.get("campaign") or asked.get("step"), WIDTH)
        return "\n".join(click.unstyle(line).rstrip() for line in lines)


_KNOWN: dict[Any, Programme] = {}


def _programme(files: tuple[str, ...], options: Mapping[str, Any]) -> Programme:
    key = (files, repr(options))
    if key not in _KNOWN:
        compiled = programme(*files, since=datetime(2026, 2, 1, tzinfo=UTC), **options)
        _KNOWN[key] = replace(compiled, revision=1)
    return _KNOWN[key]


def happens(*steps: str | tuple[str, dict[str, Any]]) -> Callable[[Life], None]:
    """`+2 days` moves time on; anything else is an event, with its properties in a pair."""

    def live(life: Life) -> None:
        for step in steps:
            if isinstance(step, tuple):
                life.event(step[0], **step[1])
            elif step.startswith("+"):
                life.until(step)
            else:
                life.event(step)

    return live


CART = """\
campaign: cart
priority: 80
start: {event: Checkout Started, key: event.checkout_id, if: event.value >= 15, again: after 7 days}
stop:
  - {event: Order Completed, where: event.checkout_id == start.checkout_id}
goal: {event: Order Completed, within: 5 days, value: event.total}
steps:
  - wait: 1 hour
  - {id: reminder, send: cart/reminder, late: drop after 6 hours}
  - wait: 1 day
    until: "10:00"
  - {id: sweetener, send: cart/last, category: discount, if: "orders(last='365 days') == 0 and start.value >= 60"}
"""
HELLO = "campaign: hello\npriority: 90\nstart: {event: Checkout Started}\nsteps:\n  - {id: hello, send: hello}\n"
ONCE = HELLO.replace("Started}", "Started, again: never}")
PLAIN = "campaign: tips\nstart: {event: Signed Up, again: always}\nsteps:\n  - {id: tip, send: tip}\n"
ONE_A_DAY = {"project": "caps:\n  - {max: 1, per: 20 hours}\n"}
SKIPS = PLAIN.replace("send: tip}", "send: tip, on_cap: skip}")
LATE = PLAIN.replace("send: tip}", "send: tip, late: drop after 2 hours}")
SLOW = LATE.replace("steps:\n", "steps:\n  - wait: 1 hour\n")
BOUGHT: tuple[str, dict[str, Any]] = ("Order Completed", {"checkout_id": "c1", "total": 80})
CHECKOUT: tuple[str, dict[str, Any]] = ("Checkout Started", {"checkout_id": "c1", "value": 80})
SMALL: tuple[str, dict[str, Any]] = ("Checkout Started", {"checkout_id": "c1", "value": 8})
CARTS: Mapping[str, Any] = {"campaign": "cart"}
THANKS: Mapping[str, Any] = {"campaign": "thanks"}
PLOTS: Mapping[str, Any] = {"campaign": "plots"}
TIPS: Mapping[str, Any] = {"campaign": "tips"}
SEGMENT = {"segments": {"gardeners": "contact.plot > 100 and did('Signed Up')"}}
INTO = "campaign: plots\nstart: {segment: gardeners}\nsteps:\n  - wait: 1 day\n  - {id: plan, send: plan}\n"
STOPPED = (
    "campaign: tips\nstart: {event: Visited}\nstop:\n  - segment: gardeners\nsteps:\n  - wait: 2 days\n"
    "  - {id: tip, send: tip}\n"
)
BRANCH = """\
campaign: tips
start: {event: Signed Up}
steps:
  - wait: 2 days
  - branch:
      - if: contact.seats >= 5
        do:
          - {id: team-tour, send: team}
      - else: true
        do:
          - {id: solo-tour, send: solo}
  - wait: 1 day
  - {id: bye, send: bye}
"""
SPLIT = """\
campaign: tips
start: {event: Signed Up}
steps:
  - split: words
    arms:
      - {name: short, share: 99, do: [{id: brief, send: brief}]}
      - {name: long, share: 1, do: [{id: tale, send: tale}]}
"""
WAITS_FOR = """\
campaign: tips
start: {event: Signed Up}
steps:
  - wait_for: {event: Order Completed, where: event.total > 50, up_to: 5 days}
    then: [{id: thanks, send: thanks}]
    otherwise: [{id: nudge, send: nudge}]
"""
QUIET = (
    "campaign: tips\nstart: {event: Signed Up}\nsteps:\n  - wait_quiet: 1 hour\n    after: [Product Added, Signed Up]\n"
    "  - {id: tip, send: tip}\n"
)
RENEWS = (
    "campaign: tips\nstart: {event: Signed Up}\nsteps:\n  - wait_until: contact.renews_at - 14 days\n"
    "  - {id: tip, send: tip}\n"
)
STAGES = "campaign: thanks\nstart: {stage: 'consideration -> purchase'}\nsteps:\n  - {id: thanks, send: thanks}\n"
LAPSED = "campaign: back\nstart: {stage: '* -> lapsed'}\nsteps:\n  - {id: back, send: back}\n"
BIRTHDAY = "campaign: birthday\nstart: {date: contact.birthday}\nsteps:\n  - {id: cake, send: cake}\n"
BY_HAND = "campaign: vip\nstart: {manual: true}\nsteps:\n  - {id: note, send: note}\n"
OFFER = """\
campaign: tips
start: {event: Signed Up}
offers:
  thanks:
    expires: 10 days
    tiers:
      - {name: gold, if: spent() >= 100, discount: 20%, code: "fixed:GOLD"}
steps:
  - {id: gift, send: gift, offer: thanks, category: discount}
"""
RECEIPT = "campaign: tips\nstart: {event: Signed Up}\nsteps:\n  - {id: tip, send: tip, kind: transactional}\n"
SIGNED = "Signed Up"


def _refused(_delivery: Any, _now: datetime) -> Answer:
    return Answer(DeliveryState.REJECTED, reason=Reason.ADDRESS, detail={"code": 550, "text": "no such user here"})


def _greylisted(_delivery: Any, now: datetime) -> Answer:
    if now >= datetime(2026, 3, 2, 9, 30, tzinfo=UTC):
        return Answer()
    return Answer(DeliveryState.DEFERRED, retry=timedelta(minutes=20))


def _edited(life: Life) -> None:
    life.event("Checkout Started", checkout_id="c1", value=80)
    life.until("+30 minutes")
    text = CART.replace("reminder, send: cart/reminder", "nudge, was: reminder, send: cart/nudge")
    life.apply(_later(text, life))
    life.until("+2 hours")


def _later(text: str, life: Life) -> Programme:
    return replace(programme(text, previous=life.world.programme), revision=2)


def _gone(life: Life) -> None:
    life.event("Checkout Started", checkout_id="c1", value=80)
    life.until("+2 hours")
    text = CART.replace("  - {id: reminder, send: cart/reminder, late: drop after 6 hours}\n", "")
    life.apply(_later(text, life))


def _paused(life: Life) -> None:
    life.event("Signed Up")
    life.world.pause("tips")
    life.until("+3 days")


def _enrolled_by_hand(life: Life) -> None:
    life.event("nurture.enrol", campaign="vip")


def _asleep(life: Life) -> None:
    life.event("Signed Up")
    life.world.pause("tips")
    life.until("+5 hours")
    life.world.resume("tips")
    life.until("+1 minutes")


SITUATIONS: dict[str, Situation] = {
    # --- what comes next, and what could stop it
    "inside, waiting for the first mail": Situation((CART,), happens(CHECKOUT), CARTS),
    "between two mails": Situation((CART,), happens(CHECKOUT, "+2 hours"), CARTS),
    "more of what is to come": Situation((CART,), happens(CHECKOUT), {"campaign": "cart", "following": 10}),
    "nothing of what is to come": Situation((CART,), happens(CHECKOUT), {"campaign": "cart", "following": 0}),
    "one step that is still to come": Situation((CART,), happens(CHECKOUT), {"step": "sweetener"}),
    "a branch ahead, with what it will see": Situation(
        (BRANCH,), happens(SIGNED), TIPS, {"attributes": {"seats": 7}}
    ),
    "a branch ahead, of which nothing is known": Situation((BRANCH,), happens(SIGNED), TIPS),
    "a branch that was taken": Situation((BRANCH,), happens(SIGNED, "+49 hours"), TIPS, {"attributes": {"seats": 2}}),
    "waiting for an event": Situation((WAITS_FOR,), happens(SIGNED, "+1 days"), TIPS),
    "an event that came in time": Situation((WAITS_FOR,), happens(SIGNED, "+1 days", BOUGHT), TIPS),
    "an event that never came": Situation((WAITS_FOR,), happens(SIGNED, "+6 days"), TIPS),
    "waiting for quiet": Situation((QUIET,), happens(SIGNED, "+30 minutes", "Product Added"), TIPS),
    "waiting for a date of hers": Situation(
        (RENEWS,), happens(SIGNED), TIPS, {"attributes": {"renews_at": "2026-05-01"}}
    ),
    "a split": Situation((SPLIT,), happens(SIGNED), TIPS),
    "a segment that would stop it": Situation(
        (STOPPED,), happens("Visited"), TIPS, {"attributes": {"plot": 80}}, SEGMENT
    ),
    "a segment that stopped it": Situation(
        (STOPPED,), happens("Visited", SIGNED), TIPS, {"attributes": {"plot": 180}}, SEGMENT
    ),
    # --- why a mail went, or did not
    "both mails went": Situation((CART,), happens(CHECKOUT, "+3 days"), CARTS),
    "a condition was false": Situation(
        (CART,), happens(("Checkout Started", {"checkout_id": "c1", "value": 20}), "+3 days"), {"step": "sweetener"}
    ),
    "a condition was unknown": Situation(
        (PLAIN.replace("send: tip}", "send: tip, if: contact.plot > 10}"),), happens(SIGNED), TIPS
    ),
    "a cap put it off": Situation((PLAIN,), happens(SIGNED, "+1 hours", SIGNED), TIPS, {}, ONE_A_DAY),
    "a cap made it skip": Situation((SKIPS,), happens(SIGNED, "+1 hours", SIGNED), TIPS, {}, ONE_A_DAY),
    "she asked for fewer mails": Situation(
        (PLAIN,), happens(("nurture.fewer_mails", {"days": 14}), SIGNED, "+1 hours", SIGNED), TIPS
    ),
    "a cap left no time": Situation((LATE,), happens(SIGNED, "+1 hours", SIGNED), TIPS, {}, ONE_A_DAY),
    "another campaign took the slot": Situation(
        (CART.replace("  - wait: 1 hour\n", ""), HELLO), happens(CHECKOUT), CARTS, {}, ONE_A_DAY
    ),
    "the slot went by name": Situation(
        (CART.replace("  - wait: 1 hour\n", ""), HELLO.replace("90", "80").replace("hello", "a-hello")),
        happens(CHECKOUT), CARTS, {}, ONE_A_DAY,
    ),
    "quiet hours put it off": Situation((PLAIN,), happens(SIGNED), TIPS, {}, {"project": "quiet_hours: 08:00-20:00\n"}),
    "no consent": Situation((PLAIN,), happens(SIGNED), TIPS, {"consent": Consent.NONE}),
    "the topic was left": Situation((PLAIN,), happens(("nurture.unsubscribed", {"topic": "tips"}), SIGNED), TIPS),
    "the address is suppressed": Situation(
        (PLAIN,), happens(SIGNED), TIPS, {"suppressed": SuppressionReason.BOUNCED}
    ),
    "she takes a break": Situation(
        (PLAIN,), happens(SIGNED), TIPS, {"paused_until": datetime(2026, 4, 1, tzinfo=UTC)}
    ),
    "there is no address": Situation((PLAIN,), happens(SIGNED), TIPS, {"email": None}),
    "the relay refused it": Situation((PLAIN,), happens(SIGNED), TIPS, {}, {}, _refused),
    "the relay says later": Situation((PLAIN,), happens(SIGNED), TIPS, {}, {}, _greylisted),
    "it grew too late during a pause": Situation((SLOW,), _asleep, TIPS),
    "the campaign is paused": Situation((SLOW,), _paused, {"campaign": "tips", "paused": ["tips"]}),
    "she is held out": Situation((PLAIN,), happens(SIGNED), TIPS, {}, {"project": "hold_out: 100%\n"}),
    "no tier of the offer is hers": Situation((OFFER,), happens(SIGNED), TIPS),
    "the offer is hers": Situation((OFFER,), happens(("Order Completed", {"total": 150}), SIGNED), TIPS),
    "service mail has no caps": Situation((RECEIPT,), happens(SIGNED), TIPS, {"consent": Consent.NONE}, ONE_A_DAY),
    # --- edits
    "a step that was renamed under way": Situation((CART,), _edited, CARTS),
    "a step that is gone can be asked about": Situation((CART,), _gone, {"step": "reminder"}),
    # --- why she is not in it
    "never had the event": Situation((CART,), happens(SIGNED), CARTS),
    "nearly came in": Situation((CART,), happens(SMALL, "+1 days", SMALL), CARTS),
    "had the event long ago": Situation(
        (CART,), lambda life: life.world.people[1].history.update(_OLD) or life.until("+1 days"), CARTS
    ),
    "left because she bought": Situation((CART,), happens(CHECKOUT, "+2 hours", BOUGHT), CARTS),
    "came again too soon": Situation((CART,), happens(CHECKOUT, "+3 days", CHECKOUT), CARTS),
    "may come again": Situation((CART,), happens(CHECKOUT, "+9 days"), CARTS),
    "only once": Situation((ONCE,), happens(CHECKOUT, "+1 days", CHECKOUT), {"campaign": "hello"}),
    "a draft": Situation((PLAIN + "status: draft\n",), happens(SIGNED), TIPS),
    "never made the step between stages": Situation((STAGES,), happens("Newsletter Subscribed"), THANKS),
    "came from another stage": Situation((STAGES,), happens("Order Completed"), THANKS),
    "time alone will bring her in": Situation(
        (LAPSED,), happens("Order Completed", "+100 days"), {"campaign": "back"}
    ),
    "not in the segment": Situation((INTO,), happens(SIGNED), PLOTS, {"attributes": {"plot": 80}}, SEGMENT),
    "in the segment": Situation((INTO,), happens(SIGNED), PLOTS, {"attributes": {"plot": 180}}, SEGMENT),
    "her birthday is not known": Situation((BIRTHDAY,), happens(SIGNED), {"campaign": "birthday"}),
    "her birthday is to come": Situation(
        (BIRTHDAY,), happens(SIGNED), {"campaign": "birthday"}, {"attributes": {"birthday": "1990-06-10"}}
    ),
    "by hand only": Situation((BY_HAND,), happens(SIGNED), {"campaign": "vip"}),
    "put in by hand": Situation((BY_HAND,), _enrolled_by_hand, {"campaign": "vip"}),
    # --- other moments, everything at once
    "a moment of the past": Situation((CART,), happens(CHECKOUT, "+3 days"), {"campaign": "cart", "at": "-2 days"}),
    "a moment before anything": Situation((CART,), happens("+1 days", CHECKOUT), {**CARTS, "at": "-3 hours"}),
    "a moment to come": Situation((CART,), happens(CHECKOUT), {"campaign": "cart", "at": "+4 hours"}),
    "everything, in a zone of her own": Situation(
        (CART, HELLO, BIRTHDAY, STAGES), happens("Newsletter Subscribed", CHECKOUT, "+2 hours", BOUGHT), {},
        {"zone": "Europe/Helsinki", "attributes": {"birthday": "1990-06-10"}}, ONE_A_DAY,
    ),
    "only the last lines": Situation((CART,), happens(CHECKOUT, "+2 hours", BOUGHT), {"campaign": "cart", "last": 2}),
}  # fmt: skip


def _history() -> dict[str, list[Any]]:
    from nurture.domain.event import Event

    return {"Checkout Started": [Event(1, "Checkout Started", datetime(2026, 1, 5, 9, tzinfo=UTC), {"value": 50})]}


_OLD = _history()


def golden() -> dict[str, str]:
    """The text of each situation, as it is kept."""
    found = {}
    for part in GOLDEN.read_text(encoding="utf-8").split("\n=== ")[1:]:
        name, _, text = part.partition("\n\n")
        found[name] = text.rstrip("\n")
    return found


def filled(page: str, texts: Mapping[str, str]) -> str:
    """The documentation's page with the text of each situation it shows."""
    return _SHOWN.sub(lambda found: f"{found[1]}{texts[found[2]]}\n```", page)


def main() -> None:
    head = "What nurture explain answers in each situation of explained.py, which writes this file.\n"
    parts = [f"\n=== {name}\n\n{situation.told()}\n" for name, situation in SITUATIONS.items()]
    GOLDEN.write_text(head + "".join(parts), encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), golden()), encoding="utf-8")


if __name__ == "__main__":
    main()

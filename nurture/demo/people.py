"""Made-up customers of a garden shop: who they are, what they do, and what a mail makes them do. Always the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

FIRST = (
    "Aino", "Eero", "Ville", "Kerttu", "Helmi", "Onni", "Sanna", "Mikko", "Ana", "Lukas", "Jana", "Felix", "Greta",
    "Astrid", "Nils", "Freya", "Sam", "Priya", "Omar", "Layla", "Chloé", "Mateo", "Zoë", "Ines", "Tomás", "Hana",
)  # fmt: skip
LAST = (
    "Virtanen", "Korhonen", "Nieminen", "Laine", "Berg", "Lindqvist", "Schmidt", "Weber", "Novak", "Okafor", "Haddad",
    "García", "Dubois", "Rossi", "Tanaka", "Patel", "Murphy", "Jensen", "Kowalski", "Silva",
)  # fmt: skip
PLACES = (
    ("Europe/Helsinki", "en-FI", 40), ("Europe/Berlin", "en-DE", 20), ("Europe/Stockholm", "en-SE", 15),
    ("Europe/London", "en-GB", 15), ("America/New_York", "en-US", 6), ("Australia/Lord_Howe", "en-AU", 4),
)  # fmt: skip
GOODS = (
    {"id": "catmint", "name": "Catmint, 3 plants", "price": 14.9, "category": "plants"},
    {"id": "kneeler", "name": "Folding kneeler", "price": 39.0, "category": "tools"},
    {"id": "raised-bed", "name": "Raised bed, larch", "price": 129.0, "category": "raised-beds"},
    {"id": "compost", "name": "Leaf compost, 40 l", "price": 11.5, "category": "soil"},
    {"id": "tomatoes", "name": "Tomato seeds, 4 sorts", "price": 9.8, "category": "seeds"},
    {"id": "trowel", "name": "Ash-handled trowel", "price": 24.5, "category": "tools"},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deed:
    """Something one person does at one moment, as an app would tell it."""

    at: datetime
    email: str
    event: str
    properties: dict[str, Any] = field(default_factory=dict)
    traits: dict[str, Any] | None = None
    zone: str | None = None
    locale: str | None = None


@dataclass(slots=True)
class Customer:
    """One made-up person with a temper of her own: `buys` and `leaves` are chances between 0 and 1."""

    number: int
    email: str
    first_name: str
    last_name: str
    zone: str
    locale: str
    luck: random.Random
    buys: float
    leaves: float
    orders: int = 0

    @property
    def is_old(self) -> bool:
        """She was a customer long before the demo begins, and comes by import."""
        return self.number % 10 == 0

    def traits(self) -> dict[str, Any]:
        birthday = f"{1950 + self.number % 50}-{1 + self.number % 12:02d}-{1 + self.number % 28:02d}"
        return {
            "first_name": self.first_name,
            "last_name": self.last_name,
            "birthday": birthday,
            "referral_url": f"https://northwind.example/f/{self.number}",
        }


def customers(count: int, seed: int) -> list[Customer]:
    """`count` people, always the same ones for one seed."""
    luck = random.Random(seed)
    people = []
    for number in range(count):
        first, last = luck.choice(FIRST), luck.choice(LAST)
        zone, locale, _ = luck.choices(PLACES, [weight for _, _, weight in PLACES])[0]
        people.append(
            Customer(
                number=number,
                email=f"customer{number}@post.example",
                first_name=first,
                last_name=last,
                zone=zone,
                locale=locale,
                luck=random.Random(f"{seed}/{number}"),
                buys=luck.uniform(0.1, 0.7),
                leaves=luck.uniform(0.0, 0.04),
            )
        )
    return people


def script(customer: Customer, begin: datetime, days: int) -> Iterator[Deed]:
    """What she would do without any mail."""
    luck = customer.luck
    if customer.is_old:
        yield _order(customer, begin - timedelta(days=luck.randint(150, 185)))
        return
    arrives = begin + timedelta(days=luck.uniform(0, days * 0.6), hours=luck.uniform(0, 12))
    yield Deed(
        arrives, customer.email, "Newsletter Subscribed", {"source": luck.choice(["website", "fair", "friend"])},
        traits=customer.traits(), zone=customer.zone, locale=customer.locale,
    )  # fmt: skip
    for _ in range(luck.randint(0, 3)):
        arrives += timedelta(days=luck.uniform(0.3, 9))
        yield from _visit(customer, arrives)
    if luck.random() < 0.12:
        quote = {"quote_id": f"q{customer.number}", "area": "a small courtyard"}
        yield Deed(arrives + timedelta(days=2), customer.email, "Quote Requested", quote)


def reaction(customer: Customer, campaign: str, step: str, at: datetime) -> Iterator[Deed]:
    """What a mail makes her do, some time later."""
    luck = customer.luck
    later = at + timedelta(minutes=luck.randint(5, 600))
    if luck.random() < customer.leaves:
        yield Deed(later, customer.email, "Newsletter Unsubscribed")
        return
    tempted = {"abandoned-cart": 0.5, "newsletter-welcome": 0.25, "win-back": 0.35, "loyalty-offer": 0.4}
    if luck.random() < tempted.get(campaign, 0.05) * customer.buys * 1.6:
        yield _order(customer, later)
    if (campaign, step) == ("onboarding", "first-video") and luck.random() < 0.6:
        yield Deed(later, customer.email, "Video Watched", {"video": "first-week"})
    if campaign == "check-in" and luck.random() < 0.6:
        yield Deed(
            later, customer.email, "Check-in Answered", {"answer": luck.choice(["well", "well", "so-so", "struggling"])}
        )
    if campaign == "review-request" and luck.random() < 0.4:
        yield Deed(later, customer.email, "Review Posted", {"stars": luck.randint(3, 5)})
    if campaign == "referral" and luck.random() < 0.3:
        yield Deed(later, customer.email, "Referral Made", {"friend": "a friend"})
    if campaign == "order-thanks":
        order = {
            "order_id": f"o{customer.number}-{customer.orders}",
            "categories": ["plants", "tools"],
            "items": list(GOODS[:2]),
        }
        yield Deed(at + timedelta(days=luck.uniform(2, 5)), customer.email, "Order Delivered", order)


def _visit(customer: Customer, at: datetime) -> Iterator[Deed]:
    luck = customer.luck
    goods = luck.sample(GOODS, luck.randint(1, 3))
    for minutes, good in enumerate(goods):
        yield Deed(at + timedelta(minutes=4 * minutes), customer.email, "Product Viewed", _product(good))
    if luck.random() < 0.6:
        cart = _cart(customer, goods, at)
        started = at + timedelta(minutes=20)
        yield Deed(started, customer.email, "Checkout Started", cart)
        if luck.random() < customer.buys:
            yield _order(customer, started + timedelta(minutes=luck.randint(4, 40)), cart)


def _product(good: dict[str, Any]) -> dict[str, Any]:
    return {"product_id": good["id"], **_item(good)}


def _item(good: dict[str, Any]) -> dict[str, Any]:
    return {**good, "quantity": 1, "url": f"https://northwind.example/{good['id']}", "image": None}


def _cart(customer: Customer, goods: list[dict[str, Any]], at: datetime) -> dict[str, Any]:
    value = round(sum(good["price"] for good in goods), 2)
    number = f"c{customer.number}-{at:%m%d%H}"
    return {
        "checkout_id": number,
        "value": value,
        "currency": "EUR",
        "items": [_item(good) for good in goods],
        "url": f"https://northwind.example/cart/{number}",
    }


def _order(customer: Customer, at: datetime, cart: dict[str, Any] | None = None) -> Deed:
    customer.orders += 1
    chosen = cart or _cart(customer, [customer.luck.choice(GOODS)], at)
    order = {
        **chosen,
        "order_id": f"o{customer.number}-{customer.orders}",
        "total": chosen["value"],
        "categories": sorted({item["category"] for item in chosen["items"]}),
    }
    return Deed(at, customer.email, "Order Completed", order)

"""The pictures of the documentation: `python -m nurture.testing.screenshots` takes them, in Debian's Chromium.

The starter programme, on a clock that stands still, with a few people who have lived under it for some days: the same
code gives the same pages. `take` looks at them one after the other and gives the bytes of each picture.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nurture.domain.tokens import Purpose
from nurture.engine.ingest import IncomingEvent
from nurture.shipped import starter
from nurture.storage import schema
from nurture.storage.database import Database
from nurture.testing.browser import DESK, PHONE, browsing
from nurture.testing.house import House
from nurture.testing.site import serving
from nurture.testing.worlds import instant
from nurture.web.site import Face

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
BEGIN = instant("2027-03-15 09:00")
MOST = 200_000  # bytes of a picture
CART = {
    "checkout_id": "c-7781",
    "value": 86.4,
    "url": "https://northwind.example/cart/c-7781",
    "items": [{"name": "Terracotta pot 30 cm", "quantity": 1, "price": 59.7}],
}
ORDER = {"order_id": "NG-1", "total": 80, "items": [{"name": "Hand fork", "quantity": 1, "price": 80}]}
LIFE: tuple[tuple[int, str, str, dict[str, Any]], ...] = (  # days after the beginning, who, what
    (0, "anna", "Newsletter Subscribed", {}),
    (0, "ben", "Order Completed", ORDER),
    (0, "carla", "Marketing Accepted", {}),
    (0, "dora", "Newsletter Subscribed", {}),
    (1, "carla", "Checkout Started", CART),
    (1, "emil", "Quote Requested", {"quote_id": "Q-1", "area": "a balcony"}),
    (2, "dora", "Order Completed", {**ORDER, "order_id": "NG-2"}),
    (4, "fanny", "Newsletter Subscribed", {}),
)


@dataclass(frozen=True, slots=True)
class Shot:
    """A page of the site, and how much of it is shown, in CSS pixels."""

    name: str
    path: str
    width: int = DESK
    height: int = 760
    dark: bool = False


SHOTS = (
    Shot("programme", "/studio/programme", height=860),
    Shot("campaign", "/studio/campaign/abandoned-cart", height=860),
    Shot("mail", "/studio/mail/abandoned-cart/reminder?as=ana", height=720),
    Shot(
        "simulation",
        "/studio/simulation?as=ana&campaign=abandoned-cart&from=2027-03-27T20:00&event=Order+Completed&at=%2B26h",
        height=900,
    ),
    Shot("plan", "/studio/plan", height=520),
    Shot("inbox", "/studio/inbox", height=560),
    Shot("preferences", "/p/", width=PHONE, height=1100),
    Shot("view", "/v/", width=PHONE, height=800, dark=True),
    Shot("unsubscribe", "/u/", width=PHONE, height=560),
)


def lived(folder: Path, database: Database) -> House:
    """The starter programme in `folder`, applied, and a few people some days on. One wait was edited since."""
    files = {
        name: text.decode() for name, text in starter().items() if name.endswith((".yaml", ".html", ".md", ".txt"))
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    house = House(database, folder, files, start=BEGIN)
    house.apply()
    day = 0
    for at, who, event, properties in LIFE:
        if at > day:
            house.live_until(f"+{at - day} days")
            day = at
        traits = {"first_name": who.title()}
        house.take(IncomingEvent(name=event, email=f"{who}@people.example", properties=properties, traits=traits))
    house.live_until("+1 days")
    welcome = folder / "campaigns/newsletter-welcome.yaml"
    welcome.write_text(welcome.read_text(encoding="utf-8").replace("wait: 3 days", "wait: 2 days"), encoding="utf-8")
    return house


def take() -> Iterator[tuple[str, bytes]]:
    """Name and PNG of every picture."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "shop"
        folder.mkdir()
        with Database(f"sqlite:///{made}/shop.db") as database:
            schema.upgrade(database)
            house = lived(folder, database)
            with serving(house.app, {Face.PAGES, Face.STUDIO}) as served, browsing() as browser:
                for shot in SHOTS:
                    with browser.page(width=shot.width, dark=shot.dark) as page:
                        page.set_viewport_size({"width": shot.width, "height": shot.height})
                        answer = page.goto(served.url + _signed(house, shot.path))
                        assert answer is not None
                        assert answer.ok, f"{answer.status} for {shot.path}"
                        for frame in page.frames:
                            frame.wait_for_load_state("load")
                        page.wait_for_timeout(1500)  # frames of mails are drawn, and find their height
                        yield shot.name, page.screenshot(animations="disabled")


def _signed(house: House, path: str) -> str:
    """People's own pages are reached by a link of theirs."""
    purposes = {"/p/": Purpose.PREFERENCES, "/u/": Purpose.UNSUBSCRIBE, "/v/": Purpose.VIEW}
    if path not in purposes:
        return path
    anna = "anna@people.example"
    return path + house.app.keyring.token(purposes[path], house.id_of(anna), house.mails(anna)[0].delivery.seq)


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for name, picture in take():
        (PICTURES / f"{name}.png").write_bytes(picture)


if __name__ == "__main__":
    main()

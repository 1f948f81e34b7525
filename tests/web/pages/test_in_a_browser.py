"""The pages in a real Chromium: with scripts off and on, on a phone and a desk, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from nurture.domain.tokens import Purpose
from nurture.testing.browser import DESK, PHONE, Browser, browsing, by_keyboard, faults
from nurture.testing.house import House
from nurture.testing.site import Served

pytestmark = pytest.mark.lab

SCREENS = pytest.mark.parametrize(
    ("width", "dark", "scripts"), [(PHONE, False, False), (PHONE, True, True), (DESK, False, True), (DESK, True, False)]
)
PAGES = (
    ("/u/", Purpose.UNSUBSCRIBE, ["No more “Tips”", "No more marketing mail at all"]),
    ("/p/", Purpose.PREFERENCES, ["Save", "Pause", "Get everything stored about me"]),
)


@pytest.fixture
def ana(house: House) -> House:
    house.tell("Newsletter Subscribed")
    house.tell("Signed Up")
    house.live_until("+1 hour")
    return house


@pytest.fixture
def browser(ana: House) -> Iterator[Browser]:
    """Opened when the house has lived: see `browsing`."""
    with browsing() as running:
        yield running


@SCREENS
def test_every_page_is_accessible_and_fits_the_screen(
    ana: House, site: Served, link: Callable[..., str], browser: Browser, width: int, dark: bool, scripts: bool
) -> None:
    with browser.page(width=width, dark=dark, scripts=scripts) as page:
        for place, purpose, buttons in PAGES:
            page.goto(site.url + link(place, purpose))
            assert faults(page) == [], place
            for name in buttons:
                assert page.get_by_role("button", name=name).first.is_visible()
        page.goto(site.url + "/u/nothing")
        assert faults(page, expected=(404,)) == []


def test_the_keyboard_reaches_every_field_and_button(
    ana: House, site: Served, link: Callable[..., str], browser: Browser
) -> None:
    with browser.page(width=PHONE) as page:
        page.goto(site.url + link("/p/", Purpose.PREFERENCES))
        reached = by_keyboard(page)
        assert {"choice=topics", "choice=pause", "choice=export", "choice=erase"} <= set(reached)

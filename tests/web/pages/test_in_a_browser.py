"""The pages in a real Chromium: with scripts off and on, on a phone and a desk, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from nurture.domain.tokens import Purpose
from nurture.engine import signup
from nurture.testing.browser import DESK, PHONE, Browser, browsing, by_keyboard, complaints, faults
from nurture.testing.house import House
from nurture.testing.signup import CONFIRM, PROJECT
from nurture.testing.site import Served
from nurture.web.pages.languages import TRANSLATED

pytestmark = [pytest.mark.lab, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

ONE_MAIL = """\
start: {event: Signed Up}
steps:
  - {id: hello, send: hello}
"""
ASK = """\
---
subject: Was it you?
preheader: Somebody gave this address in our sign-up form, with these words
---
<p><a href="{{ confirm_url }}">Yes</a></p>
"""
SURVEY = """\
surveys:
  nps:
    event: Score Given
    attribute: score
    answers: [0, 5, 10]
    texts:
      en: {question: Would you tell a friend?, thanks: Thank you!, answers: {"0": "No, never"}}
      fi: {question: Kertoisitko ystävälle?, thanks: Kiitos!}
"""
NEA = "nea@people.example"
SCREENS = pytest.mark.parametrize(
    ("width", "dark", "scripts"), [(PHONE, False, False), (PHONE, True, True), (DESK, False, True), (DESK, True, False)]
)
PAGES = (
    ("/u/", Purpose.UNSUBSCRIBE, ["No more “Tips”", "No more marketing mail at all"]),
    ("/p/", Purpose.PREFERENCES, ["Save", "Pause", "Get everything stored about me"]),
)


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    return build(ONE_MAIL, CONFIRM, project=PROJECT + SURVEY, templates={"ask": ASK})


@pytest.fixture
def ana(house: House) -> House:
    house.tell("Newsletter Subscribed")
    house.tell("Signed Up")
    form = house.app.applied().programme.forms["news"]
    signup.ask(house.database, form, signup.Asked(NEA, ("tips",), {}, "en", "127.0.0.1"), house.now)
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
        page.goto(site.url + "/s/news")
        assert faults(page) == []
        page.get_by_label("Your e-mail address").fill("new@people.example")
        assert not page.get_by_label("Leave this empty").is_visible() or page.locator(".unseen").bounding_box()["x"] < 0
        ana.clock.jump_to(ana.now + timedelta(seconds=5))
        page.get_by_role("button", name="Sign up").click()
        assert page.get_by_role("heading", name="Look into your mailbox").is_visible()
        assert faults(page) == []
        token = ana.app.keyring.token(Purpose.OPT_IN, ana.id_of(NEA), ana.mails(NEA)[0].delivery.seq)
        page.goto(f"{site.url}/c/{token}")
        assert faults(page) == []
        page.get_by_role("button", name="Yes, sign me up").click()
        assert page.get_by_role("heading", name="You are signed up").is_visible()
        assert faults(page) == []
        page.goto(site.url + "/u/nothing")
        assert faults(page, expected=(404,)) == []


def test_the_keyboard_reaches_every_field_and_button(
    ana: House, site: Served, link: Callable[..., str], browser: Browser
) -> None:
    with browser.page(width=PHONE) as page:
        page.goto(site.url + link("/p/", Purpose.PREFERENCES))
        reached = by_keyboard(page)
        assert {"choice=topics", "choice=pause", "choice=export", "choice=erase"} <= set(reached)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_page_is_sound_in_every_language(
    ana: House, site: Served, link: Callable[..., str], browser: Browser, language: str
) -> None:
    """The widest words stand on the narrowest screen, and scripts are off."""
    with browser.page(width=PHONE, scripts=False, language=language) as page:
        page.goto(site.url + link("/v/", Purpose.VIEW))
        assert complaints(page) == [], "the page is the mail itself"
        page.goto(site.url + link("/u/", Purpose.UNSUBSCRIBE))
        assert faults(page) == []
        page.goto(site.url + link("/p/", Purpose.PREFERENCES))
        assert faults(page) == []
        assert page.locator("html").get_attribute("lang") == language
        page.locator("select[name=days]").select_option("14")
        page.locator("button[value=fewer]").click()
        assert page.locator("select[name=days]").input_value() == "14"
        assert faults(page) == []
        page.goto(site.url + link("/a/", Purpose.ANSWER) + "/nps/10")
        assert faults(page) == []
        assert page.locator("input:checked").input_value() == "10"
        page.locator("main button").first.click()
        assert page.get_by_text("Kiitos!" if language == "fi" else "Thank you!").first.is_visible()
        assert faults(page) == []

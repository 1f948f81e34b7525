"""A real Chromium (Debian's), driven by Playwright: pages as people see them, and what is wrong with them.

    with browsing() as browser, browser.page(width=375, dark=True, scripts=False) as page:
        page.goto(url)
        assert faults(page) == []

`faults` asks axe-core (WCAG 2.2 A and AA, and its best practices), looks for sideways scrolling, and tells what the
browser itself complained of: errors of scripts, what the content policy refused, answers that failed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, Response, sync_playwright

PHONE, DESK = 375, 1280  # widths in CSS pixels
_HEIGHTS = {PHONE: 812}
_PATIENCE = 15_000.0  # ms


class Browser:
    """One Chromium. Every page has a context of its own: no cookie or cache of another."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium

    @contextmanager
    def page(
        self, *, width: int = DESK, dark: bool = False, scripts: bool = True, language: str = "en-GB", **options: Any
    ) -> Iterator[Page]:
        """A page `width` CSS pixels wide. `scripts=False`: JavaScript is off. `options` as Playwright's."""
        options |= {
            "viewport": {"width": width, "height": _HEIGHTS.get(width, 900)},
            "color_scheme": "dark" if dark else "light",
            "java_script_enabled": scripts,
            "locale": language,
            "reduced_motion": "reduce",
        }
        context = self._chromium.new_context(**options)
        context.set_default_timeout(_PATIENCE)
        page = context.new_page()
        watch = _Watch(page, options)
        try:
            yield page
        finally:
            context.close()
            watch.end()


@contextmanager
def browsing() -> Iterator[Browser]:
    """A Chromium until the block ends. A missing one is a failure that says what to install.

    Its loop runs in the calling thread, where nothing else can run one then: a house lives before or after it.
    """
    path = shutil.which("chromium")
    assert path is not None, "chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield Browser(chromium)
        finally:
            chromium.close()


def faults(page: Page, *, expected: tuple[int, ...] = ()) -> list[str]:
    """What is wrong with the page as it stands; `expected` are statuses of answers that are meant to be errors."""
    return [*violations(page), *_sideways(page), *complaints(page, expected=expected)]


def complaints(page: Page, *, expected: tuple[int, ...] = ()) -> list[str]:
    """What the browser complained of since the page was made."""
    return _Watch.of[page].told(expected)


def violations(page: Page) -> list[str]:
    """What axe-core finds: rule, what it says, and the first places."""
    watch = _Watch.of[page]
    with nullcontext(page) if watch.scripts else _twin(page, watch.options) as running:
        running.evaluate(_axe())
        found = running.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"axe {each['id']}: {each['help']} at " + ", ".join(str(node["target"]) for node in each["nodes"][:3])
        for each in found["violations"]
    ]


def by_keyboard(page: Page, most: int = 200) -> list[str]:
    """What Tab reaches from the top, in order: its name, or its text. Every one must show that it has the focus."""
    page.evaluate("document.activeElement && document.activeElement.blur()")
    reached: list[str] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        told = page.evaluate(_FOCUSED)
        if told is None or told["again"]:
            return reached
        # within one field (the calendar of a date) the browser shows it in its own way
        assert told["shown"] or told["same"], f"{told['name']!r} does not show that it has the focus"
        if not told["same"]:
            reached.append(told["name"])
    raise AssertionError(f"the keyboard does not come to the end of the page in {most} steps")


# An element is marked when it has been reached, so that going round is seen; `name` is what somebody would call it.
_FOCUSED = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const same = window.reachedLast === at;  // a date has several stops
  const again = !same && at.dataset.reached === 'yes';
  at.dataset.reached = 'yes';
  window.reachedLast = at;
  const look = getComputedStyle(at), frame = getComputedStyle(at.closest('label') || at);
  const shown = [look, frame].some(
    one => (one.outlineStyle !== 'none' && parseFloat(one.outlineWidth) > 0) || one.boxShadow !== 'none');
  return {again, same, shown, name: at.getAttribute('name') ? `${at.name}=${at.value}` : at.textContent.trim()};
}"""


@contextmanager
def _twin(page: Page, options: Mapping[str, Any]) -> Iterator[Page]:
    """The document of a page without scripts, in one where axe can run; scripts of its own are not fetched."""
    browser, document = page.context.browser, page.content()
    assert browser is not None
    context = browser.new_context(**{**options, "java_script_enabled": True})
    try:
        twin = context.new_page()
        twin.route(lambda url: url.endswith(".js"), lambda route: route.abort())
        twin.route(page.url, lambda route: route.fulfill(body=document, content_type="text/html; charset=utf-8"))
        twin.goto(page.url)
        yield twin
    finally:
        context.close()


def _sideways(page: Page) -> list[str]:
    wide, screen = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return [f"the page is {wide} px wide on a screen of {screen}"] if wide > screen else []


@cache
def _axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text()


class _Watch:
    """What a page's browser has said, in order."""

    of: ClassVar[dict[Page, _Watch]] = {}

    def __init__(self, page: Page, options: Mapping[str, Any]) -> None:
        self._page, self.options = page, options
        self._said: list[str] = []
        self._failed: list[tuple[int, str]] = []
        self.of[page] = self
        page.on("console", self.console)
        page.on("pageerror", self.error)
        page.on("response", self.response)

    @property
    def scripts(self) -> bool:
        return bool(self.options["java_script_enabled"])

    def console(self, message: ConsoleMessage) -> None:
        # an answer that failed is told by `response`, with its status
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self._said.append(f"console: {message.text}")

    def error(self, error: Exception) -> None:
        self._said.append(f"script: {error}")

    def response(self, response: Response) -> None:
        if response.status >= 400:
            self._failed.append((response.status, response.url))

    def told(self, expected: tuple[int, ...]) -> list[str]:
        failed = [f"{status} for {url}" for status, url in self._failed if status not in expected]
        return [*self._said, *failed]

    def end(self) -> None:
        del self.of[self._page]

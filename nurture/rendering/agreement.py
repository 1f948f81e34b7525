"""Whether the two bodies of a mail say the same: the links, prices, codes and dates of its HTML and of its text.

Words may differ, and an own text may be shorter about what every mail carries; facts may not.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from functools import lru_cache

from babel.core import Locale, UnknownLocaleError
from babel.dates import get_month_names
from lxml import html as lxml_html

from nurture.rendering.renderer import Rendered
from nurture.rendering.twin import visible_text

MOST_TOLD = 3

_ADDRESS = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>\"]+", re.IGNORECASE)
_MAILBOX = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_SIGNS = r"(?:[€$£¥₹₽₩₺₴]|\b(?:EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|JPY|AUD|CAD)\b|\bkr\b|\bzł|\bKč)"
_NUMBER = r"\d(?:[\d.,'\u2019\u00a0\u202f ]*\d)?"
_PRICE = re.compile(rf"{_SIGNS}\s?{_NUMBER}|{_NUMBER}\s?(?:{_SIGNS}|%)")
_CODE = re.compile(r"\b(?=[A-Z0-9-]*[A-Z])(?=[A-Z0-9-]*\d)[A-Z0-9]+(?:-[A-Z0-9]+)*\b")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d\d)\b")
_CODE_LENGTH = 4
_STOPS = ".,:;!?)"  # behind an address they are of the sentence


def disagreements(rendered: Rendered, *, locale: str = "en", base_url: str = "") -> list[str]:
    """What stands in one body of a mail only, as sentences; none if it has one body.

    The preferences and the mail online, below `base_url`, are links that a text may leave out.
    """
    if not rendered.html_part or not rendered.text_part:
        return []
    html, text = rendered.html, rendered.text
    seen, ours = visible_text(html), (f"{base_url.rstrip('/')}/v/", f"{base_url.rstrip('/')}/p/")
    facts, own_facts, links = _facts(seen, locale), _facts(text, locale), _addresses(text)
    return [
        *_only(_links_of(html) - links, "HTML", "leads to", "text", ours),
        *_only(links - _links_of(html) - _addresses(seen), "text", "leads to", "HTML", ours),
        *_only(facts - own_facts, "HTML", "says", "text", ours),
        *_only(own_facts - facts, "text", "says", "HTML", ours),
    ]


def _only(found: set[str], here: str, verb: str, there: str, ours: tuple[str, str]) -> list[str]:
    listed = sorted(each.removeprefix("mailto:") for each in found if not each.startswith(ours))
    more = f" and {len(listed) - MOST_TOLD} more" if len(listed) > MOST_TOLD else ""
    return [f"the {here} {verb} {', '.join(listed[:MOST_TOLD])}{more}, the {there} does not"] if listed else []


def _links_of(html: str) -> set[str]:
    """Where the links of an HTML body lead that are seen; telephone numbers are words of a text."""
    document = lxml_html.document_fromstring(html)
    targets = ((node.get("href") or "").strip() for node in document.iter("a"))
    return {_bare(target.rstrip(_STOPS)) for target in targets if target.lower().startswith(("http", "mailto:"))}


def _bare(target: str) -> str:
    return target.partition("?")[0] if target.lower().startswith("mailto:") else target


def _addresses(text: str) -> set[str]:
    """The addresses that stand in a text, without the full stop or colon behind them."""
    links = {_bare(each.rstrip(_STOPS)) for each in _ADDRESS.findall(text)}
    return links | {f"mailto:{each}" for each in _MAILBOX.findall(text)}


def _facts(text: str, locale: str) -> set[str]:
    text = _MAILBOX.sub(" ", _ADDRESS.sub(" ", text))
    return {" ".join(fact.split()) for fact in _every(" ".join(text.split()), locale)}


def _every(text: str, locale: str) -> Iterator[str]:
    yield from (_price(each) for each in _PRICE.findall(text))
    yield from (each for each in _CODE.findall(text) if len(each) >= _CODE_LENGTH)
    yield from _DATE.findall(text)
    yield from (each.lower() for each in _months(locale).findall(text))


def _price(text: str) -> str:
    """The same for `€ 12` and `€12`."""
    return re.sub(r"\s", "", text)


@lru_cache(maxsize=64)
def _months(locale: str) -> re.Pattern[str]:
    """A day with the name of its month, in English and in the language of the mail."""
    known = [Locale.parse("en")]
    with contextlib.suppress(ValueError, UnknownLocaleError):
        known.append(Locale.parse(locale.replace("-", "_")))
    names = {
        name.rstrip(".")
        for each in known
        for width in ("wide", "abbreviated")
        for name in get_month_names(width, locale=each).values()
    }
    month = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    return re.compile(rf"\b\d{{1,2}}\.? (?:{month})\b|\b(?:{month}) \d{{1,2}}\b", re.IGNORECASE)

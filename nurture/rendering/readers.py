"""What a mail is to those who read it: in their mail program, by their ears, on their screens.

Codes N562 to N572. The contrast is that of colours written beside the text they are for; WCAG 2.2, 1.4.3.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lxml import html as lxml_html

from nurture.rendering.compatibility.support import supported
from nurture.rendering.contrast import CONTRAST, contrasts, in_the_dark, inherited, inverted, light_of, pixels, texts_of
from nurture.rendering.page import Finding, Page
from nurture.rendering.problems import Severity
from nurture.rendering.template import Template

LOST_WARNING, LOST_ERROR = 5.0, 25.0  # percent of readers who lose content
SMALLEST = 11.0  # px: footers are smaller than text, but are read

_ELEMENT = re.compile(r"""<(html|h[1-6]|table|img|a)\b((?:[^>"']|"[^"]*"|'[^']*')*)>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_MARKUP = re.compile(r"<[^>]*>")
_COMMENTS = re.compile(r"<!--.*?-->", re.DOTALL)
_SAYS_NOTHING = frozenset({"here", "click here", "click", "this", "link", "this link", "more", "read more", "go"})
_PLACEHOLDERS = frozenset({"#", "https://", "https://#"})
_NOWHERE = re.compile(r"^https?://(?:todo|x{3,}|your[-_]?\w+|placeholder|link|url)\b|\{\w+\}|\[\w+\]$", re.IGNORECASE)
_NO_SITES = frozenset({"example.com", "www.example.com", "example.org", "example.net", "localhost", "127.0.0.1"})
_UTM = ("utm_source", "utm_medium", "utm_campaign")


def for_readers(page: Page, template: Template) -> Iterator[Finding]:
    """Everything that readers would miss or trip over."""
    if not page.segments:
        return
    yield from _lost(page, template.styled, template.file)
    yield from _outline(page)
    yield from _targets(page)
    yield from _seen(page, template.styled, template.file)


def _lost(page: Page, inlined: str, file: str) -> Iterator[Finding]:
    for one in supported(inlined):
        if one.kind != "break" or one.lost < LOST_WARNING:
            continue
        severity: Severity = "error" if one.lost >= LOST_ERROR else "warning"
        message = f"{one.title}: about {one.lost:g} % of readers lose it ({one.told})"
        hint = "lay out with tables and pictures as PNG or JPEG, or leave it out"
        yield Finding("N562", severity, *page.find(one.pattern, file), message, hint)


def _outline(page: Page) -> Iterator[Finding]:
    text = _COMMENTS.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), page.text)
    last = 0
    for found in _ELEMENT.finditer(text):
        element, attributes = found[1].lower(), _attributes(found[2])
        where = page.place(found.start())
        if element == "html" and not attributes.get("lang"):
            hint = 'write <html lang="{{ locale }}">, so that it is read out in its own tongue'
            yield Finding("N563", "warning", *where, "the mail does not say its language", hint)
        elif element[0] == "h" and element[1:].isdigit():
            level = int(element[1])
            if level > last + 1 and last:
                message = f"<h{level}> follows <h{last}>: a level is left out"
                yield Finding("N564", "warning", *where, message, f"make it <h{last + 1}>, and style it as you like")
            last = level
        elif element == "table" and not attributes.get("role") and _is_layout(text, found.end()):
            hint = 'write role="presentation": screen readers announce rows and columns otherwise'
            yield Finding("N566", "warning", *where, "a table that lays out, without a role", hint)
        elif element == "img" and not {"width", "height"} & attributes.keys():
            hint = "write width and height: Outlook shows it in its full size, and text jumps while it loads"
            yield Finding("N571", "warning", *where, "a picture without width or height", hint)
        elif element == "a" and "href" in attributes:
            yield from _link_text(text, found, where)


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): double or single or bare for name, double, single, bare in _ATTRIBUTE.findall(text)}


def _is_layout(text: str, start: int) -> bool:
    """A table with header cells is one of data."""
    end = text.lower().find("</table", start)
    return "<th" not in text[start : end if end >= 0 else len(text)].lower()


def _link_text(text: str, found: re.Match[str], where: tuple[str, int]) -> Iterator[Finding]:
    end = text.lower().find("</a", found.end())
    inside = text[found.end() : end if end >= 0 else len(text)]
    words = " ".join(_MARKUP.sub(" ", inside).split()).strip(" .:!>\u2192").lower()
    if words in _SAYS_NOTHING:
        hint = "say where it leads: links are read out one by one, without the text around"
        yield Finding("N565", "warning", *where, f'the link text "{words}" says nothing', hint)
    elif not words and not re.search(r"""\balt\s*=\s*(?:"[^"]|'[^'])|aria-label""", inside + found[2], re.IGNORECASE):
        yield Finding("N565", "warning", *where, "a link without text", "write text, or alt text for its picture")


def _targets(page: Page) -> Iterator[Finding]:
    counted: dict[str, list[tuple[dict[str, str], tuple[str, int]]]] = defaultdict(list)
    for found in _ELEMENT.finditer(_COMMENTS.sub(lambda comment: " " * len(comment[0]), page.text)):
        target = _attributes(found[2]).get("href") if found[1].lower() == "a" else None
        if target is None:
            continue
        where = page.place(found.start())
        site = _site(target)
        if target.strip().rstrip("/").lower() in _PLACEHOLDERS or _NOWHERE.search(target) or site in _NO_SITES:
            yield Finding("N569", "error", *where, f'the link leads to "{target}"', "write the address it is for")
        elif target.startswith("https://") and "\x00" not in target:
            values = parse_qs(urlsplit(target).query)
            counted[site].append(({name: values[name][0] for name in _UTM if name in values}, where))
    for site, links in counted.items():
        yield from _counts(site, links)


def _site(target: str) -> str:
    try:
        return urlsplit(target.strip()).hostname or ""
    except ValueError:
        return ""


def _counts(site: str, links: list[tuple[dict[str, str], tuple[str, int]]]) -> Iterator[Finding]:
    """Whether the links to one site count as one campaign. Content and term may differ: they tell links apart."""
    tagged = [(values, where) for values, where in links if values]
    if not tagged:
        return
    for name in _UTM:
        names = sorted({values[name] for values, _ in tagged if name in values})
        if len(names) > 1:
            message = f"links to {site} count as different campaigns: {name} is {', '.join(names)}"
            yield Finding("N570", "warning", *tagged[-1][1], message, f"write the same {name} in all")
    for values, where in tagged:
        missing = [name for name in _UTM if name not in values]
        if missing:
            message = f"the link has {next(iter(values))}, but no {' and no '.join(missing)}"
            yield Finding("N570", "warning", *where, message, "what is missing counts as (not set): write all three")
            break
    if len(tagged) < len(links):
        where = next(where for values, where in links if not values)
        message = f"{len(links) - len(tagged)} of {len(links)} links to {site} are not counted"
        yield Finding("N570", "warning", *where, message, f"give them {', '.join(_UTM)} too, or none")


# --- what stands beside the text itself -------------------------------------------------------------------------------


def _seen(page: Page, inlined: str, file: str) -> Iterator[Finding]:
    document = lxml_html.document_fromstring(inlined or "<p></p>")
    yield from _sizes(page, document, file)
    hint = f"{CONTRAST} to 1 can be read by nearly all"
    for pair in contrasts(document, light_of):
        message = f"#{pair.front} on #{pair.ground}: a contrast of {pair.contrast:.1f} to 1"
        yield Finding("N568", "warning", *_at(page, pair.text, file), message, hint)
    dark, how = in_the_dark(document)
    for pair in contrasts(document, dark):
        message = f"#{pair.front} on #{pair.ground} {how}: a contrast of {pair.contrast:.1f} to 1"
        told = "give both colours in the same dark rule, text and ground" if dark is not inverted else hint
        yield Finding("N572", "warning", *_at(page, pair.text, file), message, told)


def _sizes(page: Page, document: Any, file: str) -> Iterator[Finding]:
    told: set[float] = set()
    for node, text in texts_of(document):
        size = pixels(inherited(node, "font-size"))
        if size is not None and 0 < size < SMALLEST and size not in told:
            told.add(size)
            hint = f"{SMALLEST:g} px is the least to be read"
            yield Finding("N567", "warning", *_at(page, text, file), f"text of {size:g} px", hint)


def _at(page: Page, text: str, file: str) -> tuple[str, int]:
    return page.find(re.escape(text.split(" x", maxsplit=1)[0][:24]), file)

"""What a mail is to those who read it: in their mail program, by their ears, on their screens.

Codes N562 to N571. The contrast is that of colours written beside the text they are for; WCAG 2.2, 1.4.3.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lxml import html as lxml_html

from nurture.rendering.compatibility.support import supported
from nurture.rendering.page import Finding, Page
from nurture.rendering.problems import Severity
from nurture.rendering.template import Template

LOST_WARNING, LOST_ERROR = 5.0, 25.0  # percent of readers who lose content
SMALLEST = 11.0  # px: footers are smaller than text, but are read
CONTRAST, CONTRAST_LARGE = 4.5, 3.0
LARGE = 24.0  # px

_ELEMENT = re.compile(r"""<(html|h[1-6]|table|img|a)\b((?:[^>"']|"[^"]*"|'[^']*')*)>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_MARKUP = re.compile(r"<[^>]*>")
_COMMENTS = re.compile(r"<!--.*?-->", re.DOTALL)
_SAYS_NOTHING = frozenset({"here", "click here", "click", "this", "link", "this link", "more", "read more", "go"})
_PLACEHOLDERS = frozenset(
    {"#", "https://", "https://#", "https://todo", "https://example.com", "https://www.example.com"}
)
_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})\b", re.IGNORECASE)
_NAMED = {"white": "ffffff", "black": "000000"}


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
    sources: dict[str, dict[str, tuple[str, int]]] = defaultdict(dict)
    for found in _ELEMENT.finditer(_COMMENTS.sub(lambda comment: " " * len(comment[0]), page.text)):
        target = _attributes(found[2]).get("href") if found[1].lower() == "a" else None
        if target is None:
            continue
        where = page.place(found.start())
        if target.strip().rstrip("/").lower() in _PLACEHOLDERS or target.strip() == "#":
            yield Finding("N569", "error", *where, f'the link leads to "{target}"', "write the address it is for")
        elif target.startswith("https://") and "\x00" not in target:
            counted = parse_qs(urlsplit(target).query).get("utm_campaign", [""])[0]
            if counted:
                sources[urlsplit(target).netloc].setdefault(counted, where)
    for site, names in sources.items():
        if len(names) > 1:
            message = f"links to {site} count as different campaigns: {', '.join(sorted(names))}"
            yield Finding("N570", "warning", *list(names.values())[-1], message, "write the same utm_campaign in all")


# --- what stands beside the text itself -------------------------------------------------------------------------------


def _seen(page: Page, inlined: str, file: str) -> Iterator[Finding]:
    told: set[tuple[str, str]] = set()
    for node in lxml_html.document_fromstring(inlined or "<p></p>").iter():
        text = " ".join((node.text or "").split()) if isinstance(node.tag, str) else ""
        if not text or node.tag in {"style", "title", "script"} or _is_hidden(node):
            continue
        size = _pixels(_inherited(node, "font-size"))
        where = page.find(re.escape(text.split(" x")[0][:24]), file)
        if size is not None and 0 < size < SMALLEST and ("size", str(size)) not in told:
            told.add(("size", str(size)))
            yield Finding("N567", "warning", *where, f"text of {size:g} px", f"{SMALLEST:g} px is the least to be read")
        front, ground = _colour(_inherited(node, "color")), _colour(_ground(node))
        if front is None or ground is None:
            continue
        contrast = _contrast(front, ground)
        if contrast < (CONTRAST_LARGE if (size or 0) >= LARGE else CONTRAST) and ("colour", front + ground) not in told:
            told.add(("colour", front + ground))
            message = f"#{front} on #{ground}: a contrast of {contrast:.1f} to 1"
            yield Finding("N568", "warning", *where, message, f"{CONTRAST} to 1 can be read by nearly all")


def _styles(node: Any) -> dict[str, str]:
    pairs = (part.partition(":") for part in (node.get("style") or "").lower().split(";"))
    return {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs}


def _is_hidden(node: Any) -> bool:
    while node is not None:
        styles = _styles(node)
        if styles.get("display") == "none" or styles.get("font-size") in {"0", "0px", "1px"}:
            return True
        node = node.getparent()
    return False


def _inherited(node: Any, name: str) -> str | None:
    while node is not None:
        if value := _styles(node).get(name):
            return value
        node = node.getparent()
    return None


def _ground(node: Any) -> str | None:
    """The nearest colour behind it; None where a picture is."""
    while node is not None:
        styles = _styles(node)
        if "background-image" in styles or "url(" in styles.get("background", ""):
            return None
        if found := styles.get("background-color") or styles.get("background") or node.get("bgcolor"):
            return found
        node = node.getparent()
    return None


def _pixels(size: str | None) -> float | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)px", size or "")
    return float(found[1]) if found else None


def _colour(text: str | None) -> str | None:
    text = _NAMED.get(text or "", text)
    found = _HEX.fullmatch(text if (text or "").startswith("#") else f"#{text}") if text else None
    if found is None:
        return None
    return found[1] if len(found[1]) == 6 else "".join(letter * 2 for letter in found[1])


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

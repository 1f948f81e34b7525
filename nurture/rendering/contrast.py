"""The contrast of text to its ground (WCAG 2.2, 1.4.3), by day and in dark mode.

Mail programs darken mails in two ways. Apple Mail, Outlook for Mac and others do what `prefers-color-scheme: dark`
styles say, and show what has no colour of its own as they like. Gmail and Outlook know no such styles of ours, or
ignore them: they turn light grounds dark and dark text light, and leave the rest (`inverted`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lxml.cssselect import CSSSelector
from lxml.etree import XPath

CONTRAST, CONTRAST_LARGE = 4.5, 3.0
LARGE = 24.0  # px
CANVAS = {"color": "#ffffff", "background-color": "#1e1e1e"}  # of a page that says it knows the dark, in WebKit

_HEX = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
_RGB = re.compile(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)(?:\s*[,/]\s*(?:1|1\.0|100%))?\s*\)")
_NAMED = {
    "white": "ffffff", "black": "000000", "gray": "808080", "grey": "808080", "silver": "c0c0c0", "red": "ff0000",
    "green": "008000", "blue": "0000ff", "navy": "000080", "yellow": "ffff00", "orange": "ffa500",
}  # fmt: skip
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_DARK = re.compile(r"@media[^{]*prefers-color-scheme\s*:\s*dark[^{]*\{", re.IGNORECASE)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_KNOWS_DARK = re.compile(r"color-scheme\s*:[^;}]*\bdark\b", re.IGNORECASE)
_UNSEEN = frozenset({"style", "title", "script", "head"})

Colours = Callable[[Any, str], str | None]  # a node, and `color` or `background-color`, to what it has itself


@dataclass(frozen=True, slots=True)
class Pair:
    """Text that stands too little out: both colours as six hexadecimal digits."""

    text: str
    front: str
    ground: str
    contrast: float


def contrasts(document: Any, of: Colours, *, canvas: Mapping[str, str] | None = None) -> Iterator[Pair]:
    """Every pair of colours below what WCAG 2.2 asks, once; pictures as grounds are left out."""
    canvas = canvas or getattr(of, "canvas", {})
    told: set[str] = set()
    for node, text in texts_of(document):
        front = colour(_nearest(node, "color", of) or canvas.get("color"))
        ground = colour(_ground(node, of, canvas.get("background-color")))
        if front is None or ground is None or front + ground in told:
            continue
        ratio = contrast(front, ground)
        if ratio < (CONTRAST_LARGE if (pixels(inherited(node, "font-size")) or 0) >= LARGE else CONTRAST):
            told.add(front + ground)
            yield Pair(text, front, ground, ratio)


def light_of(node: Any, name: str) -> str | None:
    """A colour as the mail gives it, where nothing is dark."""
    styles = styles_of(node)
    if name == "color":
        return styles.get("color")
    return styles.get("background-color") or styles.get("background") or node.get("bgcolor")


def inverted(node: Any, name: str) -> str | None:
    """A colour as Gmail and Outlook turn it: the lightness of light grounds and of dark text is mirrored."""
    found = light_of(node, name)
    known = colour(found)
    if known is None:
        return found
    is_light = _lightness(known) > 0.5
    return _mirrored(known) if is_light == (name != "color") else known


def in_the_dark(document: Any) -> tuple[Colours, str]:
    """How this document is darkened, and by whom: by its own dark styles if it has some, or by mail programs."""
    css = _COMMENT.sub("", "\n".join(node.text or "" for node in document.iter("style")))
    rules = [rule for found in _DARK.finditer(css) for rule in _RULE.findall(_block(css, found.end()))]
    told = [node.get("content") or "" for node in document.iter("meta") if node.get("name") == "color-scheme"]
    knows = any("dark" in each for each in told) or _KNOWS_DARK.search(css) is not None
    if not rules and not knows:
        return inverted, "as Gmail and Outlook turn it in dark mode"
    return Dark(document, rules, knows), "in dark mode"


class Dark:
    """The colours of a document whose own dark styles hold. `canvas` is what shows where nothing gives a colour."""

    def __init__(self, document: Any, rules: list[tuple[str, str]], knows: bool) -> None:
        self.canvas: Mapping[str, str] = CANVAS if knows else {}
        self._given: dict[tuple[Any, str], tuple[str, bool]] = {}
        for selectors, declarations in rules:
            given = _declared(declarations)
            if given:
                for selector in selectors.split(","):
                    self._give(document, selector.strip(), given)

    def _give(self, document: Any, selector: str, given: Mapping[str, tuple[str, bool]]) -> None:
        find = _selected(selector)
        for node in find(document) if find is not None else ():
            for name, (value, strong) in given.items():
                if strong or not self._given.get((node, name), ("", False))[1]:
                    self._given[node, name] = (value, strong)

    def __call__(self, node: Any, name: str) -> str | None:
        """A rule beats what stands in the element only if it is `!important`."""
        value, strong = self._given.get((node, name), ("", False))
        return value if strong else light_of(node, name) or value or None


def _block(css: str, start: int) -> str:
    depth = 1
    for at in range(start, len(css)):
        depth += (css[at] == "{") - (css[at] == "}")
        if depth == 0:
            return css[start:at]
    return css[start:]


def _declared(declarations: str) -> dict[str, tuple[str, bool]]:
    """`color` and `background-color` of a rule, and whether it is important."""
    found = {}
    for each in declarations.lower().split(";"):
        name, _, value = each.partition(":")
        name = {"background": "background-color"}.get(name.strip(), name.strip())
        if name in {"color", "background-color"}:
            found[name] = (value.replace("!important", "").strip(), "!important" in value)
    return found


@lru_cache(maxsize=512)
def _selected(selector: str) -> XPath | None:
    """What finds the elements of a selector; None for one that only a mail program understands."""
    try:
        return CSSSelector(selector, translator="html")
    except Exception:  # noqa: BLE001 - whatever cssselect or lxml cannot read matches nothing
        return None


def texts_of(document: Any) -> Iterator[tuple[Any, str]]:
    """Elements with words of their own that are seen, and these words."""
    for node in document.iter():
        text = " ".join((node.text or "").split()) if isinstance(node.tag, str) else ""
        if text and node.tag not in _UNSEEN and not _is_hidden(node):
            yield node, text


def styles_of(node: Any) -> dict[str, str]:
    """The declarations in an element, names and values in small letters."""
    return _styles(node.get("style") or "")


@lru_cache(maxsize=2048)
def _styles(text: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in text.lower().split(";"))
    return {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs}


def inherited(node: Any, name: str) -> str | None:
    """The value of the nearest element that gives one."""
    return _nearest(node, name, lambda each, wanted: styles_of(each).get(wanted))


def _nearest(node: Any, name: str, of: Colours) -> str | None:
    while node is not None:
        if value := of(node, name):
            return value
        node = node.getparent()
    return None


def _ground(node: Any, of: Colours, canvas: str | None) -> str | None:
    """The nearest colour behind it; None where a picture is."""
    while node is not None:
        styles = styles_of(node)
        if "background-image" in styles or "url(" in styles.get("background", "") or node.get("background"):
            return None
        found = of(node, "background-color")
        if found and found not in {"transparent", "none", "inherit", "initial"}:
            return found
        node = node.getparent()
    return canvas


def _is_hidden(node: Any) -> bool:
    while node is not None:
        styles = styles_of(node)
        if styles.get("display") == "none" or styles.get("font-size") in {"0", "0px", "1px"}:
            return True
        node = node.getparent()
    return False


def pixels(size: str | None) -> float | None:
    """The number of `14px`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)px", size or "")
    return float(found[1]) if found else None


def colour(text: str | None) -> str | None:
    """Six hexadecimal digits of a colour that is written out and not seen through; else None."""
    if not text:
        return None
    text = _NAMED.get(text, text)
    if rgb := _RGB.fullmatch(text):
        return "".join(f"{min(int(part), 255):02x}" for part in rgb.groups())
    found = _HEX.fullmatch(text)
    if found is None:
        return None
    return found[1].lower() if len(found[1]) == 6 else "".join(letter * 2 for letter in found[1].lower())


def contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _parts(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _lightness(colour: str) -> float:
    """As the eye sees it (CIE L*), 0 to 1."""
    y = _luminance(colour)
    return 1.16 * y ** (1 / 3) - 0.16 if y > 0.008856 else 9.033 * y


def _mirrored(colour: str) -> str:
    """The colour of the same hue whose lightness is as far from white as this one's is from black."""
    import colorsys

    hue, _, saturation = colorsys.rgb_to_hls(*_parts(colour))
    wanted, low, high = 1 - _lightness(colour), 0.0, 1.0
    for _ in range(12):  # lightness grows with that of HLS, but not in proportion
        middle = (low + high) / 2
        made = "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, middle, saturation))
        low, high = (middle, high) if _lightness(made) < wanted else (low, middle)
    return made

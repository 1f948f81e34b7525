"""What mail programs make of the features a mail uses: three lists, by the share of readers who lose something.

*break*: content is lost or cannot be read; *degrade*: it looks plainer; *noise*: nobody notices. The answers are those
of caniemail.com (`features.json`, see LICENSE); which list a feature belongs in is our judgement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from lxml import html as lxml_html

Kind = Literal["break", "degrade", "noise"]

# Shares of opened mails in percent, rounded, as the public counts of consumer mail have it; a brand knows its own.
SHARES: Mapping[str, float] = {
    "apple": 48, "gmail": 30, "outlook-windows": 5, "outlook": 5, "yahoo": 5, "samsung": 2, "others": 5,
}  # fmt: skip
NAMES = {
    "apple": "Apple Mail", "gmail": "Gmail", "outlook-windows": "Outlook for Windows", "outlook": "Outlook elsewhere",
    "yahoo": "Yahoo and AOL", "samsung": "Samsung Mail", "others": "others",
}  # fmt: skip

BREAK = frozenset({
    "css-display-flex", "css-display-grid", "css-grid-template", "css-position", "css-at-import", "css-variables",
    "css-function-light-dark", "css-modern-color", "css-writing-mode", "css-column-count", "css-clip-path",
    "css-mask-image", "html-form", "html-video", "html-audio", "html-svg", "html-object", "html-base", "html-link",
    "html-select", "html-textarea", "html-input-text", "html-input-checkbox", "html-input-radio", "html-input-submit",
    "html-button-submit", "html-dialog", "html-popover", "html-meter", "html-progress", "html-marquee",
    "image-svg", "image-base64", "image-webp", "image-avif", "image-heif", "image-bmp", "image-tiff", "image-hdr",
    "image-ico", "image-mp4",
})  # fmt: skip
DEGRADE = frozenset({
    "css-animation", "css-aspect-ratio", "css-at-font-face", "css-at-keyframes", "css-at-media",
    "css-at-media-prefers-color-scheme", "css-backdrop-filter", "css-background-image", "css-background-size",
    "css-border-radius", "css-box-shadow", "css-conic-gradient", "css-filter", "css-float", "css-gap",
    "css-justify-content", "css-align-items", "css-flex-direction", "css-flex-wrap", "css-linear-gradient",
    "css-margin", "css-max-width", "css-min-width", "css-mix-blend-mode", "css-object-fit", "css-opacity",
    "css-radial-gradient", "css-text-shadow", "css-transform", "css-transition", "css-unit-calc", "css-function-clamp",
    "css-function-max", "css-function-min", "html-picture", "html-srcset", "image-apng",
})  # fmt: skip

_VALUES = {
    ("display", "flex"): "css-display-flex", ("display", "inline-flex"): "css-display-flex",
    ("display", "grid"): "css-display-grid", ("display", "inline-grid"): "css-display-grid",
    ("display", "none"): "css-display-none",
}  # fmt: skip
_ALIASES = {
    "grid-template-columns": "css-grid-template", "grid-template-rows": "css-grid-template",
    "columns": "css-column-count", "display": None, "position": None,
}  # fmt: skip
_FUNCTIONS = {
    "var": "css-variables", "light-dark": "css-function-light-dark", "lch": "css-modern-color",
    "oklch": "css-modern-color", "lab": "css-modern-color", "oklab": "css-modern-color", "calc": "css-unit-calc",
    "clamp": "css-function-clamp", "min": "css-function-min", "max": "css-function-max",
    "linear-gradient": "css-linear-gradient", "radial-gradient": "css-radial-gradient",
    "conic-gradient": "css-conic-gradient",
}  # fmt: skip
_INPUTS = {"text": "html-input-text", "checkbox": "html-input-checkbox", "radio": "html-input-radio",
           "submit": "html-input-submit", "hidden": "html-input-hidden", "reset": "html-input-reset"}  # fmt: skip
_EXTENSION = re.compile(r"\.(svg|webp|avif|heic|heif|bmp|tiff?|ico|hdr|apng|mp4)(?:[?#]|$)", re.IGNORECASE)
_FORMATS = {"heic": "heif", "tif": "tiff"}
_COMMENT = re.compile(r"<!--.*?-->|/\*.*?\*/", re.DOTALL)
_FUNCTION = re.compile(r"([a-z-]+)\(")
_AT = re.compile(r"@(media|import|font-face|keyframes)")


@dataclass(frozen=True, slots=True)
class Support:
    """One feature a mail uses. `lost` is the share of readers, in percent, without it; `pattern` finds it in source."""

    slug: str
    title: str
    kind: Kind
    lost: float
    families: tuple[str, ...]
    uses: int
    pattern: str

    @property
    def told(self) -> str:
        return ", ".join(NAMES[family] for family in self.families)


@cache
def features() -> Mapping[str, tuple[str, Mapping[str, str]]]:
    """Slug to title and the answer (y, a, n) of each family of mail programs."""
    data = json.loads((Path(__file__).parent / "features.json").read_text(encoding="utf-8"))
    return {slug: (title, answers) for slug, (title, answers) in data["features"].items()}


def supported(document: str, shares: Mapping[str, float] = SHARES) -> list[Support]:
    """The features of one inlined HTML document that some readers are without; the greatest loss of each list first.

    What stands in comments for Outlook or inside `@media` is an extra for those who see it: it breaks nothing.
    """
    found: dict[str, list[str]] = {}
    for slug, pattern in _uses(_COMMENT.sub("", document)):
        found.setdefault(slug, []).append(pattern)
    told = []
    for slug, patterns in found.items():
        title, answers = features()[slug]
        kind: Kind = "break" if slug in BREAK else "degrade" if slug in DEGRADE else "noise"
        families = tuple(family for family in SHARES if answers.get(family) == "n")
        if families:
            lost = sum(shares.get(family, 0) for family in families)
            told.append(Support(slug, title, kind, lost, families, len(patterns), patterns[0]))
    order = ("break", "degrade", "noise")
    return sorted(told, key=lambda one: (order.index(one.kind), -one.lost, one.slug))


def _uses(document: str) -> Iterator[tuple[str, str]]:
    if not document.strip():
        return
    for node in lxml_html.document_fromstring(document).iter():
        if not isinstance(node.tag, str):
            continue
        yield from _of_element(node)
        if node.tag == "style":
            css = node.text or ""
            yield from ((f"css-at-{found[1]}", f"@{found[1]}") for found in _AT.finditer(css))
            if "prefers-color-scheme" in css:
                yield "css-at-media-prefers-color-scheme", "prefers-color-scheme"
        for declaration in (node.get("style") or "").split(";"):
            name, colon, value = declaration.partition(":")
            if colon:
                yield from _of_declaration(name.strip().lower(), value.strip().lower())


def _of_element(node: Any) -> Iterator[tuple[str, str]]:
    pattern = rf"<{node.tag}\b"
    slug = f"html-{node.tag}"
    if node.tag == "input":
        slug = _INPUTS.get(node.get("type") or "text", "html-input-text")
    elif node.tag == "button":
        slug = "html-button-submit"
    if slug in features() and node.tag != "link":
        yield slug, pattern
    if node.tag == "link" and "stylesheet" in (node.get("rel") or ""):
        yield "html-link", pattern
    if node.get("srcset"):
        yield "html-srcset", "srcset"
    if node.tag == "img":
        source = node.get("src") or ""
        if source.startswith("data:"):
            yield "image-base64", "data:"
        elif found := _EXTENSION.search(source):
            kind = found[1].lower()
            yield f"image-{_FORMATS.get(kind, kind)}", re.escape(found[0])


def _of_declaration(name: str, value: str) -> Iterator[tuple[str, str]]:
    value = value.removesuffix("!important").strip()
    pattern = rf"{re.escape(name)}\s*:\s*{re.escape(value)}"
    if slug := _VALUES.get((name, value)):
        yield slug, pattern
    if name == "position" and value in {"absolute", "fixed", "sticky"}:
        yield "css-position", pattern
    for function in _FUNCTION.findall(value):
        if function in _FUNCTIONS:
            yield _FUNCTIONS[function], rf"{re.escape(function)}\("
    slug = _ALIASES.get(name, f"css-{name}")
    if slug in features() and slug is not None:
        yield slug, rf"\b{re.escape(name)}\s*:"

"""The look of the pages out of brand.yaml: the name, the logo, and colours that can be read.

A colour that would be too faint on its background gives way to black or white: text has 4.5 : 1 at least (WCAG 2.2,
1.4.3). What is no `#rrggbb` is not taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

READABLE = 4.5
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")
_HOST = re.compile(r"[a-z0-9.-]+(:\d+)?\Z")
# a colour of text -> what it stands on
_INKS = {
    "ink": ("card", "paper", "panel"),
    "muted": ("card", "paper"),
    "link": ("card", "paper"),
    "button_ink": ("button",),
}
_DEFAULTS = {
    "light": {
        "paper": "#f3f4f6", "card": "#ffffff", "ink": "#1d2127", "muted": "#5b6470", "rule": "#d5dae1",
        "panel": "#eef1f5", "link": "#1f5fbf", "button": "#1f5fbf", "button_ink": "#ffffff",
    },
    "dark": {
        "paper": "#101316", "card": "#181c20", "ink": "#e8eaee", "muted": "#a3acb8", "rule": "#363c45",
        "panel": "#22272d", "link": "#86b4ff", "button": "#86b4ff", "button_ink": "#0f1620",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Brand:
    """`logo` is an https address or None; `css` sets the colours; `digest` changes with it."""

    name: str
    url: str | None
    logo: str | None
    css: str
    digest: str

    @property
    def logo_origin(self) -> str | None:
        """Where the logo comes from, for the content policy."""
        return f"https://{urlsplit(self.logo).netloc}" if self.logo else None


def brand_of(brand: Mapping[str, Any], fallback: str) -> Brand:
    """What brand.yaml says; `fallback` is the name where it says none."""
    name = brand.get("name")
    colours = brand.get("colors")
    told = colours if isinstance(colours, Mapping) else {}
    light, dark = (_readable(_palette(told.get(mode), mode)) for mode in ("light", "dark"))
    css = f":root{{{_rules(light)}}}\n@media (prefers-color-scheme: dark){{:root{{{_rules(dark)}}}}}\n"
    return Brand(
        name=name if isinstance(name, str) and name.strip() else fallback,
        url=_https(brand.get("url")),
        logo=_https(brand.get("logo")),
        css=css,
        digest=sha256(css.encode()).hexdigest()[:12],
    )


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two `#rrggbb`, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _palette(told: Any, mode: str) -> dict[str, str]:
    given = told if isinstance(told, Mapping) else {}
    return {
        name: str(given[name]) if _COLOUR.match(str(given.get(name, ""))) else default
        for name, default in _DEFAULTS[mode].items()
    }


def _readable(palette: dict[str, str]) -> dict[str, str]:
    for ink, grounds in _INKS.items():
        on = [palette[ground] for ground in grounds]
        if _worst(palette[ink], on) < READABLE:
            palette[ink] = "#000000" if _worst("#000000", on) >= _worst("#ffffff", on) else "#ffffff"
    return palette


def _worst(ink: str, grounds: Sequence[str]) -> float:
    return min(contrast(ink, ground) for ground in grounds)


def _rules(palette: Mapping[str, str]) -> str:
    return "".join(f"--{name.replace('_', '-')}:{colour};" for name, colour in palette.items())


def _https(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    parts = urlsplit(value)
    return value if parts.scheme == "https" and _HOST.match(parts.netloc) else None


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)

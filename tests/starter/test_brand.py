"""Colours are checked where they are chosen: every text on every ground it stands on, by daylight and in the dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from nurture.yaml_text import load

FILE = Path(__file__).resolve().parents[2] / "email_templates" / "brand.yaml"
COLORS = load(FILE.read_text(encoding="utf-8"), "brand.yaml")[0]["colors"]
PAIRS = [
    ("ink", "card"),
    ("ink", "panel"),
    ("muted", "card"),
    ("muted", "paper"),
    ("muted", "panel"),
    ("link", "card"),
    ("link", "paper"),
    ("link", "panel"),
    ("accent", "card"),
    ("button_ink", "button"),
    ("band_ink", "band"),
]


def luminance(color: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_stands_out_from_its_ground(scheme: str, text: str, ground: str):
    lighter, darker = sorted((luminance(COLORS[scheme][text]), luminance(COLORS[scheme][ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_both_schemes_define_the_same_colours():
    assert COLORS["light"].keys() == COLORS["dark"].keys()

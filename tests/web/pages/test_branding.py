"""Whatever brand.yaml says, the pages can be read, and nothing of it becomes code."""

from __future__ import annotations

import re
from itertools import product

import pytest

from nurture.web.pages.branding import READABLE, brand_of, contrast


def palettes(css: str) -> list[dict[str, str]]:
    return [dict(re.findall(r"--([\w-]+):(#\w{6});", part)) for part in re.findall(r":root{(.*?)}", css)]


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("colour", ["#ffffff", "#000000", "#808080", "#ffee00"])
def test_text_can_be_read_in_any_colours(colour: str) -> None:
    names = ("ink", "card", "paper", "link", "muted", "button", "button_ink", "panel")
    told = {mode: dict.fromkeys(names, colour) for mode in ("light", "dark")}
    pairs = [*product(["ink"], ["card", "paper", "panel"]), *product(["muted", "link"], ["card", "paper"])]
    for palette in palettes(brand_of({"colors": told}, "x").css):
        for ink, ground in [*pairs, ("button-ink", "button")]:
            assert contrast(palette[ink], palette[ground]) >= READABLE


def test_what_is_no_colour_or_address_is_not_taken() -> None:
    bad = {"colors": {"light": {"ink": "red;} body{display:none"}}, "logo": "javascript:x", "url": "http://x.example"}
    brand = brand_of(bad, "Shop")

    assert "display" not in brand.css
    assert (brand.name, brand.logo, brand.url) == ("Shop", None, None)
    assert brand_of({"logo": "https://cdn.example/l.png"}, "x").logo_origin == "https://cdn.example"
    assert brand_of({"logo": "https://cdn.example; script-src */l.png"}, "x").logo is None

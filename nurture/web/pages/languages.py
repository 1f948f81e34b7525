"""The texts of the pages in her language; English is what the templates say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from markupsafe import Markup, escape

from nurture.rendering.catalogues import read_catalogue

ENGLISH = "en"
TRANSLATED = ("de", "fi", "sv")


class Phrases:
    """The texts in one language. What is put into them is escaped."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = catalogue(language)

    def __call__(self, text: str, **values: object) -> Markup:
        return escape(self._texts.get(text, text)).format(**values)


@cache
def phrases(language: str) -> Phrases:
    return Phrases(language)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """English -> `language`, of `nurture/web/translations`."""
    if language not in TRANSLATED:
        return {}
    return read_catalogue(files("nurture.web").joinpath("translations", f"{language}.po").read_bytes())


def best_language(*wanted: str | None) -> str:
    """The first of these locales that there is a translation for, else English."""
    for each in wanted:
        language = (each or "").replace("_", "-").partition("-")[0].lower()
        if language == ENGLISH or language in TRANSLATED:
            return language
    return ENGLISH


def accepted(header: str | None) -> Iterable[str]:
    """The languages of Accept-Language, best first (RFC 9110 section 12.5.4)."""
    ranked = []
    for place, part in enumerate((header or "")[:500].split(",")):
        name, _, quality = part.strip().partition(";")
        weight = quality.strip().removeprefix("q=")
        try:
            ranked.append((-float(weight or 1), place, name.strip()))
        except ValueError:
            continue
    return [name for weight, _, name in sorted(ranked) if weight < 0]

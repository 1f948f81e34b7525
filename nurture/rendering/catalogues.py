"""Translations of our own pages: gettext catalogues read as they are written, and dates as a language writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from io import BytesIO


def read_catalogue(source: bytes) -> Mapping[str, str]:
    """English text -> translation, of a `.po` file. What is missing or marked as doubtful is left out."""
    from babel.messages.pofile import read_po

    return {
        str(message.id): str(message.string)
        for message in read_po(BytesIO(source))
        if message.id and message.string and not message.fuzzy
    }


def long_date(day: date, language: str) -> str:
    """`3 March 2026`, as `language` (en, fi, ...) writes it."""
    from babel.dates import format_date

    return str(format_date(day, "long", locale="en_GB" if language == "en" else language))

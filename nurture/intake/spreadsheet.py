"""CSV that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

# A cell that begins so is run as a formula by spreadsheets; an apostrophe in front makes it text again.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_cell(value: Any) -> str:
    """A value as a cell. Numbers stay numbers, also negative ones; texts that could be formulas become text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    text = str(value).replace("\0", "")
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else text


def write_csv(file: TextIO, headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write rows with their header; returns how many."""
    writer = csv.writer(file)
    writer.writerow(headers)
    count = 0
    for row in rows:
        writer.writerow([safe_cell(value) for value in row])
        count += 1
    return count

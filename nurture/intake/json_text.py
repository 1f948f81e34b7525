"""JSON from strangers: read strictly, and only what a database can give back as it was."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 12


def parse_json(text: str | bytes) -> Any:
    """JSON as RFC 8259 has it, every name once. Raises ValueError (JSONDecodeError with the place), RecursionError."""
    return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8"))


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number in JSON")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Which of two values under one name counts is a guess, so neither does."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise ValueError(f"{name[:60]!r} stands in it twice")
        seen.add(name)
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_no_twins, parse_constant=_no_constant)


def unstorable(value: Any, depth: int = 1) -> str | None:
    """What in JSON data no database could give back as it was: None if all can be kept."""
    kind = type(value)
    if kind is str:
        return None if is_storable(value) else "hold a text with a NUL or half a character (\\ud800 to \\udfff)"
    if kind is dict or kind is list:
        if depth > MAX_DEPTH:
            return f"are nested more than {MAX_DEPTH} deep"
        inner = value
        if kind is dict:
            for name in value:
                if not is_storable(name):
                    return "hold a text with a NUL or half a character (\\ud800 to \\udfff)"
            inner = value.values()
        for each in inner:
            problem = unstorable(each, depth + 1)
            if problem is not None:
                return problem
        return None
    if kind is float and not math.isfinite(value):
        return "hold a number that is too large"
    return None


def unfit(value: Any, depth: int = 1) -> str | None:
    """The same for data whose texts are known to be fit: what remains is its depth and its numbers."""
    if depth > MAX_DEPTH:
        return f"are nested more than {MAX_DEPTH} deep"
    for each in value.values() if type(value) is dict else value:
        kind = type(each)
        if kind is dict or kind is list:
            problem = unfit(each, depth + 1)
            if problem is not None:
                return problem
        elif kind is float and not math.isfinite(each):
            return "hold a number that is too large"
    return None


def is_storable(text: str) -> bool:
    """Neither NUL nor half of a surrogate pair: PostgreSQL takes neither."""
    return (text.isascii() and "\0" not in text) or not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)

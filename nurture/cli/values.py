"""Values given on the command line as `name=value`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def pairs(texts: Sequence[str], option: str) -> Mapping[str, Any]:
    """`total=80` is a number, `code=00100` and `name=Ana` are texts, `items=[...]` is JSON. Raises a usage error."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"{option} is written name=value, as in {option} total=80; this is {text!r}")
        values[name.strip()] = _value(value, name, option)
    return values


def _value(text: str, name: str, option: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda constant: constant)
    except ValueError:
        if text[:1] in {"[", "{"}:
            raise click.UsageError(f"{option} {name}: {text[:60]} is not JSON") from None
        return text

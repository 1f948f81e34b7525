"""What to say about a value that a model refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic_core import ErrorDetails

from nurture.language.problems import did_you_mean, sure_of
from nurture.language.source import SourceFile
from nurture.language.steps import SendStep, Strict

Path = tuple[str | int, ...]

# Words of other tools, and what they are called here; the first that is a key or choice at the place is meant.
_OTHER_WORDS = {
    "name": ("campaign", "person", "test"), "trigger": ("start",), "entry": ("start",), "on": ("event",),
    "exit": ("stop",), "exits": ("stop",), "when": ("if", "at"), "condition": ("if",), "unless": ("if",),
    "skip_if": ("if",), "delay": ("wait",), "template": ("send",), "timezone": ("zone",), "tz": ("zone",),
    "expire": ("expires",), "percent": ("discount",), "flow": ("steps",), "actions": ("steps",), "else": ("otherwise",),
    "data": ("with", "attributes"), "properties": ("with", "attributes"), "traits": ("attributes",),
    "trait": ("attributes",), "timeout": ("up_to",), "renamed_from": ("was",), "reentry": ("again",),
    "re-entry": ("again",), "repeat": ("again",), "days": ("on",), "active": ("live",), "enabled": ("live",),
    "running": ("live",), "disabled": ("paused",), "inactive": ("paused",), "stopped": ("paused",), "leave": ("exit",),
    "end": ("exit",), "yes": ("granted",), "no": ("none",), "unsubscribed": ("withdrawn",),
}  # fmt: skip


def report_fault(file: SourceFile, data: Any, seen: dict[int, type[Strict]], path: Path, fault: ErrorDetails) -> None:
    kind = fault["type"]
    if kind.startswith("N"):
        context = fault.get("ctx", {})
        on_key = "[key]" in fault["loc"]
        file.report(kind, path, str(context.get("message", "")), context.get("hint"), key=on_key)
    elif kind == "extra_forbidden":
        _report_unknown_key(file, data, seen, path)
    elif kind == "missing":
        key = str(path[-1])
        code = "N102" if path == ("version",) else "N104"
        hint = "write version: 1 at the top" if code == "N102" else _missing_hint(key)
        file.report(code, path[:-1], f"{key} is missing here", hint)
    elif path == ("version",):
        file.report("N102", path, f"version {fault['input']!r} is unknown here", "write version: 1")
    elif kind == "literal_error":
        _report_choice(file, path, fault)
    else:
        message, hint = _shape(kind, path, fault)
        file.report("N105", path, message, hint)


def _missing_hint(key: str) -> str | None:
    return {
        "id": "give the step a name that never changes, like id: reminder",
        "up_to": "say how long to wait, like up_to: 3 days",
        "within": "say how long after the start it counts, like within: 7 days",
        "after": "name the events that begin the wait again, like after: [Product Added]",
    }.get(key)


def allowed_keys(model: type[Strict]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _report_unknown_key(file: SourceFile, data: Any, seen: dict[int, type[Strict]], path: Path) -> None:
    key = str(path[-1])
    model = seen.get(id(at(data, path[:-1])))
    keys = allowed_keys(model) if model else []
    meant = sure_of(key, set(keys) - set(at(data, path[:-1])))
    fix = (f"{key}:", f"{meant}:") if meant else None
    hint = _meant(key, keys)
    if " " in key and at(data, path) is None:
        hint = "put quotes around a text that has a comma in it"
    elif hint is None and model is SendStep and key in {"wait", "until", "on"}:
        hint = "a wait is a step of its own, before the send"
    elif hint is None and path[:1] == ("steps",) and key in allowed_keys(SendStep):
        hint = f"only a send takes {key}; put this step into a branch" if key == "if" else f"only a send takes {key}"
    elif hint is None and keys:
        hint = "the keys here are " + ", ".join(keys)
    file.report("N103", path, f"unknown key {key}", hint, key=True, fix=fix)


def _meant(word: str, known: Sequence[str]) -> str | None:
    """A slip of the finger, a word of another tool, or something near."""
    if slip := sure_of(word, known):
        return f"did you mean {slip}?"
    for other in _OTHER_WORDS.get(word.lower(), ()):
        if other in known:
            return f"the word here is {other}"
    nearest = did_you_mean(word, known)
    return f"did you mean {nearest}?" if nearest else None


def _report_choice(file: SourceFile, path: Path, fault: ErrorDetails) -> None:
    choices = re.findall(r"'([^']*)'", str(fault.get("ctx", {}).get("expected", ""))) or ["true"]
    value = fault["input"]
    shown = " or ".join([", ".join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices)
    hint = _meant(value, choices) if isinstance(value, str) else None
    meant = sure_of(value, choices) if isinstance(value, str) else None
    fix = (str(value), meant) if meant else None
    file.report("N106", path, f"{_shown(value)} is not one of {shown}", hint or f"write {shown}", fix=fix)


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else f'"{value}"' if isinstance(value, str) else str(value).lower()


def _shape(kind: str, path: Path, fault: ErrorDetails) -> tuple[str, str | None]:
    """A sentence for pydantic's own refusals."""
    name = next((part for part in reversed(path) if isinstance(part, str)), "this")
    found = _shown(fault["input"])
    context = fault.get("ctx", {})
    if kind in {"string_type", "string_pattern_mismatch"}:
        quotes = isinstance(fault["input"], bool | int | float)
        wanted = (
            "text"
            if kind == "string_type"
            else {"locale": "a locale like en or fi-FI"}.get(name, "three capital letters like EUR")
        )
        return f"{name} must be {wanted}, found {found}", 'put it between quotes, like "text"' if quotes else None
    if kind == "list_type":
        return f"{name} must be a list, found {found}", "begin each line with `- `, or write [a, b]"
    if kind in {"dict_type", "model_type", "model_attributes_type", "mapping_type"}:
        return f"{name} must be a mapping of keys, found {found}", "write `key: value` lines below it"
    if kind in {"int_type", "int_from_float", "float_type"}:
        return f"{name} must be a number, found {found}", "write the number alone, without quotes and units"
    if kind == "bool_type":
        return f"{name} must be true or false, found {found}", None
    if kind in {"greater_than", "greater_than_equal"}:
        bound = context.get("ge", context.get("gt"))
        return f"{name} must be {'at least' if 'ge' in context else 'more than'} {bound}, found {found}", None
    if kind in {"less_than", "less_than_equal"}:
        return f"{name} must be at most {context.get('le', context.get('lt'))}, found {found}", None
    if kind in {"too_short", "string_too_short"}:
        least = context.get("min_length", 1)
        return f"{name} may not be empty" if least == 1 else f"{name} needs at least {least}", None
    return f"{name}: {fault['msg'][:1].lower()}{fault['msg'][1:]}", None


def at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part] if holds(data, part) else None
    return data


def holds(data: Any, part: Any) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, dict) and part in data

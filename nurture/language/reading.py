"""Text to a model of the schema, every fault of the file reported at its place.

A part that cannot be read is reported and taken out, and the rest is read again, so that one run names every problem of
every file. A file with problems never becomes part of a programme.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nurture.language.problems import Severity, did_you_mean, sure_of
from nurture.language.source import SourceFile
from nurture.language.steps import SendStep, Strict
from nurture.yaml_text import Marks, YamlProblem, load

Model = TypeVar("Model", bound=Strict)
Path = tuple[str | int, ...]

_BRACES = re.compile(r"""(?:^|[:\-\[,]\s)\s*(\{\{)""")
_BLOCK = re.compile(r"[:-] +[|>][+-]?\d?[+-]?\s*$")
_BARE_CLOCK = re.compile(r"\b(?:until|at): +(\d{1,2}:\d{2})(?=\s*(?:[,}#]|$))")
_MAX_ROUNDS = 40

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


def read_text(name: str, text: str, *, first_line: int = 1, whole: str | None = None) -> SourceFile:
    """A YAML text as data with marks; what cannot be read is a problem and leaves `data` None.

    `whole` and `first_line` are given when the text is the front matter of a longer file.
    """
    file = SourceFile(name, whole if whole is not None else text, first_line=first_line)
    if _report_bare_braces(file, text):
        file.is_whole = False
        return file
    try:
        file.data, file.marks = _loaded(text, name)
    except YamlProblem as problem:
        message = (
            str(problem)
            .removeprefix(name)
            .removeprefix(":")
            .strip()
            .replace("is not valid YAML", "this is not valid YAML", 1)
        )
        file.is_whole = False
        file.report_at("N100", problem.line, problem.column, message, problem.hint)
    return file


@lru_cache(maxsize=512)
def _loaded(text: str, name: str) -> tuple[Any, Marks]:
    """Parsing YAML is most of the work of compiling, and while somebody edits one file the others stay as they are."""
    return load(text, name)


def _report_bare_braces(file: SourceFile, text: str) -> bool:
    """YAML reads `subject: {{ x }}` as a mapping in a mapping; say what is meant instead."""
    if "{{" not in text:
        return False
    found = False
    block: int | None = None  # inside a text of several lines, how far its key is indented
    for number, line in enumerate(text.split("\n"), 1):
        indent = len(line) - len(line.lstrip())
        if block is not None and (indent > block or not line.strip()):
            continue
        block = indent if _BLOCK.search(line) else None
        match = _BRACES.search(line)
        if match and not line.lstrip().startswith("#") and not _quoted(line, match.start(1)):
            fix = _quotes(line, match.start(1))
            hint = "put quotes around text that has {{ }}"
            file.report_at("N101", number, match.start(1) + 1, "text with {{ }} stands without quotes", hint, fix=fix)
            found = True
    return found


def _quotes(line: str, start: int) -> tuple[str, str] | None:
    """The value with quotes around it, where it surely ends with the line."""
    value = line[start:].split(" #", 1)[0].rstrip()
    if not re.match(r"\s*(- )?\w+: +$", line[:start]) or ('"' in value and "'" in value) or "\\" in value:
        return None
    return value, f"'{value}'" if '"' in value else f'"{value}"'


def _quoted(line: str, offset: int) -> bool:
    before = line[:offset]
    return before.count('"') % 2 == 1 or (before.count("'") % 2 == 1 and '"' not in before)


def read_model(file: SourceFile, model: type[Model]) -> Model | None:
    """The file as a model, or None if nothing of it can be read; see `file.problems`."""
    if not isinstance(file.data, dict):
        file.is_whole = False
    if file.data is None:
        if not file.problems:
            file.report("N110", (), "the file is empty", f"begin with version: 1; see nurture schema {_word(model)}")
        return None
    if not isinstance(file.data, dict):
        file.report("N110", (), "the file must be a mapping of keys", "begin with version: 1, at the left margin")
        return None
    _warn_bare_clocks(file)
    kept = copy.deepcopy(file.data)
    for round_number in range(_MAX_ROUNDS):
        seen: dict[int, type[Strict]] = {}
        faults: list[tuple[Path, ErrorDetails]] = []
        read = None
        try:
            read = model.model_validate(kept, context=seen)
        except ValidationError as error:
            faults = [(_path(kept, fault["loc"]), fault) for fault in error.errors(include_url=False)]
        if round_number == 0:
            for path, fault in faults:
                _report(file, kept, seen, path, fault)
            _report_nothing(file, kept, seen, {path for path, _ in faults})
            file.is_whole = not any(problem.is_error for problem in file.problems)
        if read is not None:
            return read
        if not _prune(file, kept, [(path, fault["type"]) for path, fault in faults]):
            return None
    return None


def _report_nothing(file: SourceFile, data: Any, seen: dict[int, type[Strict]], said: set[Path]) -> None:
    """A key without a value is a thought that was not finished: `if:` must not come to mean always."""
    waiting: list[tuple[Path, Any]] = [((), data)]
    while waiting:
        path, node = waiting.pop()
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            here = (*path, key)
            if isinstance(value, dict | list):
                waiting.append((here, value))
            elif value is None and isinstance(node, dict) and id(node) in seen and here not in said:
                file.report("N104", here, f"{key} has no value", "write one, or delete the line", key=True)


def _word(model: type[Strict]) -> str:
    return model.__name__.removesuffix("File").lower().replace("story", "test")


def _warn_bare_clocks(file: SourceFile) -> None:
    for number, line in enumerate(file.text.split("\n"), 1):
        for match in _BARE_CLOCK.finditer(line.split(" #", 1)[0]):
            clock = match[1]
            file.report_at(
                "N107",
                number,
                match.start(1) + 1,
                f"{clock} stands without quotes: other YAML readers take it for a number",
                f'write "{clock}"',
                severity=Severity.WARNING,
                fix=(match[0], match[0].replace(clock, f'"{clock}"')),
            )


def _path(data: Any, loc: Sequence[str | int]) -> Path:
    """The place in the data of pydantic's location, which also names union members and keys."""
    path: Path = ()
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if _holds(data, part):
            data = data[part]
        elif last and isinstance(data, dict) and isinstance(part, str) and not _is_tag(part):
            data = None  # a key that is missing
        else:
            continue
        path = (*path, part)
    return path


def _is_tag(part: str) -> bool:
    return part.startswith("<") or part == "[key]" or part[:1].isupper() or part in {"str", "int", "list[str]"}


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part] if _holds(data, part) else None
    return data


# --- what to say -----------------------------------------------------------------------------------------------------


def _report(file: SourceFile, data: Any, seen: dict[int, type[Strict]], path: Path, fault: ErrorDetails) -> None:
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
    model = seen.get(id(_at(data, path[:-1])))
    keys = allowed_keys(model) if model else []
    meant = sure_of(key, set(keys) - set(_at(data, path[:-1])))
    fix = (f"{key}:", f"{meant}:") if meant else None
    hint = _meant(key, keys)
    if " " in key and _at(data, path) is None:
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


# --- reading on ------------------------------------------------------------------------------------------------------


def _prune(file: SourceFile, data: Any, faults: list[tuple[Path, str]]) -> bool:
    """Take the faulty parts out of the data. False when nothing is left to take out."""
    doomed = set()
    for path, kind in faults:
        target = path[:-1] if kind == "missing" else path
        if target and _exists(data, target):
            doomed.add(target)
        elif target[:-1]:
            doomed.add(target[:-1])
    if not doomed:
        return False
    # The longest and last paths first, so that taking one out does not move the others.
    for path in sorted(
        doomed, key=lambda p: (len(p), [(isinstance(x, str), str(x).zfill(9)) for x in p]), reverse=True
    ):
        if not _exists(data, path):
            continue
        parent = _at(data, path[:-1])
        if isinstance(parent, list):
            original = file.original(path)
            assert isinstance(original[-1], int)
            file.dropped.setdefault(original[:-1], []).append(original[-1])
        del parent[path[-1]]
    return True


def _exists(data: Any, path: Path) -> bool:
    for part in path:
        if not _holds(data, part):
            return False
        data = data[part]
    return True


def _holds(data: Any, part: Any) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, dict) and part in data

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

from nurture.language.faults import Path, at, holds, report_fault
from nurture.language.problems import Severity
from nurture.language.source import SourceFile
from nurture.language.steps import Strict
from nurture.yaml_text import Marks, YamlProblem, load

Model = TypeVar("Model", bound=Strict)

_BRACES = re.compile(r"""(?:^|[:\-\[,]\s)\s*(\{\{)""")
_BLOCK = re.compile(r"[:-] +[|>][+-]?\d?[+-]?\s*$")
_BARE_CLOCK = re.compile(r"\b(?:until|at): +(\d{1,2}:\d{2})(?=\s*(?:[,}#]|$))")
_MAX_ROUNDS = 40


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
                report_fault(file, kept, seen, path, fault)
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
        if holds(data, part):
            data = data[part]
        elif last and isinstance(data, dict) and isinstance(part, str) and not _is_tag(part):
            data = None  # a key that is missing
        else:
            continue
        path = (*path, part)
    return path


def _is_tag(part: str) -> bool:
    return part.startswith("<") or part == "[key]" or part[:1].isupper() or part in {"str", "int", "list[str]"}


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
        parent = at(data, path[:-1])
        if isinstance(parent, list):
            original = file.original(path)
            assert isinstance(original[-1], int)
            file.dropped.setdefault(original[:-1], []).append(original[-1])
        del parent[path[-1]]
    return True


def _exists(data: Any, path: Path) -> bool:
    for part in path:
        if not holds(data, part):
            return False
        data = data[part]
    return True

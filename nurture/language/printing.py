"""Problems for people and for tools: text with the lines around, JSON, annotations on pull requests, SARIF 2.1.0."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from nurture.language.problems import CODES, FAMILIES, Problem, Severity

FORMATS = ("text", "json", "github", "sarif")


def as_text(problems: Sequence[Problem], *, files: int) -> str:
    """What `validate` prints: every problem with its line and a caret, and a last line that counts. No colours.

    `files` is how many files were read.
    """
    blocks = [problem_text(problem) for problem in problems]
    return "\n".join([*blocks, summary(problems, files=files)])


def problem_text(problem: Problem) -> str:
    """One problem: place, code and message; the lines; a caret with the hint."""
    head = f"{problem.file}:{problem.line}:{problem.column}  {problem.severity} {problem.code}  {problem.message}"
    lines = [head]
    width = max([4, *(len(str(number)) for number, _ in problem.excerpt)])
    for number, text in problem.excerpt:
        lines.append(f"{number:>{width}} | {_printable(text)}")
    hint = f"^ {problem.hint}" if problem.hint else "^"
    if problem.excerpt and problem.excerpt[-1][0] == problem.line:
        lines.append(f"{'':>{width}} | {' ' * (min(problem.column, 120) - 1)}{hint}")
    elif problem.hint:
        lines.append(f"{'':>{width}}   {problem.hint}")
    return "\n".join(lines)


def summary(problems: Sequence[Problem], *, files: int) -> str:
    """The last line, such as: 2 files with problems (1 error, 1 warning), 11 fine."""
    troubled = len({problem.file for problem in problems})
    if not problems:
        return f"{_count(files, 'file')} fine."
    errors = sum(problem.is_error for problem in problems)
    warnings = len(problems) - errors
    found = ", ".join(
        [*([_count(errors, "error")] if errors else []), *([_count(warnings, "warning")] if warnings else [])]
    )
    repairs = sum(problem.fix is not None for problem in problems)
    line = f"{_count(troubled, 'file')} with problems ({found}), {max(files - troubled, 0)} fine."
    return f"{line}  nurture validate --fix can repair {repairs}." if repairs else line


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def _printable(text: str) -> str:
    """The line as it stands, a tab as one column and control characters made visible, so that the caret is right."""
    return "".join(
        char if char.isprintable() else " " if char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def as_dict(problem: Problem) -> dict[str, Any]:
    """A problem as plain data, the same in every JSON answer."""
    return {
        "code": problem.code,
        "severity": problem.severity.value,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "hint": problem.hint,
        "fix": {"replace": problem.fix[0], "with": problem.fix[1]} if problem.fix else None,
    }


def as_json(problems: Iterable[Problem], data: Any = None) -> str:
    """The envelope of every JSON answer: `{"ok", "data", "problems"}`."""
    listed = [as_dict(problem) for problem in problems]
    ok = not any(problem["severity"] == Severity.ERROR for problem in listed)
    return json.dumps({"ok": ok, "data": data, "problems": listed}, ensure_ascii=False, indent=2)


def as_github(problems: Iterable[Problem]) -> str:
    """Workflow commands that GitHub shows as annotations in a pull request."""
    return "\n".join(
        f"::{problem.severity} file={_property(problem.file)},line={problem.line},col={problem.column},"
        f"title={problem.code}::{_command(_sentence(problem))}"
        for problem in problems
    )


def _sentence(problem: Problem) -> str:
    return f"{problem.message} ({problem.hint})" if problem.hint else problem.message


def _command(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _command(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(problems: Iterable[Problem], version: str) -> str:
    """SARIF 2.1.0 (OASIS), for code scanning. `version` is nurture's."""
    listed = list(problems)
    codes = sorted({problem.code for problem in listed})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": CODES.get(code, code)},
            "properties": {"family": FAMILIES.get(code[:2], "")},
        }
        for code in codes
    ]
    results = [
        {
            "ruleId": problem.code,
            "ruleIndex": codes.index(problem.code),
            "level": problem.severity.value,
            "message": {"text": _sentence(problem)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": problem.file, "uriBaseId": "%SRCROOT%"},
                        "region": {"startLine": problem.line, "startColumn": problem.column},
                    }
                }
            ],
        }
        for problem in listed
    ]
    run = {"tool": {"driver": {"name": "nurture", "version": version, "rules": rules}}, "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2)

"""The files of a project as text: read from disk with bounds, and looked up by line.

Everything about a project is a mapping of path to text, so that a stored revision and a checkout compile alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nurture.errors import ConfigurationError
from nurture.language.problems import Problem, Severity
from nurture.yaml_text import Mark, Marks

CAMPAIGNS = "campaigns/"
TEMPLATES = "email_templates/"
PROJECT_FILE = "campaigns/_project.yaml"
SEGMENTS_FILE = "campaigns/_segments.yaml"
EVENTS_FILE = "campaigns/_events.yaml"
WEBHOOKS_FILE = "campaigns/_webhooks.yaml"
BEHAVIOUR_FILE = "campaigns/behaviour.yaml"
BRAND_FILE = "email_templates/brand.yaml"
STORIES = "campaigns/tests/"

MAX_FILE_BYTES = 1 << 20
MAX_FILES = 5_000
MAX_TOTAL_BYTES = 64 << 20

_SUFFIXES = {CAMPAIGNS: {".yaml", ".yml"}, TEMPLATES: {".html", ".md", ".mjml", ".txt", ".yaml", ".yml", ".css"}}


def read_project(root: Path) -> dict[str, str]:
    """Path (relative to `root`, with `/`) to text of every campaign file and template below `root`.

    Hidden files are left out; a symbolic link must end inside `root`. Bytes that are not UTF-8 become U+FFFD, so that
    compiling can name the line. Raises ConfigurationError: no campaigns folder, a link out, too many or too large
    files.
    """
    root = root.resolve()
    if not (root / "campaigns").is_dir():
        raise ConfigurationError(
            f"{root} has no campaigns folder; run nurture init there, or choose the project's folder"
        )
    sources: dict[str, str] = {}
    total = 0
    for folder, suffixes in _SUFFIXES.items():
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix not in suffixes or any(part.startswith(".") for part in name.split("/")):
                continue
            if not path.resolve().is_relative_to(root):
                raise ConfigurationError(f"{name} is a link that leads out of the project; put the file itself there")
            if not path.is_file():
                continue
            size = path.stat().st_size
            total += size
            if size > MAX_FILE_BYTES:
                raise ConfigurationError(f"{name} is larger than 1 MiB; split it, or move it out of {folder}")
            if len(sources) >= MAX_FILES or total > MAX_TOTAL_BYTES:
                raise ConfigurationError(
                    f"{root} holds more than {MAX_FILES} files or 64 MiB; is this the right folder?"
                )
            sources[name] = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    return sources


def template_files(sources: Mapping[str, str]) -> dict[str, str]:
    """Template name (`cart/reminder`) to its file; layouts, parts and `.txt` twins are not templates of their own."""
    names: dict[str, str] = {}
    for path in sorted(sources):
        stem, dot, suffix = path.removeprefix(TEMPLATES).rpartition(".")
        if path.startswith(TEMPLATES) and dot and suffix in {"html", "md", "mjml"} and not stem.startswith("_"):
            names.setdefault(stem, path)
    return names


@dataclass(slots=True)
class SourceFile:
    """One YAML file: its text, its data, and where every value stands.

    `dropped` remembers, per list, which of its items were taken out as unreadable, so that the paths of the others
    still lead to their lines. `is_whole` is False when something could not be read: what is missing from such a file
    proves nothing.
    """

    name: str
    text: str
    data: Any = None
    marks: Marks = field(default_factory=lambda: Marks({}, {}))
    dropped: dict[tuple[str | int, ...], list[int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    first_line: int = 1
    is_whole: bool = True
    _lines: list[str] = field(default_factory=list)

    def original(self, path: Sequence[str | int]) -> tuple[str | int, ...]:
        """The path in the file of a path in the data that was kept."""
        found: tuple[str | int, ...] = ()
        for part in path:
            gone = self.dropped.get(found)
            if gone and isinstance(part, int):
                for index in sorted(gone):
                    if index <= part:
                        part += 1  # noqa: PLW2901
            found = (*found, part)
        return found

    def mark(self, path: Sequence[str | int], key: bool = False) -> Mark:
        where = self.original(path)
        return self.marks.key(where) if key else self.marks.value(where)

    def line_of(self, path: Sequence[str | int]) -> int:
        return self.mark(path).line + self.first_line - 1

    def report(
        self,
        code: str,
        path: Sequence[str | int],
        message: str,
        hint: str | None = None,
        *,
        key: bool = False,
        offset: int | None = None,
        severity: Severity = Severity.ERROR,
        fix: tuple[str, str] | None = None,
    ) -> None:
        """Note a problem at the value (or the key) of `path`; `offset` counts characters into a text value."""
        mark = self.mark(path, key)
        line, column = mark.line, mark.column
        if offset is not None:
            line, column = self._inside(mark, offset)
        self.report_at(code, line, column, message, hint, severity=severity, fix=fix)

    def warn(
        self, code: str, path: Sequence[str | int], message: str, hint: str | None = None, *, key: bool = False
    ) -> None:
        self.report(code, path, message, hint, key=key, severity=Severity.WARNING)

    def report_at(
        self,
        code: str,
        line: int,
        column: int,
        message: str,
        hint: str | None = None,
        *,
        severity: Severity = Severity.ERROR,
        fix: tuple[str, str] | None = None,
    ) -> None:
        line += self.first_line - 1
        self.problems.append(Problem(code, severity, self.name, line, column, message, hint, self.excerpt(line), fix))

    def excerpt(self, line: int) -> tuple[tuple[int, str], ...]:
        """The line and the one above it, cut to a width that fits a screen."""
        self._lines = self._lines or self.text.split("\n")
        wanted = [number for number in (line - 1, line) if 1 <= number <= len(self._lines)]
        return tuple((number, self._lines[number - 1].rstrip()[:200]) for number in wanted)

    def _inside(self, mark: Mark, offset: int) -> tuple[int, int]:
        if mark.style in {"'", '"'}:
            return mark.line, mark.column + 1 + offset
        if mark.style in {"|", ">"}:
            return mark.line + 1, 1
        return mark.line, mark.column + offset

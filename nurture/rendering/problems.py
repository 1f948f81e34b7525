"""What can be wrong with a template: an error that stops it, a problem that is listed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from nurture.errors import TemplateError

Severity = Literal["error", "warning"]

_LIQUID_FILTER = re.compile(r"\|\s*(\w+)\s*:\s*([^|}]*)")
_LIQUID_TAGS = {
    "elsif": "write {% elif ... %}",
    "unless": "write {% if not ... %}",
    "endunless": "write {% endif %}",
    "assign": "write {% set name = value %}",
    "capture": "write {% set name %}...{% endset %}",
    "case": "write {% if ... %}{% elif ... %}",
    "when": "write {% elif ... %}",
    "comment": "write {# ... #}",
    "render": 'write {% include "_parts/name.html" %}',
}


class CompileError(TemplateError):
    """A template cannot be compiled; `hint` says what to write instead."""

    def __init__(self, message: str, template: str, line: int | None = None, hint: str | None = None) -> None:
        place = f"{template}, line {line}" if line else template
        super().__init__(f"{place}: {message}" + (f"; {hint}" if hint else ""), template, line)
        self.bare = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """A finding in a template. `template` is the name without extension, `file` its path, `line` 1-based."""

    code: str
    severity: Severity
    template: str
    file: str
    line: int
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        tail = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}: {self.severity} {self.code} {self.message}{tail}"


def liquid_hint(tag: str) -> str | None:
    """What to write in Jinja where a tag is Liquid."""
    if found := _LIQUID_FILTER.search(tag):
        arguments = found[2].strip().rstrip("-").strip().replace('"', "'")
        return f"write `| {found[1]}({arguments})`: arguments of a filter go in parentheses"
    word = re.match(r"\{%[-+]?\s*(\w+)", tag)
    return _LIQUID_TAGS.get(word[1]) if word else None


def did_you_mean(name: str, known: list[str]) -> str | None:
    """The nearest known name as a hint."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean `{near[0]}`?" if near else None

"""What can be wrong with a template: an error that stops it, a problem that is listed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from nurture.errors import TemplateError

Severity = Literal["error", "warning"]

CODES = {
    "N450": "a template that cannot be compiled",
    "N451": "styles that depend on data, so that every mail is slow to make",
    "N452": "data that is used and not declared in needs",
    "N453": "data that may be missing and has no default",
    "N454": "data that is declared in needs and not used",
    "N455": "a name that is nothing",
    "N456": "styles that come out otherwise, for an example person, than if each mail were styled by itself",
    "N457": "a mail that cannot be made, or comes out wrong, for an example person",
    "N458": "a mail that cannot be made for contacts who could get it (--audience)",
    "N459": "a mail that comes out too long or too heavy for contacts who could get it (--audience)",
    "N551": "no subject in the template",
    "N552": "a subject too long for phones",
    "N553": "no preheader",
    "N554": "the document type is missing or in small letters",
    "N555": "an element that mail programs drop: script, form, iframe ...",
    "N556": "a picture without alt text",
    "N557": "an http:// address where https:// belongs",
    "N558": "a link or picture without an address of its own",
    "N559": "!important where it would beat dark and phone styles",
    "N560": "more than 102 KB of HTML: Gmail cuts the mail",
    "N561": "more than 60 KB of HTML",
    "N562": "something that many mail programs cannot show, so that content is lost",
    "N563": "a mail that does not say its language",
    "N564": "headings out of order",
    "N565": "a link whose text says nothing",
    "N566": "a layout table that is read out as a table",
    "N567": "text that is too small to read",
    "N568": "text with too little contrast to its ground",
    "N569": "a link that was never filled in",
    "N570": "links that count differently in the same mail",
    "N571": "a picture without width and height",
    "N572": "text with too little contrast in dark mode",
    "N573": "a picture that is not in email_templates/_assets",
    "N574": "a picture shown out of shape, or larger than is sharp",
    "N575": "a picture that weighs more than it should",
    "N576": "links, prices, codes or dates that the HTML and the text do not share",
    "N750": "no unsubscribe link in the HTML",
    "N751": "no unsubscribe link in the text",
    "N752": "no postal address in the HTML",
    "N753": "no postal address in the text",
}

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

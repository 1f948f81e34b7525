"""Check: everything that can be known to be wrong with files before they are applied, without a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nurture.domain.programme import MailKind, Programme
from nurture.language.compile import Compiled, compile_project
from nurture.language.problems import Problem, Severity, in_order
from nurture.rendering.problems import TemplateProblem
from nurture.rendering.renderer import Renderer


@dataclass(frozen=True, slots=True)
class Checked:
    """The problems of campaign files and templates together, in order of file and line.

    `templates_checked` is False when the campaign files have errors: who may be mailed what is not known then.
    """

    compiled: Compiled
    problems: tuple[Problem, ...]
    templates_checked: bool

    @property
    def errors(self) -> int:
        return sum(problem.is_error for problem in self.problems)


def check(sources: Mapping[str, str], *, templates: bool = True) -> Checked:
    """Compile the campaign files and every template. Raises nothing for what is wrong in a file."""
    compiled = compile_project(sources)
    if compiled.programme is None or not templates:
        return Checked(compiled, compiled.problems, templates_checked=False)
    renderer = files_renderer(sources, compiled.programme)
    found = renderer.check(transactional=only_transactional(compiled.programme))
    problems = [*compiled.problems, *(as_problem(problem, sources) for problem in found)]
    return Checked(compiled, in_order(problems), templates_checked=True)


def files_renderer(sources: Mapping[str, str], programme: Programme) -> Renderer:
    """The renderer of these sources, under the programme's policy."""
    return Renderer(
        sources,
        brand=programme.brand,
        postal_address=programme.postal_address,
        senders=programme.senders,
        topics=programme.topics,
        default_locale=programme.locale,
        default_zone=programme.zone,
        currency=programme.currency,
    )


def only_transactional(programme: Programme) -> frozenset[str]:
    """Templates that no marketing step sends."""
    sends = [send for campaign in programme.campaigns.values() for send in campaign.sends]
    marketing = {send.template for send in sends if send.kind is MailKind.MARKETING}
    return frozenset({send.template for send in sends} - marketing)


def as_problem(found: TemplateProblem, sources: Mapping[str, str]) -> Problem:
    """A finding in a template in the form of all others, with its line."""
    lines = sources.get(found.file, "").split("\n")
    numbers = [number for number in (found.line - 1, found.line) if 1 <= number <= len(lines)]
    excerpt = tuple((number, lines[number - 1].rstrip()[:200]) for number in numbers)
    text = excerpt[-1][1] if excerpt else ""
    column = len(text) - len(text.lstrip()) + 1
    severity = Severity(found.severity)
    return Problem(found.code, severity, found.file, found.line, column, found.message, found.hint, excerpt)

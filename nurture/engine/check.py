"""Check: everything that can be known to be wrong with files before they are applied, without a database."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nurture import __version__
from nurture.domain.programme import Programme
from nurture.domain.steps import MailKind
from nurture.engine.revisions import renderer_of
from nurture.language.compile import Compiled, compile_project
from nurture.language.problems import Problem, Severity, in_order
from nurture.language.source import TEMPLATES
from nurture.rendering.checks import check_template
from nurture.rendering.pictures import Pictures
from nurture.rendering.problems import TemplateProblem
from nurture.rendering.renderer import Renderer


@dataclass(frozen=True, slots=True)
class Checked:
    """The problems of campaign files and templates together, in order of file and line.

    `templates_checked` is False when the project file or the brand has errors: templates are judged by them. Where only
    a campaign has errors, what the law wants in a template is asked of those alone that a sound campaign sends.
    """

    compiled: Compiled
    problems: tuple[Problem, ...]
    templates_checked: bool
    renderer: Renderer | None = None

    @property
    def errors(self) -> int:
        return sum(problem.is_error for problem in self.problems)


# A template made of other templates, not only of layouts and parts: any of them may have changed.
_BORROWS = re.compile(r"""\{%-?\s*(include|import|from|extends)\s(?!\s*["']_)""")

UNREADABLE = "N450"  # a template that cannot be compiled; its front matter may be why, which has been told then

Known = dict[str, list[dict[str, Any]]]  # fingerprint of a template -> the problems found in it


def check(sources: Mapping[str, str], known: Known | None = None, pictures: Pictures | None = None) -> Checked:
    """Compile the campaign files and every template. Raises nothing for what is wrong in a file.

    `known` remembers the findings of earlier checks: templates that are as they were are not compiled again. It is
    brought up to date in place. `pictures` are the files its mails show; None if they are not known.
    """
    compiled = compile_project(sources)
    programme = compiled.programme or compiled.sketch
    if programme is None:
        return Checked(compiled, compiled.problems, templates_checked=False)
    renderer = renderer_of(sources, programme)
    whole = compiled.programme is not None
    found = _check_templates(renderer, sources, programme, {} if known is None else known, pictures, whole=whole)
    faulty = {problem.file for problem in compiled.problems if problem.is_error}
    found = [one for one in found if one.code != UNREADABLE or one.file not in faulty]
    problems = [*compiled.problems, *(as_problem(problem, sources) for problem in found)]
    return Checked(compiled, in_order(problems), templates_checked=True, renderer=renderer)


def _check_templates(
    renderer: Renderer,
    sources: Mapping[str, str],
    programme: Programme,
    known: Known,
    pictures: Pictures | None,
    *,
    whole: bool,
) -> list[TemplateProblem]:
    transactional = only_transactional(programme)
    if not whole:
        transactional |= frozenset(renderer.names()) - _sent(programme)
    parts = [f"{path}\0{text}" for path, text in sorted(sources.items()) if path.startswith(f"{TEMPLATES}_")]
    shared = fingerprint(
        repr((programme.brand, programme.postal_address, programme.locale, programme.zone, programme.currency)),
        repr(sorted(pictures.items()) if pictures is not None else None),
        *parts,
    )
    problems: list[TemplateProblem] = []
    current: Known = {}
    for name in renderer.names():
        own = [f"{path}\0{text}" for path, text in sources.items() if path.startswith(f"{TEMPLATES}{name}.")]
        if any(_BORROWS.search(text) for text in (*own, *parts)):
            own = [f"{path}\0{text}" for path, text in sources.items() if path.startswith(TEMPLATES)]
        key = fingerprint(shared, name, str(name in transactional), *sorted(own))
        found = _remembered(known.get(key))
        if found is None:
            found = check_template(renderer, name, marketing=name not in transactional, pictures=pictures)
        current[key] = [asdict(problem) for problem in found]
        problems += found
    known.clear()
    known.update(current)
    return problems


def fingerprint(*texts: str) -> str:
    """Names these texts and this version of ours."""
    return hashlib.sha256("\0\0".join((__version__, *texts)).encode("utf-8", "surrogatepass")).hexdigest()


def _remembered(findings: Any) -> list[TemplateProblem] | None:
    """Findings as they were kept; None if there are none, or if they are not readable any more."""
    try:
        return [TemplateProblem(**each) for each in findings] if isinstance(findings, list) else None
    except TypeError:
        return None


def only_transactional(programme: Programme) -> frozenset[str]:
    """Templates that no marketing step sends."""
    sends = [send for campaign in programme.campaigns.values() for send in campaign.sends]
    marketing = {send.template for send in sends if send.kind is MailKind.MARKETING}
    return frozenset({send.template for send in sends} - marketing)


def _sent(programme: Programme) -> frozenset[str]:
    return frozenset(send.template for campaign in programme.campaigns.values() for send in campaign.sends)


def as_problem(found: TemplateProblem, sources: Mapping[str, str]) -> Problem:
    """A finding in a template in the form of all others, with its line."""
    lines = sources.get(found.file, "").split("\n")
    numbers = [number for number in (found.line - 1, found.line) if 1 <= number <= len(lines)]
    excerpt = tuple((number, lines[number - 1].rstrip()[:200]) for number in numbers)
    text = excerpt[-1][1] if excerpt else ""
    column = len(text) - len(text.lstrip()) + 1
    severity = Severity(found.severity)
    return Problem(found.code, severity, found.file, found.line, column, found.message, found.hint, excerpt)

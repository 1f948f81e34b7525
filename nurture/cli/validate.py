"""`nurture validate`: every mistake in one run, each with its line and what to write instead. Offline."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.lazy import Command
from nurture.cli.output import Refused, bad, careful, current, faint, good, plural, say, show
from nurture.cli.session import json_option

if TYPE_CHECKING:
    from nurture.engine.check import Checked, Known
    from nurture.engine.everybody import Everybody
    from nurture.language.problems import Problem

NUL = "\0"
MEMORY = Path(".nurture/checked.json")  # templates take a while to compile, and seldom change


@click.command(cls=Command)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "github", "sarif"]), default="text", help="How to tell them."
)
@click.option("--fix", is_flag=True, help="Repair what can be repaired beyond doubt.")
@click.option("--explain", metavar="CODE", help="Tell what a code such as N620 means, and check nothing.")
@click.option("--audience", is_flag=True, help="Also make every live mail for each contact who could get it.")
@json_option
def validate(paths: tuple[str, ...], strict: bool, form: str, fix: bool, explain: str | None, audience: bool) -> None:
    """Find every mistake in the campaign files and templates.

    Everything is read, and problems are told for PATH only if one is given. Nothing leaves this machine and no database
    is needed, but for --audience, which reads it. Exits with 1 if there are errors.
    """
    if explain is not None:
        _explain(explain.upper())
        return
    from nurture.engine.check import check
    from nurture.language.source import read_project
    from nurture.rendering.pictures import pictures_in

    known = _recall()
    before = dict(known)
    sources = read_project(Path())
    pictures = pictures_in(Path())
    checked = check(sources, known, pictures)
    if fix and (repaired := repair(checked.problems)):
        say(f"Repaired {plural(repaired, 'line')}.")
        sources = read_project(Path())
        checked = check(sources, known, pictures)
    wrong, cuts = _proven(sources, checked, before, known)
    found = [*checked.problems, *wrong]
    everybody = None
    if audience and not checked.errors:
        from nurture.cli.audience import made_for_all

        everybody, unfit = made_for_all(current(), sources)
        found += unfit
    problems = _wanted(found, paths, sources)
    _remember(known)
    _tell(problems, "json" if current().json else form, len(sources), everybody, cuts)
    if audience and everybody is None:
        say(faint("No mail was made for the contacts: that comes once the files have no errors."))
    if not checked.templates_checked:
        say(faint("The templates are checked once the project file and the brand have no errors."))
    failed = any(problem.is_error for problem in problems) or (strict and problems)
    if failed:
        click.get_current_context().exit(1)


def _explain(code: str) -> None:
    from nurture.language.problems import CODES, FAMILIES
    from nurture.rendering.problems import CODES as TEMPLATE_CODES

    words = {**CODES, **TEMPLATE_CODES}.get(code)
    if words is None:
        raise click.UsageError(f"there is no code {code}; docs/language.md lists them all")
    found = {"code": code, "family": FAMILIES[code[:2]], "meaning": words}
    show(json.dumps({"ok": True, "data": found}) if current().json else f"{code}: {words} ({found['family']})")


def _proven(
    sources: Mapping[str, str], checked: Checked, before: Known, known: Known
) -> tuple[list[Problem], list[dict[str, Any]]]:
    """What only whole mails for example people show, and how inboxes cut them.

    Asked once nothing else is wrong, and while that holds once for the same files.
    """
    if checked.errors:
        return [], []
    from nurture.engine.check import as_problem, fingerprint
    from nurture.engine.proof import prove
    from nurture.engine.revisions import assemble
    from nurture.rendering.inbox_line import cut_by

    proof = f"proof {fingerprint(*(f'{path}{NUL}{text}' for path, text in sorted(sources.items())))}"
    if before.get(proof):
        known[proof] = before[proof]
        return [], before[proof]
    made = prove(assemble(sources, checked=checked), current().clock.now())
    cuts = [each.as_data() for each in cut_by(made.lines)]
    if not made.problems:
        known[proof] = cuts
    return [as_problem(one, sources) for one in made.problems], cuts


def _wanted(problems: Sequence[Problem], paths: tuple[str, ...], sources: Mapping[str, str]) -> list[Problem]:
    if not paths:
        return list(problems)
    here = Path.cwd()
    chosen = []
    for path in paths:
        name = Path(path)
        name = name.relative_to(here) if name.is_absolute() and name.is_relative_to(here) else name
        text = name.as_posix().removeprefix("./")
        if text != "." and not any(file == text or file.startswith(f"{text.rstrip('/')}/") for file in sources):
            raise click.UsageError(f"{path} is no file of this project; files stand in campaigns/ and email_templates/")
        chosen.append("" if text == "." else text.rstrip("/"))
    return [
        problem
        for problem in problems
        if any(not name or problem.file == name or problem.file.startswith(f"{name}/") for name in chosen)
    ]


def _tell(
    problems: list[Problem], form: str, files: int, everybody: Everybody | None, cuts: list[dict[str, Any]]
) -> None:
    from nurture import __version__
    from nurture.cli.audience import as_data, tell
    from nurture.language import printing

    match form:
        case "json":
            made = {"audience": as_data(everybody)} if everybody is not None else {}
            show(printing.as_json(problems, {"files": files, "inbox": cuts, **made}))
        case "github":
            if problems:
                show(printing.as_github(problems))
        case "sarif":
            show(printing.as_sarif(problems, __version__))
        case _:
            for problem in problems:
                show(_coloured(printing.problem_text(problem), problem))
            if everybody is not None:
                tell(everybody)
            for cut in cuts:
                if cut["subjects"]:
                    say(faint(cut["told"]))
            summary = printing.summary(problems, files=files)
            show(summary if problems else good(summary))


def _coloured(text: str, problem: Problem) -> str:
    head, _, rest = text.partition("\n")
    paint = bad if problem.is_error else careful
    mark = f"  {problem.severity} {problem.code}  "
    return head.replace(mark, paint(mark), 1) + (f"\n{rest}" if rest else "")


def _recall() -> Known:
    """What earlier runs found in templates; nothing if that cannot be read."""
    try:
        known = json.loads(MEMORY.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(known: Known) -> None:
    """Beside the schemas, if `init` has made that folder: a folder that may not be written is no reason to fail."""
    if MEMORY.parent.is_dir() and not MEMORY.is_symlink():
        with contextlib.suppress(OSError):
            MEMORY.write_text(json.dumps(known), encoding="utf-8")


def repair(problems: Sequence[Problem]) -> int:
    """Write the repairs that are beyond doubt into the files; how many lines were changed."""
    repaired = 0
    for problem in problems:
        if problem.fix is None:
            continue
        path = Path(problem.file)
        if path.is_symlink():
            raise Refused(f"{problem.file} is a link; repair the file it leads to by hand")
        lines = path.read_text(encoding="utf-8").split("\n")
        line = lines[problem.line - 1]
        start = line.find(problem.fix[0], max(problem.column - 2, 0))
        if start < 0:
            start = line.find(problem.fix[0])
        if start >= 0:
            lines[problem.line - 1] = line[:start] + problem.fix[1] + line[start + len(problem.fix[0]) :]
            path.write_text("\n".join(lines), encoding="utf-8")
            repaired += 1
    return repaired

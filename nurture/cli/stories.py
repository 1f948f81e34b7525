"""`nurture test`: the stories beside the campaigns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.lazy import Command
from nurture.cli.output import Refused, answer, bad, careful, faint, good, plural, printable, say, show
from nurture.cli.session import json_option

if TYPE_CHECKING:
    from nurture.engine.coverage import Coverage
    from nurture.engine.stories import StoryResult
    from nurture.language.stories import Story


@click.command(cls=Command)
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("-k", "chosen", metavar="EXPR", help="Only stories of which this holds, as 'cart and not bought'.")
@click.option("--coverage", "gaps", is_flag=True, help="Say which steps and branches no story comes through.")
@click.option("--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Fail below this coverage.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write JUnit XML.")
@click.option("--update", is_flag=True, help="Write what happened into the stories that fail, as what they expect.")
@json_option
def test(
    words: tuple[str, ...],
    chosen: str | None,
    gaps: bool,
    fail_under: float | None,
    junit: Path | None,
    update: bool,
) -> None:
    """Play the stories beside the campaigns.

    Each file in campaigns/tests tells what happens to an example person, and which mails must come of it. With a
    WORD, only stories whose name, campaign or file has it. Offline, on a virtual clock. Exits with 1 if one fails,
    or if the coverage is too low. Coverage counts every step and every way out of a branch, split or wait, in the
    campaigns of the stories told.
    """
    from nurture.engine.stories import covered, run_story
    from nurture.engine.story_mails import StoryMails
    from nurture.language.compile import compile_project
    from nurture.language.source import read_project

    sources = read_project(Path())
    compiled = compile_project(sources)
    if compiled.programme is None:
        raise Refused(f"The files have {plural(len(compiled.errors), 'error')}; see them with nurture validate.")
    wanted = [story for story in compiled.stories if _is_chosen(story, words, chosen)]
    mails = StoryMails(compiled, sources)
    results = [run_story(compiled, story, mails) for story in wanted]
    narrowed = {story.campaign for story in wanted} if words or chosen else None
    reach = covered(compiled, results, narrowed)
    failed = [result for result in results if not result.passed]
    if junit is not None:
        from nurture.cli.junit import as_junit

        junit.write_text(as_junit(results), encoding="utf-8")
    if update and failed:
        _update(sources, failed)
    low = fail_under is not None and reach.percent < fail_under
    unwritten = [result for result in failed if any(each.startswith("contains: ") for each in result.differences)]
    ok = not (unwritten if update else failed) and not low
    data: list[dict[str, Any]] | dict[str, Any] = [_plain(result) for result in results]
    if gaps or fail_under is not None:
        data = {"stories": data, "coverage": _plain_coverage(reach)}

    def tell() -> None:
        for result in results:
            _tell(result)
        if gaps or low:
            for gap in reach.gaps:
                show(careful(printable(gap)))
        told = f"{plural(len(results), 'story', 'stories')} told, {len(failed)} failed"
        told += ", and expect now what happened" if update and failed else ""
        if update and unwritten:
            told += f"; what {plural(len(unwritten), 'mail')} should say is yours to write"
        show(
            (bad if (unwritten if update else failed) else good)(told + ".")
            + (f" {_share(reach)}" if reach.total else "")
        )
        if low:
            show(bad(f"That is below {fail_under:g} %."))

    answer(data, tell, ok=ok)
    if not ok:
        click.get_current_context().exit(1)


def _is_chosen(story: Story, words: tuple[str, ...], expression: str | None) -> bool:
    text = f"{story.name} {story.campaign} {story.file}"
    if words and not any(word in text for word in words):
        return False
    if expression is None:
        return True
    return any(all(_says(part, text) for part in re.split(r"\s+and\s+", one)) for one in _either(expression))


def _either(expression: str) -> list[str]:
    """The parts between `or`. Raises a usage error for an expression without words."""
    parts = [part.strip() for part in re.split(r"\s+or\s+", expression)]
    if not all(parts) or re.search(r"(^|\s)(and|or|not)$|^(and|or)\s|[()]", expression.strip()):
        raise click.UsageError(f"-k takes words with and, or, not between them, not {expression!r}")
    return parts


def _says(part: str, text: str) -> bool:
    found = re.fullmatch(r"(not\s+)?(.+)", part.strip(), re.DOTALL)
    assert found is not None
    return (found[2].casefold() in text.casefold()) is (found[1] is None)


def _tell(result: StoryResult) -> None:
    name = f"{result.story.campaign}: {printable(result.story.name)}"
    if result.passed:
        say(f"{good('passes')}  {name}")
        return
    show(f"{bad('fails')}   {name}  {faint(result.story.file)}:{result.story.line}")
    for text in result.differences:
        show(f"    {printable(text)}")
    for number, text in enumerate(result.timeline):
        marked = number == result.marked
        show(bad(f"  > {printable(text)}") if marked else f"    {printable(text)}")


def _share(reach: Coverage) -> str:
    reached = reach.total - len(reach.gaps)
    told = f"Coverage {_percent(reach)} %: {reached} of {plural(reach.total, 'step and branch', 'steps and branches')}."
    return told + (faint(" See the others with --coverage.") if reach.gaps else "")


def _percent(reach: Coverage) -> str:
    """Never rounded up to 100."""
    return f"{int(reach.percent * 10) / 10:g}"


def _plain(result: StoryResult) -> dict[str, Any]:
    return {
        "test": result.story.name,
        "campaign": result.story.campaign,
        "file": result.story.file,
        "passed": result.passed,
        "differences": result.differences,
        "timeline": result.timeline,
        "marked": result.marked,
    }


def _plain_coverage(reach: Coverage) -> dict[str, Any]:
    return {
        "percent": round(reach.percent, 2),
        "total": reach.total,
        "never_reached": [
            {
                "campaign": gap.spot.campaign,
                "step": gap.spot.step,
                "branch": gap.spot.way or None,
                "file": gap.file,
                "line": gap.line,
            }
            for gap in reach.gaps
        ],
    }


def _update(sources: dict[str, str], failed: list[StoryResult]) -> None:
    from nurture.language.rewriting import expecting

    for result in failed:
        text = expecting(sources[result.story.file], result.got)
        Path(result.story.file).write_text(text, encoding="utf-8")

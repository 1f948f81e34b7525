"""`nurture test`: the stories beside the campaigns."""

from __future__ import annotations

import click

from nurture.cli.lazy import Command
from nurture.cli.output import Refused, answer, bad, faint, good, plural, printable, say, show
from nurture.cli.session import json_option


@click.command(cls=Command)
@click.argument("words", nargs=-1, metavar="[WORD]...")
@json_option
def test(words: tuple[str, ...]) -> None:
    """Play the stories beside the campaigns.

    Each file in campaigns/tests tells what happens to an example person, and which mails must come of it. With a
    WORD, only stories whose name, campaign or file has it. Offline, on a virtual clock. Exits with 1 if one fails.
    """
    from pathlib import Path

    from nurture.engine.stories import run_story
    from nurture.language.compile import compile_project
    from nurture.language.source import read_project

    compiled = compile_project(read_project(Path()))
    if compiled.programme is None:
        raise Refused(f"The files have {plural(len(compiled.errors), 'error')}; see them with nurture validate.")
    wanted = [
        story
        for story in compiled.stories
        if not words or any(word in f"{story.name} {story.campaign} {story.file}" for word in words)
    ]
    results = [run_story(compiled, story) for story in wanted]
    failed = [result for result in results if not result.passed]
    data = [
        {
            "test": result.story.name,
            "campaign": result.story.campaign,
            "file": result.story.file,
            "passed": result.passed,
            "differences": result.differences,
            "timeline": result.timeline,
        }
        for result in results
    ]

    def tell() -> None:
        for result in results:
            name = f"{result.story.campaign}: {printable(result.story.name)}"
            if result.passed:
                say(f"{good('passes')}  {name}")
                continue
            show(f"{bad('fails')}   {name}  {faint(result.story.file)}")
            for text in (*result.differences, *result.timeline):
                show(f"    {printable(text)}")
        told = f"{plural(len(results), 'story', 'stories')} told, {len(failed)} failed."
        show(bad(told) if failed else good(told))

    answer(data, tell, ok=not failed)
    if failed:
        click.get_current_context().exit(1)

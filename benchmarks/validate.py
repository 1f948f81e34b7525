"""How long the campaign files of a large project take to validate: the starter programme, copied until it is long."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.figures import Figure
from nurture.engine.check import check
from nurture.language.compile import compile_project
from nurture.language.source import read_project

ROOT = Path(__file__).parents[1]
LINES = 5_000


def measure(*, quick: bool = False) -> list[Figure]:
    cold, mails, warm = (
        statistics.median(times) for times in zip(*(_in_a_new_process() for _ in range(3)), strict=True)
    )
    return [
        Figure(f"validating {LINES:,} lines of campaign files", cold, "s", at_most=2),
        Figure("the same again in one process, as an editor would", warm, "s"),
        Figure("validating the starter programme with all its mails", mails, "s"),
    ]


def _in_a_new_process() -> list[float]:
    """What is read once is remembered, so that a first time is only to be had in a new process."""
    command = [sys.executable, "-m", "benchmarks.validate"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return [float(word) for word in done.stdout.split()]


def grown(starter: Mapping[str, str]) -> dict[str, str]:
    """The sources with copies of every campaign, under new names, until there are enough lines."""
    sources = dict(starter)
    campaigns = {name: text for name, text in sources.items() if "\ncampaign: " in text and name.count("/") == 1}
    copy = 0
    while sum(text.count("\n") for name, text in sources.items() if name.startswith("campaigns/")) < LINES:
        copy += 1
        for name, text in campaigns.items():
            sources[name.replace(".yaml", f"-{copy}.yaml")] = text.replace(
                "\ncampaign: ", f"\ncampaign: copy{copy}-", 1
            )
    return sources


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    starter = read_project(ROOT)
    sources = grown(starter)
    first = _seconds(lambda: compile_project(sources))
    assert compile_project(sources).errors == ()
    print(first, _seconds(lambda: check(starter)), _seconds(lambda: compile_project(sources)))

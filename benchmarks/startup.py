"""How long `nurture --help` takes, against Python doing nothing."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import Figure

RUNS = 15
COMMAND = Path(sys.executable).with_name("nurture")


def measure(*, quick: bool = False) -> list[Figure]:
    bare = _median_milliseconds([sys.executable, "-c", "pass"])
    nurture = _median_milliseconds([str(COMMAND), "--help"])
    return [
        Figure("bare Python, start to end", bare, "ms"),
        Figure("`nurture --help`, start to end", nurture, "ms", at_most=100, how="CPU of the process; median of 15"),
        Figure("`nurture --help` against bare Python", nurture / bare, "times", at_most=8),
    ]


def _median_milliseconds(command: list[str]) -> float:
    """Processor time of the whole process, the middle one of several runs; the first only warms the disk cache."""
    taken = []
    for _ in range(RUNS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return 1000 * statistics.median(taken[1:])

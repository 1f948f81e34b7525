"""`python -m benchmarks`: measure what has a limit, print it, write it to RESULTS.md. Exits with 1 beyond a limit."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from benchmarks import mails, simulate, startup, turns, validate
from benchmarks.figures import Figure

RESULTS = Path(__file__).with_name("RESULTS.md")
PEOPLE = 3_000


def main() -> int:
    figures: list[Figure] = []
    for measure in (startup.measure, validate.measure, mails.measure, _turns, simulate.measure):
        for figure in measure():
            print(f"{'' if figure.holds else 'OVER THE LIMIT  '}{figure.what}: {figure.shown}", flush=True)
            figures.append(figure)
    RESULTS.write_text(_page(figures), encoding="utf-8")
    broken = [figure for figure in figures if not figure.holds]
    print(f"{len(figures)} figures, {len(broken)} beyond their limit; written to benchmarks/RESULTS.md")
    return 1 if broken else 0


def _turns() -> list[Figure]:
    """Turns and mails on one SQLite file with durable commits, by the processor time of the thread that does them."""
    each = turns.measure(PEOPLE)
    mail = sum(each[f"later mail: {stage}"] for stage in ("claim", "gate", "outcome"))
    return [
        Figure("turns that enrol and plan, on SQLite", 1e6 / each["first turn"], "a second", at_least=300),
        Figure(
            "turns that plan the next mail, on SQLite", 1e6 / each["turn that plans a mail"], "a second", at_least=300
        ),
        Figure("mails claimed, gated and settled, on SQLite", 1e6 / mail, "a second", at_least=300),
    ]


def _page(figures: list[Figure]) -> str:
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    rows = [f"| {f.what} | {f.shown} | {f.limit} |" for f in figures]
    return "\n".join([
        "# Benchmarks",
        "",
        f"Medians of processor time, by `make bench`. {machine}.",
        "",
        "| what | measured | limit |",
        "| --- | ---: | --- |",
        *rows,
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

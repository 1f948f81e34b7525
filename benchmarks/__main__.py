"""`python -m benchmarks [--quick] [ROW ...]`: measure what has a goal, print it, write it to RESULTS.md.

Without names everything is measured, which takes more than an hour on two idle cores; what is measured is written at
once. `--quick` takes small numbers: it shows that the measurements work, not how fast anything is, and writes nothing.
Exits with 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable

from benchmarks import (
    audience,
    building,
    claims,
    imports,
    ingest,
    latency,
    lateness,
    memory,
    million,
    plan,
    results,
    signing,
    simulate,
    startup,
    studio,
    turns,
    validate,
    whole_path,
    workers,
)
from benchmarks.databases import KINDS, database
from benchmarks.figures import Figure

PARTS = ("claim", "load", "decide", "write")  # of a turn


def turns_per_second(*, quick: bool = False) -> list[Figure]:
    """From claim to effects, under the starter programme, by the processor time of the thread that does it."""
    people, rounds = (500, 1) if quick else (5_000, 3)
    figures = []
    for kind in KINDS:
        runs = []
        for _ in range(rounds):
            with database(kind) as (_, url):
                runs.append(turns.measure(people, url))
        wave = "turn that plans a mail"
        parts = {name: statistics.median(run[f"{wave}: {name}"] for run in runs) for name in PARTS}
        figures.append(
            Figure(
                f"turns that plan a mail, starter programme, {kind}",
                1e6 / statistics.median(run[wave] for run in runs), "a second", at_least=8000,
                how="CPU of the thread, batches as the daemon's; a turn: "
                + ", ".join(f"{name} {cost:.0f} us" for name, cost in parts.items()),
            )
        )  # fmt: skip
    return figures


ROWS: dict[str, Callable[..., list[Figure]]] = {
    "startup": startup.measure,
    "validate": validate.measure,
    "building": building.measure,
    "signing": signing.measure,
    "turns": turns_per_second,
    "simulate": simulate.measure,
    "whole-path": whole_path.measure,
    "million": million.measure,
    "workers": workers.measure,
    "links": latency.measure,
    "claims": claims.measure,
    "import": imports.measure,
    "events": ingest.measure,
    "memory": memory.measure,
    "plan": plan.measure,
    "audience": audience.measure,
    "lateness": lateness.measure,
    "studio": studio.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="small numbers; writes nothing")
    asked = parser.parse_args()
    if unknown := set(asked.rows) - ROWS.keys():
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode beside it
    figures = []
    for name in asked.rows or ROWS:
        measured = _measured(name, quick=asked.quick)
        figures += measured
        if not asked.quick:
            results.write({name: measured}, ROWS)
    missed = [figure for figure in figures if not figure.holds]
    print(f"{len(figures)} figures, {len(missed)} goals missed")
    return 1 if missed else 0


def _measured(name: str, *, quick: bool) -> list[Figure]:
    """The figures of one row; what fails is told, and does not take the others with it."""
    try:
        figures = ROWS[name](quick=quick)
    except Exception as error:  # noqa: BLE001 - any measurement may fail in any way
        told = " ".join(str(error).split())[-300:]
        figures = [Figure(name, None, "", how=f"not measured: {type(error).__name__}: {told}")]
    for figure in figures:
        print(f"{figure.what}: {figure.shown} {figure.verdict} {figure.against or figure.how}", flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())

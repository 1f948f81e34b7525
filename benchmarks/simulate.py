"""What a simulated turn costs: made-up people of the starter programme over a spring, in memory, on one core.

python -m benchmarks.simulate [PEOPLE [WORKERS]]   lives out that many and tells the time and the memory, too.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from nurture.domain.decide import decide
from nurture.domain.snapshot import Turn
from nurture.engine import simulate as world_module
from nurture.engine.simulation.report import Report
from nurture.engine.simulation.run import Part, Setting, made_up, simulate
from nurture.language.compile import compile_project
from nurture.language.source import read_project

ROOT = Path(__file__).parents[1]
BEGIN = datetime(2027, 3, 1, 6, tzinfo=UTC)
DAYS, PEOPLE, SEED = 90, 2000, 7


def prepared(people: int) -> tuple[Setting, list[Part]]:
    compiled = compile_project(read_project(ROOT))
    return made_up(compiled, people, SEED, BEGIN, BEGIN + timedelta(days=DAYS))


def lived(people: int, workers: int = 1) -> Report:
    return _live(*prepared(people), workers)


def _live(setting: Setting, parts: list[Part], workers: int = 1) -> Report:
    return simulate(setting, parts, source="benchmark", seed=SEED, workers=workers)


def measure(*, quick: bool = False) -> list[Figure]:
    lived(250)  # what is compiled at first use is
    setting, parts = prepared(PEOPLE)
    spent, report = min((_timed(setting, parts) for _ in range(1 if quick else 3)), key=lambda run: run[0])
    deciding = _deciding(*prepared(250))
    how = f"the project compiled before; {deciding:.0%} of it decisions, the rest what people do, the queue, the ledger"
    return [
        Figure("simulated turns, a core", report.turns / spent, "a second", at_least=20_000, how=how),
        Figure(
            "100,000 people for 90 days, simulated", 100_000 / PEOPLE * spent, "s of processor time", at_most=240,
            how=f"from {PEOPLE:,} people; two cores share it, so that it takes half as long",
        ),
    ]  # fmt: skip


def _timed(setting: Setting, parts: list[Part]) -> tuple[float, Report]:
    begun = time.process_time()
    report = _live(setting, parts)
    return time.process_time() - begun, report


def _deciding(setting: Setting, parts: list[Part]) -> float:
    """The part of the time that goes into `decide`, by looking at the clock around each."""
    spent = 0.0

    def watched(*arguments: Any) -> Turn:
        nonlocal spent
        begun = time.perf_counter()
        turn = decide(*arguments)
        spent += time.perf_counter() - begun
        return turn

    worlds: Any = world_module
    worlds.decide = watched
    try:
        begun = time.perf_counter()
        _live(setting, parts)
        return spent / (time.perf_counter() - begun)
    finally:
        worlds.decide = decide


def main(arguments: Sequence[str]) -> None:
    people, workers = (int(each) for each in [*arguments, "1"][:2]) if arguments else (PEOPLE, 1)
    begun, cpu = time.monotonic(), time.process_time()
    report = lived(people, workers)
    took, spent = time.monotonic() - begun, time.process_time() - cpu
    spent += sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    mine, theirs = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(f"{people:,} people, {workers} processes: {report.turns:,} turns, {report.mails:,} mails in {took:.1f} s")
    print(f"{spent:.1f} s of processor time, {report.turns / spent:,.0f} turns a second a core")
    print(f"memory at most {mine:.0f} MiB here, {theirs:.0f} MiB in each worker")


if __name__ == "__main__":
    main(sys.argv[1:])

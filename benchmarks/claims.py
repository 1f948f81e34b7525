"""What a turn, a claim, a gate and an outcome cost where five million people wait, against ten thousand."""

from __future__ import annotations

import time

from benchmarks.databases import KINDS, database
from benchmarks.figures import Figure
from benchmarks.populate import DUE, NOW, populate
from benchmarks.turns import ROOT, Days
from nurture.engine.revisions import assemble
from nurture.language.source import read_project
from nurture.storage import schema
from nurture.storage.database import Database


def measure(*, quick: bool = False) -> list[Figure]:
    many = 100_000 if quick else 5_000_000
    figures = []
    for kind in KINDS:
        few, lots = _each(kind, DUE), _each(kind, many)
        figures.append(
            Figure(
                f"a step at {many:,} enrolments with {DUE:,} due, against {DUE:,} enrolments, {kind}",
                lots / few, "times", at_most=3, against=f"{lots:,.0f} us against {few:,.0f} us",
                how="wall clock of all the database and the decisions do for one mail: turn, claim, gate, outcome",
            )
        )  # fmt: skip
    return figures


def _each(kind: str, people: int) -> float:
    """Microseconds of wall clock for one of those who are due."""
    with database(kind) as (_, url), Database(url, address_secret="benchmark") as base:
        schema.upgrade(base)
        populate(base, people, DUE)
        days = Days(base, assemble(read_project(ROOT), 1), people)
        days.now = NOW
        begun = time.perf_counter()
        days.turns("turn")
        days.mails("mail")
        return 1e6 * (time.perf_counter() - begun) / DUE

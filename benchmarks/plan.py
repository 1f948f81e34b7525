"""A plan over a million enrolments: everybody counted by step, and the next day played before and after the edit."""

from __future__ import annotations

import time

from benchmarks.databases import KINDS, database
from benchmarks.figures import Figure
from benchmarks.populate import CAMPAIGN, NOW, populate
from benchmarks.turns import ROOT
from nurture.engine.apply import InFlight, Planned, plan
from nurture.language.source import read_project
from nurture.storage import schema
from nurture.storage.database import Database
from nurture.storage.revisions import store_revision

PEOPLE = 1_000_000
SECONDS = 30


def measure(*, quick: bool = False) -> list[Figure]:
    people = 20_000 if quick else PEOPLE
    return [_figure(kind, people) for kind in KINDS]


def _figure(kind: str, people: int) -> Figure:
    with database(kind) as (_, url), Database(url, address_secret="benchmark") as opened:
        schema.upgrade(opened)
        sources = read_project(ROOT)
        opened.transact(lambda tx: store_revision(tx, sources, NOW, "benchmark"))
        populate(opened, people)
        begun = time.perf_counter()
        found = plan(opened, _edited(sources), NOW, InFlight.RESCHEDULE)
        taken = time.perf_counter() - begun
    foreseen = found.expected
    assert foreseen is not None
    return Figure(
        f"plan with {people:,} enrolments in flight, {kind}", taken, "s", at_most=SECONDS,
        against=f"{_inside(found):,} people counted, {foreseen.people:,} due within a day, {foreseen.played:,} played",
        how="wall clock; a wait and the caps changed, --in-flight reschedule, templates checked",
    )  # fmt: skip


def _edited(sources: dict[str, str]) -> dict[str, str]:
    """A wait that a million people stand in becomes longer, and a cap tighter."""
    path = f"campaigns/{CAMPAIGN}.yaml"
    project = "campaigns/_project.yaml"
    edited = {
        path: sources[path].replace("wait: 3 days", "wait: 4 days"),
        project: sources[project].replace("max: 3, per: 7 days", "max: 2, per: 7 days"),
    }
    return {**sources, **edited}


def _inside(found: Planned) -> int:
    return sum(people for steps in found.standing.values() for people in steps.values())

"""`nurture validate --audience`: every live mail of the starter programme for everybody who could get it."""

from __future__ import annotations

import time

from benchmarks.databases import KINDS, database
from benchmarks.figures import Figure
from benchmarks.populate import NOW, populate
from benchmarks.turns import ROOT
from nurture.engine.everybody import everybody
from nurture.engine.revisions import assemble
from nurture.language.source import read_project
from nurture.storage import schema
from nurture.storage.database import Database, Transaction
from nurture.storage.types import sql

PEOPLE = 100_000
SECONDS, PROCESSES = 60, 2


def measure(*, quick: bool = False) -> list[Figure]:
    people = 4_000 if quick else PEOPLE
    return [_figure(kind, people) for kind in KINDS]


def _name(tx: Transaction) -> None:
    """Thousands of first names, of different lengths, as real people have."""
    name = "substr('Maximiliana-Theodora', 1, CAST(3 + id % 18 AS int)) || (id % 101)"
    traits = f"""'{{"first_name": "' || {name} || '", "interest": "herbs"}}'"""
    as_json = f"CAST({traits} AS jsonb)" if tx.dialect == "postgresql" else traits
    tx.execute(sql(f"UPDATE contacts SET attributes = {as_json}"))


def _figure(kind: str, people: int) -> Figure:
    with database(kind) as (_, url), Database(url, address_secret="benchmark") as opened:
        schema.upgrade(opened)
        populate(opened, people)
        opened.transact(_name)
        applied = assemble(read_project(ROOT))
        begun = time.perf_counter()
        found = everybody(opened, applied, NOW, workers=PROCESSES)
        taken = time.perf_counter() - begun
    mails = sum(outcome.mails for outcome in found.outcomes.values())
    could = sum(outcome.mails > 0 for outcome in found.outcomes.values())
    return Figure(
        f"validate --audience, {people:,} contacts, {kind}", taken, "s", at_most=SECONDS,
        against=f"{mails:,} mails made of {could} steps",
        how=f"wall clock, {PROCESSES} processes and their start",
    )  # fmt: skip

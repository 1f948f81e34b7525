"""The whole way of a mail: due, turn, caps, render, tracked links, SMTP to a sink, durable gate and outcome.

Beside it, in the same rounds: a C program that sends constant bytes of the same size, and what others would use.
"""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks import peers, shop
from benchmarks.building import builder
from benchmarks.children import Ran, run
from benchmarks.databases import KINDS, database
from benchmarks.figures import Figure
from benchmarks.sink import PROGRAM_CORE, SMTP_SINK, SMTP_SOURCE, smtp_sink

SIZES = (("20-KB", shop.SMALL), ("58-KB", shop.LARGE))


@dataclass(slots=True)
class Cost:
    """Of one case in several rounds: microseconds of CPU and of wall clock a mail."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def add(self, mails: int, cpu: float, wall: float) -> None:
        self.cpu.append(1e6 * cpu / mails)
        self.wall.append(1e6 * wall / mails)

    def __str__(self) -> str:
        return f"{self.each:,.0f} us, {1e6 / statistics.median(self.wall):,.0f} mails/s"

    @property
    def each(self) -> float:
        return statistics.median(self.cpu)

    @property
    def lasting(self) -> float:
        return statistics.median(self.wall)


def measure(*, quick: bool = False) -> list[Figure]:
    mails, rounds = (2_000, 1) if quick else (20_000, 3)
    if SMTP_SINK is None or SMTP_SOURCE is None:
        return [Figure("whole path", None, "", how="smtp-sink and smtp-source (Postfix) are not installed")]
    figures: list[Figure] = []
    for shown, size in SIZES:
        length = len(builder(size)(1))
        cases = {
            "source": partial(_source, length),
            **{kind: partial(nurture, kind, size) for kind in KINDS},
            **{name: partial(peer, size) for name, peer in peers.installed().items()},
        }
        costs = {name: Cost() for name in cases}
        for _ in range(rounds):
            for name, case in cases.items():
                number = mails if name in {"source", *KINDS} else mails // 10
                costs[name].add(number, *case(number))
        figures += _compared(shown, costs)
        figures += [_where_it_goes(shown, kind, size, mails) for kind in KINDS]
    return figures


def _where_it_goes(shown: str, kind: str, size: int, mails: int) -> Figure:
    told = _told(kind, size, mails, "parts")
    return Figure(
        f"whole path, {shown} mails, {kind}: where the time goes", 1e6 * float(told["cpu"]) / mails, "us",
        against=str(told["parts"]), how="a run of its own, CPU of the thread around each part",
    )  # fmt: skip


def _compared(shown: str, costs: dict[str, Cost]) -> list[Figure]:
    source, figures = costs["source"], []
    for kind in KINDS:
        ours = costs[kind]
        figures.append(
            Figure(
                f"whole path, {shown} mails, {kind}: CPU against smtp-source",
                ours.each / source.each, "times", at_most=6, against=f"{ours} against {source}",
                how="one core, daemon's own parts, turns and all commits included; the database server's CPU not",
            )
        )  # fmt: skip
    ours = costs["SQLite"]
    for name, (limit, by, how) in peers.GOALS.items():
        what = f"whole path, {shown} mails, SQLite: {by} against {name}"
        if name not in costs:
            figures.append(Figure(what, None, "times", at_least=limit, how="not installed: make bench-peers"))
            continue
        theirs = costs[name]
        ratio = theirs.lasting / ours.lasting if by == "mails/s" else theirs.each / ours.each
        figures.append(Figure(what, ratio, "times", at_least=limit, against=f"{ours} against {theirs}", how=how))
    return figures


def _source(length: int, mails: int) -> tuple[float, float]:
    assert SMTP_SOURCE is not None
    with smtp_sink() as sink:
        ran = run(
            [SMTP_SOURCE, "-d", "-s", "20", "-m", str(mails), "-l", str(length), "-N", "-f", "hello@northwind.example",
             "-t", "contact@example.net", f"127.0.0.1:{sink.port}"], core=PROGRAM_CORE,
        )  # fmt: skip
    return ran.cpu, ran.wall


def nurture(kind: str, size: int, mails: int) -> tuple[float, float]:
    """(seconds of CPU, of wall clock) for so many mails, from a new database."""
    told = _told(kind, size, mails)
    return float(told["cpu"]), float(told["wall"])


def _told(kind: str, size: int, mails: int, *options: str) -> dict[str, Any]:
    with database(kind) as (folder, url), smtp_sink() as sink:
        app = shop.open_app(folder, url)
        shop.fill(app, mails, size)
        app.close()
        told = program([str(folder), url, str(sink.port), str(shop.CONNECTIONS), *options]).told
    assert told["mails"] == mails, f"{told['mails']} of {mails} mails were sent"
    return told


def program(arguments: list[str]) -> Ran:
    return run([sys.executable, "-m", "benchmarks.program", *arguments], core=PROGRAM_CORE)

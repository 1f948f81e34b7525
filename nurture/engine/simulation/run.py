"""A simulation from end to end, in one process or several: the same people in the same parts, so the same report.

People do not touch one another, so they are lived out in parts of `PART` people; how many processes share the parts
changes nothing but the time it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing import get_context

from nurture.domain.programme import Cap, Programme
from nurture.engine.simulation.lives import counted, lives_of
from nurture.engine.simulation.population import Population
from nurture.engine.simulation.report import Asked, Report, report_of
from nurture.engine.simulation.tally import Tally
from nurture.errors import NurtureError
from nurture.language.behaviour import Behaviour
from nurture.language.compile import Compiled, compile_project

PART = 250
Progress = Callable[[int], None]


def unheard(_people: int) -> None:
    """Nobody listens to the progress."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every process needs to know to live out any part of a population. `caps` None are those of the project."""

    sources: Mapping[str, str]
    count: int
    seed: int
    begin: datetime
    end: datetime
    caps: tuple[Cap, ...] | None = None

    def population(self, compiled: Compiled) -> Population:
        programme, behaviour = ready(compiled)
        if self.caps is not None:
            programme = replace(programme, caps=self.caps)
        return Population(behaviour, programme, self.count, self.seed, self.begin, self.end)


def ready(compiled: Compiled) -> tuple[Programme, Behaviour]:
    """Raises NurtureError when the project has errors, or no behaviour."""
    if compiled.programme is None:
        raise NurtureError("The project has errors; run nurture validate, then simulate again.")
    if compiled.behaviour is None:
        raise NurtureError(
            "campaigns/behaviour.yaml is missing: it says who the people are and what they do. "
            "nurture init brings one along; nurture schema behaviour says what can stand in it."
        )
    return compiled.programme, compiled.behaviour


def simulate(
    job: Job, compiled: Compiled, *, workers: int = 1, limit: int | None = None, progress: Progress = unheard
) -> Report:
    """Live out a population. `progress` is told how many people are done. Raises NurtureError."""
    population = job.population(compiled)
    parts = [range(first, min(first + PART, job.count)) for first in range(0, job.count, PART)]
    tally = Tally()
    with _lived(job, population, min(workers, len(parts))) as live:
        for part in live(parts):
            tally.add(part)
            progress(tally.people)
    programme = population.programme
    asked = Asked(job.begin, job.end, programme.zone, f"{job.count:,} made-up people", job.seed, limit)
    return report_of(tally, programme, asked)


Parts = Callable[[list[range]], Iterator[Tally]]


@contextmanager
def _lived(job: Job, population: Population, workers: int) -> Iterator[Parts]:
    """A function from parts to their tallies, in order."""
    if workers <= 1:
        yield lambda parts: (_live(population, part) for part in parts)
        return
    context = get_context("spawn")  # a process that was forked would share locks with threads that are not there
    with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(job,)) as pool:
        yield lambda parts: _in_order(pool, parts, 4 * workers)


def _in_order(pool: ProcessPoolExecutor, parts: list[range], ahead: int) -> Iterator[Tally]:
    """Not all at once, so that finished parts do not pile up."""
    waiting: list[Future[Tally]] = []
    for part in parts:
        waiting.append(pool.submit(_work, part))
        if len(waiting) > ahead:
            yield waiting.pop(0).result()
    yield from (each.result() for each in waiting)


def _live(population: Population, part: range) -> Tally:
    return counted(lives_of(population, part), population.programme, population.begin, population.end)


_POPULATION: list[Population] = []  # of a worker process


def _begin(job: Job) -> None:
    _POPULATION[:] = [job.population(compile_project(job.sources))]


def _work(part: range) -> Tally:
    return _live(_POPULATION[0], part)

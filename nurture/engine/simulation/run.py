"""A simulation from end to end, in one process or several: the same people in the same parts, so the same report.

People do not touch one another, so they are lived out in parts; how many processes share the parts changes nothing but
the time it takes.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing import get_context
from typing import Protocol

from nurture.domain.programme import Cap, Programme
from nurture.engine.processes import in_order
from nurture.engine.simulation.lives import Lived, Lives, Render, counted
from nurture.engine.simulation.nature import Habits
from nurture.engine.simulation.population import Population
from nurture.engine.simulation.report import Asked, Report, report_of
from nurture.engine.simulation.tally import Tally
from nurture.errors import NurtureError
from nurture.language.behaviour import Behaviour
from nurture.language.compile import Compiled

PART = 250  # people
FEW = 2000  # people whom one process has lived out before another has started
SELDOM = (50_000, 20, 100)  # objects between two looks for garbage
Progress = Callable[[int], None]


class Someone(Protocol):
    """A person who brings along what happens to her."""

    def live(self, lives: Lives) -> Lived: ...


Part = range | Sequence[Someone]


@dataclass(frozen=True, slots=True)
class Setting:
    """What every part has in common. `population` makes people of numbers; `templates` are rendered, if given."""

    programme: Programme
    begin: datetime
    end: datetime
    population: Population | None = None
    templates: Mapping[str, str] | None = None

    def under(self, caps: tuple[Cap, ...]) -> Setting:
        """The same with other caps."""
        return replace(self, programme=replace(self.programme, caps=caps))


def unheard(_people: int) -> None:
    """Nobody listens to the progress."""


def made_up(compiled: Compiled, count: int, seed: int, begin: datetime, end: datetime) -> tuple[Setting, list[Part]]:
    """So many people who behave as the project's behaviour file says. Raises NurtureError when there is none."""
    programme, behaviour = _ready(compiled)
    setting = Setting(programme, begin, end, Population(behaviour, count, seed, begin, end))
    return setting, [range(first, min(first + PART, count)) for first in range(0, count, PART)]


def in_parts(people: Sequence[Someone]) -> list[Part]:
    return [people[first : first + PART] for first in range(0, len(people), PART)]


def _ready(compiled: Compiled) -> tuple[Programme, Behaviour]:
    if compiled.programme is None:
        raise NurtureError("The project has errors; run nurture validate, then simulate again.")
    if compiled.behaviour is None:
        raise NurtureError(
            "campaigns/behaviour.yaml is missing: it says who the people are and what they do. "
            "nurture init writes one; docs/simulation.md says what can stand in it."
        )
    return compiled.programme, compiled.behaviour


def simulate(
    setting: Setting,
    parts: Sequence[Part],
    *,
    source: str,
    seed: int | None = None,
    workers: int = 1,
    limit: int | None = None,
    progress: Progress = unheard,
) -> Report:
    """Live out all parts and report. `source` says who the people are, `progress` is told how many are done."""
    tally = Tally()
    with _seldom_collecting(), _living(setting, min(workers, len(parts))) as live:
        for part in live(parts):
            tally.add(part)
            progress(tally.people)
    asked = Asked(setting.begin, setting.end, setting.programme.zone, source, seed, limit)
    return report_of(tally, setting.programme, asked)


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Worlds are many, small and short-lived: looking for garbage after every few of their objects is in vain."""
    usual = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


Living = Callable[[Iterable[Part]], Iterator[Tally]]


@contextmanager
def _living(setting: Setting, workers: int) -> Iterator[Living]:
    """A function from parts to their tallies, in order."""
    if workers <= 1:
        live = _liver(setting)
        yield lambda parts: map(live, parts)
        return
    context = get_context("spawn")  # a process that was forked would share locks with threads that are not there
    with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(setting,)) as pool:
        yield lambda parts: in_order(pool, _work, parts, 4 * workers)


def _liver(setting: Setting) -> Callable[[Part], Tally]:
    lives = Lives(setting.programme, setting.end, _render(setting))
    people = setting.population
    habits = Habits.of(people.behaviour, setting.programme, setting.begin, setting.end) if people is not None else None

    def lived(part: Part) -> Iterator[Lived]:
        for each in part:
            if not isinstance(each, int):
                yield each.live(lives)
            elif people is not None and habits is not None:
                yield lives.of(people.person(each), habits)

    return lambda part: counted(lived(part), setting.programme, setting.begin, setting.end)


def _render(setting: Setting) -> Render | None:
    if setting.templates is None:
        return None
    from nurture.engine.simulation.rendered import rendering

    return rendering(setting.programme, setting.templates)


_LIVE: list[Callable[[Part], Tally]] = []  # of a worker process


def _begin(setting: Setting) -> None:
    gc.set_threshold(*SELDOM)
    _LIVE[:] = [_liver(setting)]


def _work(part: Part) -> Tally:
    return _LIVE[0](part)

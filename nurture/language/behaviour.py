"""How made-up people behave, as values: who they are, what they do of their own accord, and what a mail makes them do.

Nothing here draws: the simulator does, from a seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time, timedelta

from nurture.domain.contact import Consent
from nurture.domain.timing import Duration, Hours
from nurture.language.behaviour_file import (
    ArrivalRule,
    BehaviourFile,
    DoesRule,
    FollowRule,
    PastRule,
    ResponseRule,
    SeasonsRule,
)
from nurture.language.behaviour_values import Mapped, ValueReader, Weighted
from nurture.language.names import Path, Scope
from nurture.language.values import Rate

EVERY = "*"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class PerStage:
    """A number for each lifecycle stage, and one for all others."""

    stages: Mapping[str, float]
    other: float

    def of(self, stage: str | None) -> float:
        return self.stages.get(stage or "", self.other)


@dataclass(frozen=True, slots=True)
class Follow:
    """What may come of an event, `after` to `within` later."""

    event: str
    chance: PerStage
    after: timedelta
    within: timedelta
    values: Mapped
    then: tuple[Follow, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """What people of `stages` (None: all) did before."""

    event: str
    stages: frozenset[str] | None
    chance: float
    times: tuple[int, int]
    within: timedelta
    values: Mapped


@dataclass(frozen=True, slots=True)
class Does:
    """Something done of people's own accord; `rate` is times a day for the average person."""

    event: str
    rate: PerStage
    values: Mapped
    then: tuple[Follow, ...]


@dataclass(frozen=True, slots=True)
class Response:
    """What a mail makes people do. `mails` are campaigns, `campaign/step`s and `*`; `categories` of mails."""

    mails: frozenset[str]
    categories: frozenset[str]
    tiring: float
    follow: Follow

    def answers(self, campaign: str, step: str, category: str | None) -> bool:
        return bool(self.mails & {EVERY, campaign, f"{campaign}/{step}"}) or category in self.categories


@dataclass(frozen=True, slots=True)
class Seasons:
    """Factors by month, weekday (Monday first) and hour. Those of days and hours have a mean of 1."""

    months: tuple[float, ...] = (1.0,) * 12
    days: tuple[float, ...] = (1.0,) * 7
    hours: tuple[float, ...] = (1.0,) * 24


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A behaviour file. `arrivals` draws a Follow; None when nobody comes. `arriving` is a share of all people."""

    stages: Weighted
    consent: Weighted
    zones: Weighted | None = None
    locales: Weighted | None = None
    attributes: Mapped = field(default_factory=Mapped)
    history: tuple[Past, ...] = ()
    arriving: float = 0.0
    arrivals: Weighted | None = None
    seasons: Seasons = field(default_factory=Seasons)
    does: tuple[Does, ...] = ()
    responses: tuple[Response, ...] = ()
    churn: PerStage = field(default_factory=lambda: PerStage({}, 0.0))


def compile_behaviour(rule: BehaviourFile, scope: Scope) -> Behaviour:
    """The file as values; what is wrong is reported to the scope's file."""
    return _Compiler(rule, scope).compile()


class _Compiler:
    def __init__(self, rule: BehaviourFile, scope: Scope) -> None:
        self._rule, self._scope = rule, scope
        self._values = ValueReader(scope, rule.values)
        self._open: list[str] = []  # the chains that are being read, so that a circle is seen

    def compile(self) -> Behaviour:
        rule, people = self._rule, self._rule.people
        for name in rule.values:
            self._values.mapping(rule.values[name], ("values", name))
        for name in rule.chains:
            self._chain(name, ("chains", name))
        consent = {Consent(name): share for name, share in people.consent.items()}
        return Behaviour(
            stages=Weighted.of(self._staged(people.stages, ("people", "stages"))),
            consent=Weighted.of(consent or {Consent.GRANTED: 1.0}),
            zones=Weighted.of(people.zones) if people.zones else None,
            locales=Weighted.of(people.locales) if people.locales else None,
            attributes=self._values.mapping(people.attributes, ("people", "attributes")),
            history=tuple(self._past(each, ("people", "history", i)) for i, each in enumerate(people.history)),
            arriving=rule.arrivals.share if rule.arrivals is not None else 0.0,
            arrivals=self._arrivals(rule.arrivals.by) if rule.arrivals is not None else None,
            seasons=self._seasons(rule.seasons),
            does=tuple(self._does(each, ("does", i)) for i, each in enumerate(rule.does)),
            responses=tuple(self._response(each, ("responses", i)) for i, each in enumerate(rule.responses)),
            churn=self._rates(rule.churn, ("churn",)),
        )

    def _past(self, rule: PastRule, path: Path) -> Past:
        stages = self._scope.stages(rule.stages, (*path, "stages")) if rule.stages is not None else None
        return Past(
            self._scope.event(rule.event, (*path, "event")),
            stages,
            rule.chance,
            rule.times,
            rule.within.approximate,
            self._values.mapping(rule.values, (*path, "with")),
        )

    def _arrivals(self, by: Sequence[ArrivalRule]) -> Weighted:
        follows = []
        for index, each in enumerate(by):
            path: Path = ("arrivals", "by", index)
            event, values = self._scope.event(each.event, (*path, "event")), (*path, "with")
            then = self._follows(each.then, (*path, "then"))
            at_once = timedelta()
            always = PerStage({}, 1.0)
            follows.append(Follow(event, always, at_once, at_once, self._values.mapping(each.values, values), then))
        weights = Weighted.of({index: each.share for index, each in enumerate(by)})
        return Weighted(tuple(follows), weights.bounds)

    def _does(self, rule: DoesRule, path: Path) -> Does:
        return Does(
            event=self._scope.event(rule.event, (*path, "event")),
            rate=self._rates(rule.rate, (*path, "rate")),
            values=self._values.mapping(rule.values, (*path, "with")),
            then=self._follows(rule.then, (*path, "then")),
        )

    def _response(self, rule: ResponseRule, path: Path) -> Response:
        mails, categories = set(), set()
        for index, to in enumerate(rule.to):
            word, colon, category = (part.strip() for part in to.partition(":"))
            if colon and word == "category":
                categories.add(category)
                self._scope.among(category, self._scope.known.categories, (*path, "to", index), "N206", "category")
                continue
            mails.add(to)
            if to != EVERY:
                self._check_mail(to, (*path, "to", index))
        return Response(frozenset(mails), frozenset(categories), rule.tiring, self._follow(rule, path))

    def _check_mail(self, name: str, path: Path) -> None:
        campaign, slash, step = name.partition("/")
        self._scope.campaign_named(campaign, path)
        steps = self._scope.known.steps.get(campaign)
        if slash and steps is not None and self._scope.known.complete:
            self._scope.among(step, steps, path, "N208", "step")

    def _follows(self, then: Sequence[FollowRule] | str, path: Path) -> tuple[Follow, ...]:
        if not isinstance(then, str):
            return tuple(self._follow(each, (*path, index)) for index, each in enumerate(then))
        self._scope.among(then, self._rule.chains, path, "N106", "chain")
        return self._chain(then, path)

    def _chain(self, name: str, path: Path) -> tuple[Follow, ...]:
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name) :], name])
            self._scope.file.report("N213", path, f"chains lead to each other in a circle: {circle}")
            return ()
        self._open.append(name)
        found = self._follows(self._rule.chains.get(name, ()), ("chains", name))
        self._open.pop()
        return found

    def _follow(self, rule: FollowRule | ResponseRule, path: Path) -> Follow:
        after, within = _span(rule.after), _span(rule.within)
        if after >= within:
            message = f"after {rule.after} is not before within {rule.within}"
            hint = "both count from what it follows; make within the longer one"
            self._scope.file.report("N619", (*path, "within"), message, hint)
        return Follow(
            event=self._scope.event(rule.event, (*path, "event")),
            chance=self._per_stage(rule.chance, (*path, "chance")),
            after=after,
            within=within,
            values=self._values.mapping(rule.values, (*path, "with")),
            then=self._follows(rule.then, (*path, "then")),
        )

    def _seasons(self, rule: SeasonsRule) -> Seasons:
        hours = [_hour_factor(rule.hours, hour) for hour in range(24)]
        days = [dict(rule.days).get(day, 1.0) for day in DAYS]  # type: ignore[call-overload]
        for name, factors in (("hours", hours), ("days", days)):
            if not sum(factors):
                message = f"in these {name} nothing is ever done"
                self._scope.file.report("N619", ("seasons", name), message, "give one of them a factor above 0")
        months = tuple(dict(rule.months).get(month, 1.0) for month in MONTHS)  # type: ignore[call-overload]
        return Seasons(months, _with_mean_one(days), _with_mean_one(hours))

    def _staged(self, numbers: Mapping[str, float], path: Path) -> dict[str, float]:
        """With stages in place of their aliases."""
        found: dict[str, float] = {}
        known = self._scope.known.stages
        for name, number in numbers.items():
            self._scope.among(name, known, (*path, name), "N202", "stage", key=True)
            stage = (known or {}).get(name, name)
            found[stage] = found.get(stage, 0.0) + number
        return found

    def _per_stage(self, numbers: Mapping[str, float], path: Path) -> PerStage:
        named = {name: number for name, number in numbers.items() if name != EVERY}
        return PerStage(self._staged(named, path), numbers.get(EVERY, 0.0))

    def _rates(self, rates: Mapping[str, Rate], path: Path) -> PerStage:
        return self._per_stage({name: rate.a_day for name, rate in rates.items()}, path)


def _span(duration: Duration | None) -> timedelta:
    return duration.approximate if duration is not None else timedelta()


def _hour_factor(factors: Mapping[Hours, float], hour: int) -> float:
    return next((factor for hours, factor in factors.items() if hours.contains(time(hour, 30))), 1.0)


def _with_mean_one(factors: list[float]) -> tuple[float, ...]:
    mean = sum(factors) / len(factors) or 1.0
    return tuple(factor / mean for factor in factors)

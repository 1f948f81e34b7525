"""The report of a simulation: plain values, in a fixed order, for tables, JSON, CSV, pages and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from nurture.domain.programme import Programme
from nurture.domain.timing import zone_of
from nurture.engine.simulation.tally import Count, Tally


@dataclass(frozen=True, slots=True)
class Asked:
    """What was simulated. `limit` is the relay's mails a minute (None: not known), `seed` None: nothing was drawn."""

    begin: datetime
    end: datetime
    zone: str
    source: str
    seed: int | None = None
    limit: int | None = None

    @property
    def days(self) -> float:
        return (self.end - self.begin) / timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StageRow:
    """People in a stage on the first and the last day, and how often it was entered and left between."""

    stage: str
    before: int
    after: int
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class MoveRow:
    from_stage: str
    to_stage: str
    count: int


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """`enrolled` counts passages; `value` is that of goals, in the project's currency; `left` says how they ended."""

    campaign: str
    title: str
    enrolled: int
    held_out: int
    sent: int
    skipped: int
    postponed: int
    goals: int
    value: float
    left: dict[str, int]


@dataclass(frozen=True, slots=True)
class StepRow:
    """What became of one mail. `fates` are kinds of the ledger: sent, skipped, ghosted, expired, cancelled, ..."""

    campaign: str
    step: str
    fates: dict[str, int]


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """How often a mail was `skipped` or `postponed` for a reason."""

    what: str
    campaign: str
    step: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class StarvedRow:
    """How often mails of `campaign` were skipped or postponed because mails of `by` filled a cap."""

    campaign: str
    by: str
    skipped: int
    postponed: int


@dataclass(frozen=True, slots=True)
class CapRow:
    cap: str
    skipped: int
    postponed: int


@dataclass(frozen=True, slots=True)
class GrantRow:
    campaign: str
    offer: str
    tier: str
    count: int


@dataclass(frozen=True, slots=True)
class Peak:
    """The busiest minute (None when nothing was sent), and how many minutes were above the relay's limit."""

    at: datetime | None
    mails: int
    over_limit: int
    mails_over: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a simulation says.

    `days` are the mails of each campaign by day (in the project's zone), `hours` the mails by weekday (Monday first)
    and hour on people's own clocks. `weeks[n]` is how many weeks of a person had n marketing mails, `discounts[n]` how
    many people got n discount mails in all. `overlaps[a][b]` is how many people were in both campaigns at a time, on
    the diagonal: ever in it.
    """

    asked: Asked
    people: int
    arrived: int
    turns: int
    stages: tuple[StageRow, ...]
    moves: tuple[MoveRow, ...]
    events: dict[str, int]
    campaigns: tuple[CampaignRow, ...]
    steps: tuple[StepRow, ...]
    reasons: tuple[ReasonRow, ...]
    starved: tuple[StarvedRow, ...]
    caps: tuple[CapRow, ...]
    dates: tuple[date, ...]
    days: dict[str, tuple[int, ...]]
    hours: tuple[tuple[int, ...], ...]
    peak: Peak
    weeks: tuple[int, ...]
    discounts: tuple[int, ...]
    grants: tuple[GrantRow, ...]
    overlaps: dict[str, dict[str, int]]
    answers: dict[str, int]

    @property
    def mails(self) -> int:
        return sum(row.sent for row in self.campaigns)

    def as_data(self) -> dict[str, Any]:
        """Everything as plain data, for JSON."""
        return asdict(self)


def report_of(tally: Tally, programme: Programme, asked: Asked) -> Report:
    """The numbers put in order."""
    names = list(programme.campaigns)
    sent = _per_campaign(tally.steps, "sent")
    return Report(
        asked=asked,
        people=tally.people,
        arrived=tally.stages_before[""],
        turns=tally.turns,
        stages=tuple(_stages(tally, programme)),
        moves=tuple(MoveRow(one, two, count) for (one, two), count in _most(tally.moves)),
        events=dict(_most(tally.events)),
        campaigns=tuple(_campaign(tally, programme, name, sent) for name in names),
        steps=tuple(_steps(tally, programme)),
        reasons=tuple(
            ReasonRow(what, campaign, step, reason, count)
            for (what, campaign, step, reason), count in _most(tally.reasons)
        ),
        starved=tuple(_starved(tally.starved)),
        caps=tuple(
            CapRow(cap, tally.caps["skipped", cap], tally.caps["postponed", cap])
            for cap in dict.fromkeys([*map(str, programme.caps), *sorted(cap for _, cap in tally.caps)])
        ),
        dates=tuple(_dates(asked)),
        days={name: tuple(tally.days[day, name] for day in range(len(list(_dates(asked))))) for name in names},
        hours=tuple(tuple(tally.hours[day, hour] for hour in range(24)) for day in range(7)),
        peak=_peak(tally.minutes, asked),
        weeks=_dense(tally.weeks),
        discounts=_dense(tally.discounts),
        grants=tuple(GrantRow(campaign, offer, tier, count) for (campaign, offer, tier), count in _most(tally.grants)),
        overlaps={one: {two: tally.overlaps[min(one, two), max(one, two)] for two in names} for one in names},
        answers={_ANSWERS.get(name, name): count for name, count in _most(tally.answers)},
    )


def figures(report: Report) -> dict[str, float]:
    """The numbers that two simulations are compared by, each under the words it is told with."""
    weeks, skipped, postponed = sum(report.weeks) or 1, 0, 0
    for row in report.reasons:
        if row.reason == "cap":
            skipped += row.count if row.what == "skipped" else 0
            postponed += row.count if row.what == "postponed" else 0
    marketing = sum(number * count for number, count in enumerate(report.weeks))
    return {
        "mails": report.mails,
        "marketing mails a person a week": round(marketing / weeks, 4),
        "weeks without one": round(report.weeks[0] / weeks, 4) if report.weeks else 1.0,
        "weeks with 3 or more": round(sum(report.weeks[3:]) / weeks, 4),
        "skipped, cap full": skipped,
        "postponed, cap full": postponed,
        "discount mails": sum(number * count for number, count in enumerate(report.discounts)),
        "goals": sum(row.goals for row in report.campaigns),
        "value of goals": round(sum(row.value for row in report.campaigns), 2),
        "unsubscribed": report.answers.get("unsubscribed", 0),
        "complained": report.answers.get("complained", 0),
        "busiest minute": report.peak.mails,
        **{f"mails of {row.campaign}": row.sent for row in report.campaigns},
    }


def rows(report: Report) -> Iterator[tuple[str, str, str, float]]:
    """The whole report as lines of one table, for CSV: part, of what, which number, and the number."""
    for part in ("stages", "moves", "campaigns", "steps", "reasons", "starved", "caps", "grants"):
        for row in getattr(report, part):
            yield from _row(part, asdict(row))
    for campaign, counts in report.days.items():
        yield from (("days", campaign, f"{day}", count) for day, count in zip(report.dates, counts, strict=True))
    for weekday, hours in zip(WEEKDAYS, report.hours, strict=True):
        yield from (("hours", weekday, f"{hour:02d}", count) for hour, count in enumerate(hours))
    yield from (("weeks", f"{number} mails", "", count) for number, count in enumerate(report.weeks))
    yield from (("discounts", f"{number} mails", "", count) for number, count in enumerate(report.discounts))
    for one, others in report.overlaps.items():
        yield from (("overlaps", one, two, count) for two, count in others.items())
    yield from (("events", name, "", count) for name, count in report.events.items())
    yield from (("answers", name, "", count) for name, count in report.answers.items())
    yield from (("figures", name, "", number) for name, number in figures(report).items())


def _row(part: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str, str, float]]:
    of = "/".join(value for name, value in row.items() if isinstance(value, str) and name != "title")
    for name, value in row.items():
        if isinstance(value, dict):
            yield from ((part, of, f"{name}/{what}", count) for what, count in value.items())
        elif not isinstance(value, str):
            yield part, of, name, value


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ANSWERS = {"consent_withdrawn": "unsubscribed", "topic_opted_out": "left a topic"}


def _most(counts: Count) -> list[tuple[Any, int]]:
    """The most first, then by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _dense(counts: Count) -> tuple[int, ...]:
    return tuple(counts[number] for number in range(max(counts, default=-1) + 1))


def _per_campaign(steps: Count, what: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for (campaign, _, kind), count in steps.items():
        if kind == what:
            found[campaign] += count
    return found


def _stages(tally: Tally, programme: Programme) -> Iterator[StageRow]:
    for stage in programme.lifecycle.stages:
        moves = [(one, two, count) for (one, two), count in tally.moves.items() if one]
        yield StageRow(
            stage,
            tally.stages_before[stage],
            tally.stages_after[stage],
            sum(count for _, two, count in moves if two == stage),
            sum(count for one, _, count in moves if one == stage),
        )


def _campaign(tally: Tally, programme: Programme, name: str, sent: Counter[str]) -> CampaignRow:
    of = {what: count for (campaign, what), count in sorted(tally.campaigns.items()) if campaign == name}
    missed = {
        kind: sum(count for (what, campaign, *_), count in tally.reasons.items() if (what, campaign) == (kind, name))
        for kind in ("skipped", "postponed")
    }
    return CampaignRow(
        campaign=name,
        title=programme.campaigns[name].title,
        enrolled=of.get("enrolled", 0),
        held_out=of.get("held_out", 0),
        sent=sent[name],
        skipped=missed["skipped"],
        postponed=missed["postponed"],
        goals=of.get("goal", 0),
        value=tally.value[name] / 100,
        left={what.removeprefix("left:"): count for what, count in of.items() if what.startswith("left:")},
    )


def _steps(tally: Tally, programme: Programme) -> Iterator[StepRow]:
    for campaign in programme.campaigns.values():
        for send in campaign.sends:
            fates = {
                kind: count
                for (name, step, kind), count in sorted(tally.steps.items())
                if (name, step) == (campaign.name, send.id)
            }
            yield StepRow(campaign.name, send.id, fates)


def _starved(counts: Count) -> Iterator[StarvedRow]:
    pairs: Counter[tuple[str, str]] = Counter()
    for (_, campaign, by), count in counts.items():
        pairs[campaign, by] += count
    for (campaign, by), _ in _most(pairs):
        yield StarvedRow(campaign, by, counts["skipped", campaign, by], counts["postponed", campaign, by])


def _dates(asked: Asked) -> Iterator[date]:
    zone = zone_of(asked.zone)
    day, last = asked.begin.astimezone(zone).date(), asked.end.astimezone(zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _peak(minutes: Count, asked: Asked) -> Peak:
    if not minutes:
        return Peak(None, 0, 0, 0)
    minute, mails = max(minutes.items(), key=lambda item: (item[1], -item[0]))
    over = [count for count in minutes.values() if asked.limit is not None and count > asked.limit]
    too_many = sum(over) - len(over) * (asked.limit or 0)
    return Peak(asked.begin + timedelta(minutes=minute), mails, len(over), too_many)

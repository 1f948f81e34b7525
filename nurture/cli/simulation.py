"""`nurture simulate` for a population: how it is asked for, and how the answer is told."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from nurture.cli.output import Refused, answer, careful, faint, plural, printable, say, show, strong, table, when
from nurture.cli.progress import counting
from nurture.cli.session import Session
from nurture.cli.simulate import files_here, instant
from nurture.domain.programme import Cap, Programme
from nurture.domain.timing import zone_of
from nurture.engine.processes import cores
from nurture.engine.simulation.page import page
from nurture.engine.simulation.report import Report, figures, rows
from nurture.engine.simulation.run import FEW, Part, Setting, in_parts, made_up, simulate
from nurture.errors import ConfigurationError

SHOWN = 12
DAYS = 90
AFTERWARDS = timedelta(days=30)  # a replay goes on after its last event


@dataclass(frozen=True, slots=True)
class People:
    """Whom to simulate, and how to say who they are. `seed` None: nothing about them is drawn."""

    setting: Setting
    parts: list[Part]
    count: int
    told: str
    seed: int | None = None


def run(session: Session, options: Mapping[str, Any]) -> None:
    """Simulate, and tell."""
    people = _people(session, options)
    report = _report(session, options, people)
    other = None
    if options["caps"] is not None:
        setting = people.setting.under(_caps(options["caps"]))
        other = _report(session, options, replace(people, setting=setting))
    if options["html"] is not None:
        options["html"].write_text(page(report, other), encoding="utf-8")
    if options["as_csv"]:
        _print_csv(report, other)
        return
    data = {**report.as_data(), "figures": figures(report)}
    if other is not None:
        data["other"] = {**other.as_data(), "figures": figures(other)}
    answer(data, lambda: _tell(report, other, options["html"]))


def _report(session: Session, options: Mapping[str, Any], people: People) -> Report:
    workers = options["workers"] or (cores() if people.count > FEW else 1)
    limit = _limit(session, options)
    with counting(session, "simulating", people.count) as progress:
        return simulate(
            people.setting,
            people.parts,
            source=people.told,
            seed=people.seed,
            workers=workers,
            limit=limit,
            progress=progress,
        )


def _people(session: Session, options: Mapping[str, Any]) -> People:
    sources, compiled, programme = files_here()
    days = timedelta(days=options["days"] or DAYS)
    if options["replay"] is not None:
        found = _replayed(options["replay"], programme, days if options["days"] else None)
    elif options["from_database"]:
        found = _stored(session, sources, days)
    else:
        begin = instant(options["begin"], programme.zone) if options["begin"] else session.clock.now()
        count, seed = options["people"], options["seed"]
        setting, parts = made_up(compiled, count, seed, begin, begin + days)
        found = People(setting, parts, count, f"{count:,} made-up people", seed)
    if not options["render"]:
        return found
    return replace(found, setting=replace(found.setting, templates=sources))


def _replayed(path: Path, programme: Programme, days: timedelta | None) -> People:
    from nurture.engine.simulation.replay import read_replay

    with path.open(encoding="utf-8", errors="replace") as lines:
        replay = read_replay(lines, path.name)
    for error in replay.errors[:SHOWN]:
        say(careful(printable(error)))
    if len(replay.errors) > SHOWN:
        say(careful(f"and {plural(len(replay.errors) - SHOWN, 'more line')} that could not be read"))
    assert replay.begin is not None
    assert replay.end is not None
    end = replay.begin + days if days is not None else replay.end + AFTERWARDS
    count = len(replay.people)
    told = f"{plural(replay.events, 'event')} of {plural(count, 'person', 'people')} in {path.name}"
    return People(Setting(programme, replay.begin, end), in_parts(replay.people), count, told)


def _stored(session: Session, sources: Mapping[str, str], days: timedelta) -> People:
    from nurture.engine.simulation.stored import stored_people
    from nurture.language.compile import compile_project

    applied = session.applied()
    programme = compile_project(sources, previous=applied.programme).programme
    assert programme is not None  # it was compiled before
    now = session.clock.now()
    people = list(stored_people(session.database, programme, now))
    told = f"{plural(len(people), 'person', 'people')} of {session.database.name}"
    return People(Setting(programme, now, now + days), in_parts(people), len(people), told)


def _limit(session: Session, options: Mapping[str, Any]) -> int | None:
    if options["limit"] is not None:
        return int(options["limit"])
    try:
        return session.settings.mails_per_minute
    except ConfigurationError:  # a simulation needs no settings
        return None


def _caps(path: Path) -> tuple[Cap, ...]:
    """Raises Refused with what is wrong with the file."""
    from nurture.language.caps import read_caps

    caps, problems = read_caps(path.name, path.read_text(encoding="utf-8", errors="replace"))
    if caps is None:
        raise Refused("\n".join(f"{each.file}:{each.line}:{each.column}  {each.message}" for each in problems))
    return caps


def _print_csv(report: Report, other: Report | None) -> None:
    from nurture.intake.spreadsheet import safe_cell

    writer = csv.writer(sys.stdout, lineterminator="\n")
    if other is None:
        writer.writerow(("part", "of", "what", "number"))
        writer.writerows(map(safe_cell, row) for row in rows(report))
        return
    theirs = {line[:3]: line[3] for line in rows(other)}
    ours = {line[:3]: line[3] for line in rows(report)}
    writer.writerow(("part", "of", "what", "number", "other", "difference"))
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        one, two = ours.get(key, 0), theirs.get(key, 0)
        writer.writerow(map(safe_cell, (*key, one, two, round(two - one, 4))))


# --- the table -------------------------------------------------------------------------------------------------------


def _tell(report: Report, other: Report | None, html: Path | None) -> None:
    asked = report.asked
    show(strong(f"{asked.source}, {_day(asked.begin, asked.zone)} to {_day(asked.end, asked.zone)}"))
    show(f"{plural(report.turns, 'decision')}, {plural(report.mails, 'mail')}. Nothing was sent.")
    if other is not None:
        _tell_difference(report, other)
    _tell_stages(report)
    _tell_campaigns(report)
    _tell_load(report)
    _tell_pressure(report)
    _tell_kept_back(report)
    _tell_overlaps(report)
    say()
    if html is not None:
        say(f"The page with charts is {html}")
    else:
        say(faint("With charts: --html report.html. Every number: --csv or --json."))


def _day(at: datetime, zone: str) -> str:
    local = at.astimezone(zone_of(zone))
    return f"{local.day} {local:%b %Y}"


def _tell_difference(report: Report, other: Report) -> None:
    before, after = figures(report), figures(other)
    lines = [
        (name, f"{before[name]:,.10g}", f"{after[name]:,.10g}", f"{after[name] - before[name]:+,.4g}")
        for name in before
        if before[name] or after[name]
    ]
    show()
    show(table(("", "now", "other caps", "difference"), lines, frozenset({1, 2, 3})))


def _tell_stages(report: Report) -> None:
    lines = [(row.stage, row.before, row.after, row.entered, row.left) for row in report.stages]
    show()
    show(table(("stage", "first day", "last day", "came in", "went on"), lines, frozenset({1, 2, 3, 4})))
    if report.arrived:
        show(faint(f"{plural(report.arrived, 'person', 'people')} came in that time."))


def _tell_campaigns(report: Report) -> None:
    shown = sorted(report.campaigns, key=lambda row: (-row.sent, row.campaign))
    lines = [
        (row.campaign, row.enrolled, row.held_out, row.sent, row.skipped, row.postponed, row.goals)
        for row in shown
        if row.enrolled
    ]
    head = ("campaign", "entered", "held out", "sent", "skipped", "postponed", "goals")
    show()
    show(table(head, lines, frozenset(range(1, 7))))


def _tell_load(report: Report) -> None:
    peak, limit = report.peak, report.asked.limit
    show()
    if peak.at is None:
        show("No mail goes.")
        return
    allowed = f"; the relay takes {limit:,}" if limit is not None else ""
    show(f"Busiest minute: {plural(peak.mails, 'mail')}, {when(peak.at, report.asked.zone)}{allowed}.")
    if peak.over_limit:
        over = plural(peak.mails_over, "mail")
        show(f"In {plural(peak.over_limit, 'minute')} more is due than it takes: {over} wait for the next.")
    totals = [sum(column) for column in zip(*report.days.values(), strict=True)]
    busiest = max(range(len(totals)), key=totals.__getitem__)
    show(f"Busiest day: {plural(totals[busiest], 'mail')}, {report.dates[busiest]:%a %d %b %Y}.")
    by_hour = [sum(row[hour] for row in report.hours) for hour in range(24)]
    most = max(range(24), key=by_hour.__getitem__)
    share = 100 * by_hour[most] / max(sum(by_hour), 1)
    show(f"Busiest hour on people's clocks: {most:02d}:00, with {share:.0f} % of all mail.")


def _tell_pressure(report: Report) -> None:
    show()
    show(_shares("marketing mails a week", report.weeks))
    show(_shares("discount mails in all", report.discounts))
    if report.answers:
        show("Answers: " + ", ".join(f"{count:,} {name}" for name, count in report.answers.items()))


def _shares(what: str, counts: tuple[int, ...]) -> str:
    total = sum(counts) or 1
    return f"{what}: " + ", ".join(f"{number}: {100 * count / total:.1f} %" for number, count in enumerate(counts))


def _tell_kept_back(report: Report) -> None:
    if report.reasons:
        lines = [
            (row.what, f"{row.campaign}/{row.step}", row.reason.replace("_", " "), row.count)
            for row in report.reasons[:SHOWN]
        ]
        show()
        show(table(("kept back", "mail", "reason", "times"), lines, frozenset({3})))
    if report.starved:
        starved = [(row.campaign, row.by, row.skipped, row.postponed) for row in report.starved[:SHOWN]]
        show()
        show(table(("starved", "by mails of", "skipped", "postponed"), starved, frozenset({2, 3})))


def _tell_overlaps(report: Report) -> None:
    names = list(report.overlaps)
    pairs = sorted(
        (
            (-report.overlaps[one][two], one, two)
            for place, one in enumerate(names)
            for two in names[place + 1 :]
            if report.overlaps[one][two]
        ),
    )
    if pairs:
        show()
        lines = [(one, two, -count) for count, one, two in pairs[:SHOWN]]
        show(table(("in both at a time", "", "people"), lines, frozenset({2})))

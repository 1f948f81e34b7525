"""`nurture simulate` for a population: how it is asked for, and how the answer is told."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from nurture.cli.output import Refused, answer, faint, plural, say, show, strong, table
from nurture.cli.session import Session
from nurture.cli.simulate import compiled_here, instant
from nurture.domain.programme import Cap
from nurture.engine.simulation.page import page
from nurture.engine.simulation.report import Report, figures, rows
from nurture.engine.simulation.run import FEW, Job, cores, simulate
from nurture.errors import ConfigurationError

SHOWN = 12
DAYS = 90


def run(session: Session, options: Mapping[str, Any]) -> None:
    """Simulate, and tell."""
    caps = _caps(options["caps"]) if options["caps"] is not None else None
    report = _report(session, options, None)
    other = _report(session, options, caps) if caps is not None else None
    if options["html"] is not None:
        options["html"].write_text(page(report, other), encoding="utf-8")
    if options["as_csv"]:
        _print_csv(report, other)
        return
    data = {**report.as_data(), "figures": figures(report)}
    if other is not None:
        data["other"] = {**other.as_data(), "figures": figures(other)}
    answer(data, lambda: _tell(report, other, options["html"]))


def _report(session: Session, options: Mapping[str, Any], caps: tuple[Cap, ...] | None) -> Report:
    job = _job(session, options, caps)
    count = options["people"]
    workers = options["workers"] or (cores() if count > FEW else 1)
    with _progress(session, count) as progress:
        return simulate(job, workers=workers, limit=_limit(session, options), progress=progress)


def _job(session: Session, options: Mapping[str, Any], caps: tuple[Cap, ...] | None) -> Job:
    from nurture.language.source import read_project

    compiled, programme = compiled_here()
    begin = instant(options["begin"], programme.zone) if options["begin"] else session.clock.now()
    end = begin + timedelta(days=options["days"] or DAYS)
    return Job(read_project(Path()), options["people"], options["seed"], begin, end, caps)


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


@contextmanager
def _progress(session: Session, people: int) -> Iterator[Callable[[int], None]]:
    if session.quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TextColumn("people"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("people", total=people)
        yield lambda done: bar.update(task, completed=done)


def _print_csv(report: Report, other: Report | None) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if other is None:
        writer.writerow(("part", "of", "what", "number"))
        writer.writerows(rows(report))
        return
    theirs = {line[:3]: line[3] for line in rows(other)}
    ours = {line[:3]: line[3] for line in rows(report)}
    writer.writerow(("part", "of", "what", "number", "other", "difference"))
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        one, two = ours.get(key, 0), theirs.get(key, 0)
        writer.writerow((*key, one, two, round(two - one, 4)))


# --- the table -------------------------------------------------------------------------------------------------------


def _tell(report: Report, other: Report | None, html: Path | None) -> None:
    asked = report.asked
    show(strong(f"{asked.source}, {_day(asked.begin)} to {_day(asked.end)}"))
    show(f"{plural(report.turns, 'decision')}, {plural(report.mails, 'mail')}. Nothing was sent.")
    if other is not None:
        _tell_difference(report, other)
    _tell_stages(report)
    _tell_campaigns(report)
    _tell_load(report)
    _tell_pressure(report)
    _tell_kept_back(report)
    _tell_overlaps(report)
    if html is not None:
        say(f"The page with charts is {html}")
    else:
        say(faint("With charts: --html report.html. Every number: --csv or --json."))


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b %Y}"


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
    show(f"Busiest minute: {plural(peak.mails, 'mail')}, {peak.at:%a} {_day(peak.at)} {peak.at:%H:%M} UTC{allowed}.")
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

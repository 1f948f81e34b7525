"""`nurture simulate`: what would happen, before it happens to anybody: to one person, or to a hundred thousand."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.lazy import Command
from nurture.cli.output import Refused, answer, faint, plural, printable, say, show, strong
from nurture.cli.session import Session, json_option, pass_session
from nurture.cli.values import pairs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.domain.campaign import Campaign
    from nurture.domain.programme import Programme
    from nurture.engine.simulation.one_person import Told
    from nurture.language.compile import Compiled
    from nurture.language.people import Person

MOST = 2_000_000
GIVEN = click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)
MADE = click.Path(dir_okay=False, resolve_path=True, path_type=Path)


@click.command(cls=Command)
@click.argument("campaign", required=False)
@click.option("--as", "person", metavar="PERSON", help="An example person; the plainest who fits if not given.")
@click.option("--event", "events", multiple=True, metavar="NAME@WHEN",
              help="What happens to her on the way, as 'Order Completed@+3d'; may be repeated.")  # fmt: skip
@click.option("--with", "with_", multiple=True, metavar="NAME=VALUE",
              help="Data of her events, over her start data; may be repeated.")  # fmt: skip
@click.option("--people", type=click.IntRange(1, MOST), metavar="N", help="Simulate so many made-up people.")
@click.option("--replay", type=GIVEN, metavar="FILE",
              help="Simulate what really happened: events as JSON Lines.")  # fmt: skip
@click.option("--from-database", is_flag=True, help="Simulate the people of the database, under these files.")
@click.option("--from", "begin", metavar="INSTANT", help="When it begins, as 2026-10-24T20:00; now if not given.")
@click.option("--days", type=click.IntRange(1, 800), metavar="N",
              help="How long to watch: 90 days of a population, one person until the end, if not given.")  # fmt: skip
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed gives the same people.")
@click.option("--caps", type=GIVEN, metavar="FILE",
              help="Compare with the caps of this file: what if they were others?")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), metavar="N",
              help="Mails a minute the relay takes; the setting's if not given.")  # fmt: skip
@click.option("--render", is_flag=True, help="Build every mail, too, and say which could not be. Slow.")
@click.option("--workers", type=click.IntRange(1, 64), metavar="N", help="Processes; one a core if not given.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every number as CSV.")
@click.option("--html", type=MADE, metavar="FILE",
              help="Write a page with charts, which needs no other file.")  # fmt: skip
@json_option
@click.pass_context
@pass_session
def simulate(session: Session, ctx: click.Context, /, **options: Any) -> None:
    """Say what would happen, on a virtual clock.

    \b
    nurture simulate abandoned-cart --as ana --event 'Order Completed@+3d'
    nurture simulate --as ana --event 'Quote Requested@+1d'
    nurture simulate --people 100000 --days 90 --html report.html

    From the files of this folder, by the same decisions as the daemon's, with waits, quiet hours, caps and conditions.
    Nothing is sent and nothing is stored.

    One person: in a campaign, which she enters at the beginning, or in the whole programme, with the events given.
    A population: made-up people who behave as campaigns/behaviour.yaml says, people whose events are replayed, or
    those of the database and their future as it is planned.
    """  # noqa: D301 - click's own mark for lines that must not be wrapped
    ways = [name for name in ("people", "replay", "from_database") if options[name]]
    if len(ways) > 1:
        raise click.UsageError("--people, --replay and --from-database do not go together: choose one")
    _refuse_strangers(
        ctx, "campaign person events with_" if ways else "caps limit render workers as_csv html seed", ways
    )
    if ways:
        from nurture.cli.simulation import run

        run(session, options)
    else:
        _one_person(session, options)


def _refuse_strangers(ctx: click.Context, names: str, ways: list[str]) -> None:
    """An option that would change nothing was meant to change something."""
    for parameter in ctx.command.params:
        given = ctx.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
        if parameter.name in names.split() and given:
            about = "one person" if ways else "a population; add --people N"
            raise click.UsageError(f"{parameter.opts[0]} is about {about}")


def _one_person(session: Session, options: Mapping[str, Any]) -> None:
    from nurture.engine.simulation.one_person import entrance, imagine

    _, compiled, programme = files_here()
    wanted = _campaign(programme, options["campaign"]) if options["campaign"] else None
    if wanted is None and not options["events"]:
        raise click.UsageError("name a campaign, or what happens: --event 'Order Completed@+3d'; or --people N")
    who = _person(compiled, wanted, options["person"])
    zone = who.zone or programme.zone
    since = instant(options["begin"], zone) if options["begin"] is not None else session.clock.now()
    more = pairs(options["with_"], "--with")
    data = {**(who.start_data(wanted.name) if wanted is not None else who.start), **more}
    events = [_event(text, data, since, zone) for text in options["events"]]
    if wanted is not None:
        events.insert(0, entrance(wanted, who, since, more))
    until = since + timedelta(days=options["days"]) if options["days"] is not None else None
    imagined = imagine(programme, who, since, events, wanted, until)
    found = {
        "campaign": wanted.name if wanted is not None else None,
        "person": who.name,
        "zone": imagined.zone,
        "from": since,
        "timeline": imagined.text,
        "lines": [
            {"at": line.at, "verb": line.verb, "what": line.what, "why": line.why, "campaign": line.campaign}
            for line in imagined.lines
        ],
    }

    def told() -> None:
        show(strong(printable(imagined.title)))
        for line in imagined.text:
            show(printable(line))
        say(faint(f"As the files are now. Other people: {', '.join(compiled.people)}"))

    answer(found, told)


def files_here() -> tuple[dict[str, str], Compiled, Programme]:
    """The files of this folder, and what they compile to. Raises Refused when they have errors."""
    from nurture.language.compile import compile_project
    from nurture.language.source import read_project

    sources = read_project(Path())
    compiled = compile_project(sources)
    if compiled.programme is None:
        raise Refused(f"The files have {plural(len(compiled.errors), 'error')}; see them with nurture validate.")
    return sources, compiled, compiled.programme


def _campaign(programme: Programme, name: str) -> Campaign:
    found = programme.campaigns.get(name)
    if found is None:
        from nurture.engine.people import unknown_campaign

        raise unknown_campaign(programme, name, "in these files")
    return found


def _person(compiled: Compiled, campaign: Campaign | None, name: str | None) -> Person:
    people = compiled.people
    if name is not None and name in people:
        return people[name]
    if name is not None or not people:
        raise Refused(f"There is no example person {printable(name or '')}. There is {', '.join(people) or 'none'}.")
    wanted = campaign.name if campaign is not None else ""
    return min(people.values(), key=lambda one: (wanted not in one.starts, len(one.email), one.name))


def _event(text: str, data: Mapping[str, Any], since: datetime, zone: str) -> Told:
    from nurture.engine.simulation.one_person import Told
    from nurture.language.people import instant_of
    from nurture.language.values import parse_moment

    name, at, moment = text.rpartition("@")
    if not at or not name.strip():
        raise click.UsageError(f"--event is written NAME@WHEN, as in --event 'Order Completed@+3d'; this is {text!r}")
    try:
        when = instant_of(parse_moment(moment.strip()), since, zone)
    except ValueError as error:
        raise click.UsageError(f"--event {text!r}: {error}") from None
    if when < since:
        raise click.UsageError(f"--event {text!r} is before the beginning")
    return Told(when, name.strip(), dict(data))


def instant(text: str, zone: str) -> datetime:
    """What `--from` says, read in `zone` when it names none. Raises a usage error."""
    from nurture.language.values import parse_instant

    try:
        return parse_instant(text).at(zone)
    except ValueError as error:
        raise click.UsageError(f"--from {text!r}: {error}") from None

"""`nurture simulate`: what would happen to somebody, before it happens to anybody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from nurture.cli.lazy import Command
from nurture.cli.output import Refused, answer, faint, plural, printable, say, show, strong
from nurture.cli.session import Session, json_option, pass_session

if TYPE_CHECKING:
    from nurture.domain.programme import Campaign
    from nurture.language.compile import Compiled
    from nurture.language.people import Person
    from nurture.language.stories import StoryEvent


@click.command(cls=Command)
@click.argument("campaign")
@click.option("--as", "person", metavar="PERSON", help="An example person; the plainest who fits if not given.")
@click.option("--from", "begin", metavar="INSTANT", help="When it begins, as 2026-10-24T20:00; now if not given.")
@click.option("--days", type=click.IntRange(1, 800), help="How long to watch; until the end if not given.")
@click.option("--event", "events", multiple=True, metavar="NAME@WHEN",
              help="What happens on the way, as 'Order Completed@+3d'; may be repeated.")  # fmt: skip
@json_option
@pass_session
def simulate(
    session: Session, campaign: str, person: str | None, begin: str | None, days: int | None, events: tuple[str, ...]
) -> None:
    """Say what would happen to an example person in a campaign.

    From the files of this folder, on a virtual clock: the same decisions as the daemon's, with waits, quiet hours, caps
    and conditions. Events carry the person's start data of the campaign. Nothing is sent and nothing is stored.
    """
    from pathlib import Path

    from nurture.engine.stories import run_story
    from nurture.language.compile import compile_project
    from nurture.language.source import read_project
    from nurture.language.stories import Expectation, Story

    compiled = compile_project(read_project(Path()))
    if compiled.programme is None:
        raise Refused(f"The files have {plural(len(compiled.errors), 'error')}; see them with nurture validate.")
    wanted = _campaign(compiled, campaign)
    who = _person(compiled, campaign, person)
    zone = who.zone or compiled.programme.zone
    since = _instant(begin, zone) if begin is not None else session.clock.now()
    told = run_story(
        compiled,
        Story(
            name="simulation",
            campaign=campaign,
            person=who.name,
            from_instant=since,
            zone=zone,
            events=(_entrance(wanted, who, since), *(_event(text, who, campaign, since, zone) for text in events)),
            expect=Expectation(),
            until=since + timedelta(days=days) if days is not None else None,
        ),
    )
    title, *lines = told.timeline
    data = {"campaign": campaign, "person": who.name, "zone": zone, "from": since, "timeline": lines}

    def tell() -> None:
        show(strong(printable(title)))
        for line in lines:
            show(printable(line))
        say(faint(f"As the files are now. Other people: {', '.join(compiled.people)}"))

    answer(data, tell)


def _campaign(compiled: Compiled, name: str) -> Campaign:
    assert compiled.programme is not None
    found = compiled.programme.campaigns.get(name)
    if found is None:
        from nurture.engine.people import unknown_campaign

        raise unknown_campaign(compiled.programme, name, "in these files")
    return found


def _person(compiled: Compiled, campaign: str, name: str | None) -> Person:
    people = compiled.people
    if name is not None and name in people:
        return people[name]
    if name is not None or not people:
        raise Refused(f"There is no example person {printable(name or '')}. There is {', '.join(people) or 'none'}.")
    return min(people.values(), key=lambda one: (campaign not in one.starts, len(one.email), one.name))


def _entrance(campaign: Campaign, person: Person, at: datetime) -> StoryEvent:
    """Her way in: the event that starts the campaign, else by hand."""
    from nurture.domain.decide import ENROL
    from nurture.domain.programme import EventStart
    from nurture.language.stories import StoryEvent

    data = dict(person.start_data(campaign.name))
    if isinstance(campaign.start, EventStart):
        return StoryEvent(at, campaign.start.event, data)
    return StoryEvent(at, ENROL, {"campaign": campaign.name, "with": data})


def _event(text: str, person: Person, campaign: str, since: datetime, zone: str) -> StoryEvent:
    from nurture.language.people import instant_of
    from nurture.language.stories import StoryEvent
    from nurture.language.words import parse_moment

    name, at, moment = text.rpartition("@")
    if not at or not name.strip():
        raise click.UsageError(f"--event is written NAME@WHEN, as in --event 'Order Completed@+3d'; this is {text!r}")
    try:
        instant = instant_of(parse_moment(moment.strip()), since, zone)
    except ValueError as error:
        raise click.UsageError(f"--event {text!r}: {error}") from None
    if instant < since:
        raise click.UsageError(f"--event {text!r} is before the beginning")
    return StoryEvent(instant, name.strip(), dict(person.start_data(campaign)))


def _instant(text: str, zone: str) -> datetime:
    from nurture.language.words import parse_instant

    try:
        return parse_instant(text).at(zone)
    except ValueError as error:
        raise click.UsageError(f"--from {text!r}: {error}") from None

"""What one person would get: events on a line of time, and every mail and decision that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from nurture.domain.campaign import Campaign, EventStart, EventStop
from nurture.domain.programme import Programme
from nurture.domain.timing import zone_of
from nurture.engine.revisions import Applied
from nurture.engine.simulation.one_person import Imagined, Told, entrance, imagine, imagine_stored
from nurture.engine.simulation.stored import stored_person
from nurture.engine.timeline import Line
from nurture.errors import NurtureError
from nurture.language.people import Person, instant_of
from nurture.language.values import parse_instant, parse_moment
from nurture.web.studio.desk import Desk

MOST_EVENTS, MOST_LINES = 40, 400
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEFT, RIGHT, WIDTH = 24.0, 24.0, 1100.0
TRACKS = {"event": 46.0, "sends": 102.0, "other": 146.0}
SPANS = (1, 2, 7, 14, 30, 60, 90)  # days between two marks


@dataclass(frozen=True, slots=True)
class Asked:
    """The form as it was filled in. `events` are (name, when) as written."""

    person: str
    campaign: str
    begin: str
    events: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on the line of time. `number` is the place of its event in the form; `hours` how far it is in."""

    x: float
    y: float
    kind: str
    label: str
    told: str
    number: int | None = None
    hours: float = 0
    mail: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """`days` are (x, words) of the marks below; `per_hour` is how many pixels an hour has."""

    marks: tuple[Mark, ...]
    days: tuple[tuple[float, str], ...]
    per_hour: float
    width: float = WIDTH
    height: float = 204.0


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: when on her clock, what, and why."""

    when: str
    verb: str
    what: str
    why: str
    mail: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of it; `refused` says why nothing did."""

    imagined: Imagined | None = None
    picture: Picture | None = None
    rows: tuple[Row, ...] = ()
    since: datetime | None = None
    refused: str | None = None


def mount(router: APIRouter, desk: Desk) -> None:
    @router.get("/simulation")
    async def simulation(request: Request) -> Response:
        files = await desk.files()
        if files.applied is None:
            return desk.answer(request, "broken.html", files, at="simulation", title="Simulation")
        asked = _asked(request)
        seen = await desk.site.threads.run(_see, desk, files.applied, asked)
        programme = files.applied.programme
        return desk.answer(
            request,
            "simulation.html",
            files,
            at="simulation",
            title="Simulation",
            asked=asked,
            seen=seen,
            people=sorted(files.applied.compiled.people),
            campaigns=list(programme.campaigns),
            known=heard_of(programme),
            has_database=await desk.site.threads.run(desk.workshop.database) is not None,
        )


def _asked(request: Request) -> Asked:
    given = request.query_params
    events = zip(given.getlist("event"), given.getlist("at"), strict=False)
    return Asked(
        given.get("as", "").strip()[:320],
        given.get("campaign", "").strip()[:200],
        given.get("from", "").strip()[:40],
        tuple((name.strip()[:200], at.strip()[:40] or "+0h") for name, at in events if name.strip())[:MOST_EVENTS],
    )


def _see(desk: Desk, applied: Applied, asked: Asked) -> Seen:
    try:
        return _simulated(desk, applied, asked)
    except (NurtureError, ValueError) as error:
        return Seen(refused=str(error))


def _simulated(desk: Desk, applied: Applied, asked: Asked) -> Seen:
    programme, now = applied.programme, desk.site.now.replace(second=0, microsecond=0)
    campaign = programme.campaigns.get(asked.campaign)
    example = _example(applied, campaign, asked.person)
    if example is None:
        database = desk.workshop.database()
        if database is None:
            raise NurtureError(f"There is no example person {asked.person}, and no database with contacts.")
        stored = stored_person(database, programme, asked.person, now)
        zone, since = zone_of(stored.resident.contact.zone, programme.zone).key, now
        events = [_event(each, {}, since, zone) for each in asked.events]
        imagined = imagine_stored(programme, asked.person, stored, events)
    else:
        zone = zone_of(example.zone, programme.zone).key
        since = parse_instant(asked.begin).at(zone) if asked.begin else now
        data = example.start_data(campaign.name) if campaign is not None else example.start
        events = [_event(each, data, since, zone) for each in asked.events]
        if campaign is not None:
            events = [entrance(campaign, example, since, {}), *events]
        imagined = imagine(programme, example, since, events, campaign)
    lines = imagined.lines[:MOST_LINES]
    pairs = zip(lines, imagined.text, strict=False)
    rows = tuple(Row(text[:16], line.verb, line.what, line.why, _mail(line)) for line, text in pairs)
    moved = events[1:] if campaign is not None and example is not None else events
    return Seen(imagined, _picture(lines, moved, since, imagined.zone), rows, since)


def _example(applied: Applied, campaign: Campaign | None, name: str) -> Person | None:
    """The example person of that name, or the plainest who fits where none is named; None is a contact's address.

    Raises NurtureError where there are none.
    """
    people = applied.compiled.people
    if name:
        return people.get(name)
    if not people:
        raise NurtureError("There are no example people; write one in campaigns/people/, or name a contact.")
    wanted = campaign.name if campaign is not None else ""
    return min(people.values(), key=lambda one: (wanted not in one.starts, len(one.email), one.name))


def _event(asked: tuple[str, str], data: Mapping[str, Any], since: datetime, zone: str) -> Told:
    name, at = asked
    when = instant_of(parse_moment(at), since, zone)
    if when < since:
        raise NurtureError(f"{name} at {at} is before the beginning.")
    return Told(when, name, dict(data))


def _mail(line: Line) -> str | None:
    if line.verb != "sends" or line.campaign is None:
        return None
    return line.what if "/" in line.what else f"{line.campaign}/{line.what}"


def _picture(lines: Sequence[Line], events: Sequence[Told], since: datetime, zone: str) -> Picture:
    ends = max([line.at for line in lines] + [event.at for event in events], default=since)
    span = max((ends - since) * 1.06, 2 * DAY)
    per_hour = (WIDTH - LEFT - RIGHT) / (span / HOUR)

    def at(moment: datetime) -> float:
        return round(LEFT + per_hour * ((moment - since) / HOUR), 1)

    clock = zone_of(zone)
    marks = [
        Mark(
            at(event.at),
            TRACKS["event"],
            "event",
            event.event,
            _when(event.at, zone),
            number,
            (event.at - since) / HOUR,
        )
        for number, event in enumerate(events)
    ]
    taken = {(event.at, event.event) for event in events}
    for line in lines:
        if line.verb == "event" and (line.at, line.what) in taken:
            continue
        kind = line.verb if line.verb in {"event", "sends"} else "kept" if line.verb in _KEPT else "other"
        y = TRACKS.get(kind, TRACKS["other"])
        told = f"{_when(line.at, zone)}: {line.verb} {line.what}" + (f", {line.why}" if line.why else "")
        marks.append(Mark(at(line.at), y, kind, line.what, told, mail=_mail(line)))
    step = next((days for days in SPANS if span / DAY / days <= 12), SPANS[-1])
    first = since.astimezone(clock).replace(hour=0, minute=0, second=0, microsecond=0)
    days = []
    for number in range(1, int(span / DAY / step) + 1):
        moment = (first.replace(tzinfo=None) + number * step * DAY).replace(tzinfo=clock)
        days.append((at(moment), f"{moment:%a} {moment.day} {moment:%b}"))
    return Picture(tuple(marks), tuple(each for each in days if each[0] < WIDTH - 30), per_hour)


_KEPT = {"holds", "skips", "expires", "cancels", "held out", "stays out"}


def _when(at: datetime, zone: str) -> str:
    return f"{at.astimezone(zone_of(zone)):%a %d %b %H:%M}"


def heard_of(programme: Programme) -> list[str]:
    """Events that this programme listens to."""
    found = {event for move in programme.lifecycle.moves for event in move.on}
    for campaign in programme.campaigns.values():
        found |= {stop.event for stop in campaign.stops if isinstance(stop, EventStop)}
        if isinstance(campaign.start, EventStart):
            found.add(campaign.start.event)
        if campaign.goal is not None:
            found.add(campaign.goal.event)
    return sorted(found)

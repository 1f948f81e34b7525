"""One person's future: an example person, what happens to her, and every decision that follows, on her own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nurture.domain.campaign import Campaign, EventStart
from nurture.domain.decide import ENROL
from nurture.domain.event import Event
from nurture.domain.programme import Programme
from nurture.domain.timing import zone_of
from nurture.engine.resident import Resident
from nurture.engine.simulate import SECOND, World
from nurture.engine.simulation.stored import Stored
from nurture.engine.stories import contact_id, on_stage, tell
from nurture.engine.timeline import Line, as_text, clock_changes, timeline
from nurture.language.people import Person
from nurture.language.stories import StoryEvent

UNTIL = timedelta(days=30)  # after the last event, when there is no campaign to see to its end


@dataclass(frozen=True, slots=True)
class Told:
    """An event that is to happen to her."""

    at: datetime
    event: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Imagined:
    """Her timeline: `lines` in UTC, `text` on her own clock. `person` is all that was recorded of her."""

    title: str
    zone: str
    lines: tuple[Line, ...]
    text: tuple[str, ...]
    person: Resident


def imagine(
    programme: Programme,
    person: Person,
    since: datetime,
    events: Sequence[Told] = (),
    campaign: Campaign | None = None,
    until: datetime | None = None,
) -> Imagined:
    """What becomes of her from `since` on. With a campaign, until she has left it; she is held out of nothing."""
    zone = zone_of(person.zone, programme.zone)
    told = tuple(StoryEvent(each.at, each.event, each.properties) for each in sorted(events, key=lambda one: one.at))
    if campaign is not None:
        resident = tell(on_stage(programme, campaign.name), person, since, told, campaign.name, until)
    else:
        resident = _live(programme, person, since, told, until)
    return _told(programme, person.name, zone, resident, since, told, campaign)


def imagine_stored(
    programme: Programme, name: str, stored: Stored, events: Sequence[Told] = (), until: datetime | None = None
) -> Imagined:
    """What becomes of a contact of the database, with all that is planned for her and these events."""
    told = tuple(StoryEvent(each.at, each.event, each.properties) for each in sorted(events, key=lambda one: one.at))
    resident, now = deepcopy(stored.resident), stored.now
    world = World(programme, now)
    for paused in stored.paused:
        world.pause(paused)
    world.admit(resident, stored.due_at)
    for event in told:
        world.post(resident.contact.id, event.event, event.at, event.properties)
    last = max((event.at for event in told), default=now)
    world.run_until(until if until is not None else last + UNTIL)
    return _told(programme, name, zone_of(resident.contact.zone, programme.zone), resident, now, told)


def _told(
    programme: Programme,
    name: str,
    zone: ZoneInfo,
    resident: Resident,
    since: datetime,
    told: Sequence[StoryEvent],
    campaign: Campaign | None = None,
) -> Imagined:
    ledger = [fact for fact in resident.ledger if fact.at >= since]
    happened = [Event(number, each.event, each.at, each.properties) for number, each in enumerate(told)]
    lines = timeline(programme, ledger, zone, happened, campaign.name if campaign is not None else None)
    ends = max((line.at for line in lines), default=since)
    changes = [f"clocks change on {day:%a %d %b}" for day in clock_changes(since, ends, zone)]
    names = [campaign.name] if campaign is not None else []
    title = " · ".join([*names, name, zone.key, *changes])
    return Imagined(title, zone.key, tuple(lines), tuple(as_text(lines, zone)), resident)


def entrance(campaign: Campaign, person: Person, at: datetime, more: Mapping[str, Any]) -> Told:
    """Her way into a campaign: the event that starts it, else by hand. `more` goes over her start data."""
    data = {**person.start_data(campaign.name), **more}
    if isinstance(campaign.start, EventStart):
        return Told(at, campaign.start.event, data)
    return Told(at, ENROL, {"campaign": campaign.name, "with": data})


def _live(
    programme: Programme, person: Person, since: datetime, events: Sequence[StoryEvent], until: datetime | None
) -> Resident:
    campaigns = {name: replace(each, hold_out=0.0) for name, each in programme.campaigns.items()}
    world = World(replace(programme, campaigns=campaigns, hold_out=0.0), since - SECOND)
    number = contact_id(person.name)
    contact = person.contact(since, contact_id=number, first_stage=programme.lifecycle.first)
    resident = world.add(replace(contact, enrols=False), person.events(since, programme.zone))
    for event in events:
        world.post(number, event.event, event.at, event.properties)
    last = max((event.at for event in events), default=since)
    world.run_until(until if until is not None else last + UNTIL)
    return resident

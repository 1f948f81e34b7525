"""Example people: made up, for previews, tests and simulations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from nurture.domain.contact import Consent, Contact
from nurture.domain.event import Event
from nurture.domain.timing import zone_of
from nurture.language.names import Scope
from nurture.language.people_file import PersonFile
from nurture.language.problems import Severity
from nurture.language.values import LocalInstant

Moment = timedelta | LocalInstant


def instant_of(moment: Moment, origin: datetime, zone: str) -> datetime:
    """A distance from `origin`, or an instant read in `zone`, as a UTC instant."""
    return origin + moment if isinstance(moment, timedelta) else moment.at(zone)


@dataclass(frozen=True, slots=True)
class Happened:
    """Something in a person's past; `at` is a distance from now (negative) or an instant."""

    event: str
    at: Moment
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    """One example person. `start` is start data for any campaign, `starts` by campaign."""

    name: str
    email: str
    zone: str | None = None
    locale: str | None = None
    stage: str | None = None
    consent: Consent = Consent.GRANTED
    attributes: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Happened, ...] = ()
    start: Mapping[str, Any] = field(default_factory=dict)
    starts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    file: str = ""

    def start_data(self, campaign: str) -> Mapping[str, Any]:
        """What `start.*` holds for her in a campaign."""
        return self.starts.get(campaign, self.start)

    def events(self, now: datetime, default_zone: str = "UTC") -> tuple[Event, ...]:
        """Her past up to `now` as events, oldest first."""
        zone = zone_of(self.zone, default_zone).key
        past = sorted(self.history, key=lambda happened: instant_of(happened.at, now, zone))
        return tuple(
            Event(number, happened.event, instant_of(happened.at, now, zone), happened.properties)
            for number, happened in enumerate(past, 1)
        )

    def contact(self, now: datetime, *, contact_id: int = 1, first_stage: str | None = None) -> Contact:
        """The contact she would be at `now`, created a day before anything happened to her."""
        events = self.events(now)
        created_at = min([now, *(event.at for event in events)]) - timedelta(days=1)
        return Contact(
            id=contact_id,
            email=self.email,
            created_at=created_at,
            external_id=self.name,
            attributes=dict(self.attributes),
            zone=self.zone,
            locale=self.locale,
            stage=self.stage or first_stage,
            stage_since=created_at,
            consent=self.consent,
        )


def compile_person(rule: PersonFile, scope: Scope) -> Person:
    file = scope.file
    for name in ("email", "zone", "locale", "stage"):
        if name in rule.attributes:
            hint = f"write {name}: beside attributes"
            file.report("N108", ("attributes", name), f"{name} is not an attribute", hint, key=True)
    for index, item in enumerate(rule.history):
        scope.event(item.event, ("history", index, "event"))
        if isinstance(item.at, timedelta) and item.at > timedelta():
            message = f"{item.event} is part of the past, so its distance is negative"
            file.report("N617", ("history", index, "at"), message, "write it like -40d")
    for campaign in rule.starts:
        scope.campaign_named(campaign, ("starts", campaign), key=True)
    domain = rule.email.rpartition("@")[2].lower()
    if not (
        domain.endswith((".example", ".test", ".invalid")) or domain in {"example.com", "example.org", "example.net"}
    ):
        message = f"{rule.email} may be somebody's real address"
        hint = f"example people live at a domain of nobody's, like {rule.person}@people.example"
        file.report("N501", ("email",), message, hint, severity=Severity.WARNING)
    return Person(
        name=rule.person,
        email=rule.email,
        zone=rule.zone,
        locale=rule.locale,
        stage=scope.stage(rule.stage, ("stage",)) if rule.stage is not None else None,
        consent=Consent(rule.consent),
        attributes=dict(rule.attributes),
        history=tuple(Happened(item.event, item.at, dict(item.values)) for item in rule.history),
        start=dict(rule.start),
        starts={name: dict(data) for name, data in rule.starts.items()},
        file=file.name,
    )

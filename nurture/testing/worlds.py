"""Programmes from the text of campaign files, and people who live under them: so that tests read like both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from nurture.domain.contact import Consent, Contact
from nurture.domain.enrolment import Enrolment
from nurture.domain.ledger import Fact, FactKind
from nurture.domain.programme import Programme
from nurture.domain.timing import zone_of
from nurture.engine.resident import Resident
from nurture.engine.simulate import Post, World, sent_at_once
from nurture.language.compile import compile_project

LIFECYCLE = """\
lifecycle:
  stages: [awareness, consideration, purchase, retention, advocacy, lapsed]
  first: awareness
  moves:
    - {to: consideration, from: awareness, on: [Newsletter Subscribed, Quote Requested]}
    - {to: purchase, on: Order Completed, from: [awareness, consideration, lapsed]}
    - {to: retention, from: purchase, after: 14 days}
    - {to: advocacy, from: retention, on: Referral Made}
    - {to: advocacy, from: retention, if: "orders(last='365 days') >= 5"}
    - {to: consideration, from: [retention, advocacy], on: Quote Requested}
    - {to: lapsed, from: [purchase, retention, advocacy], if: "days_since(last('Order Completed')) > 180"}
"""
PROJECT = """\
version: 1
senders:
  shop: {name: Northwind Garden, email: hello@northwind.example}
postal_address: Mannerheimintie 1, 00100 Helsinki, Finland
topics:
  tips: {title: Tips}
  offers: {title: Offers}
categories: [discount, value]
teams: {care: care@northwind.example}
webhooks: {crm: "https://crm.northwind.example/hook"}
consent: {granted_by: [Newsletter Subscribed], withdrawn_by: [Newsletter Unsubscribed]}
"""
TEMPLATE = "---\nsubject: Hello\npreheader: A few words about the garden, once in a while\n---\n<p>Hello</p>\n"


def programme(
    *campaigns: str,
    project: str = "",
    lifecycle: str = LIFECYCLE,
    segments: Mapping[str, str] | None = None,
    previous: Programme | None = None,
    since: datetime | None = None,
) -> Programme:
    """Compile the texts of campaign files; `version`, `topic` and `status: live` are added where they are left out.

    `project` is appended to a small `_project.yaml` without caps, quiet hours or zone. Raises AssertionError with all
    problems when there are errors.
    """
    sources = {"campaigns/_project.yaml": PROJECT + lifecycle + project}
    if segments:
        lines = "".join(f"  {name}: {_quoted(text)}\n" for name, text in segments.items())
        sources["campaigns/_segments.yaml"] = f"version: 1\nsegments:\n{lines}"
    for number, text in enumerate(campaigns):
        sources[f"campaigns/{number}.yaml"] = _filled(text)
        for template in re.findall(r"\bsend: ([\w/-]+)", text):
            sources[f"email_templates/{template}.html"] = TEMPLATE
    compiled = compile_project(sources, previous=previous)
    assert compiled.programme is not None, "\n".join(
        f"{each.file}:{each.line} {each.message}" for each in compiled.errors
    )
    found = compiled.programme
    if since is not None:
        found = replace(found, campaigns={name: replace(c, since=since) for name, c in found.campaigns.items()})
    return found


def _filled(text: str) -> str:
    defaults = {"version": "1", "campaign": "c", "topic": "tips", "status": "live"}
    missing = [f"{key}: {value}\n" for key, value in defaults.items() if not re.search(rf"^{key}:", text, re.MULTILINE)]
    return "".join(missing) + text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def instant(text: str, zone: str = "UTC") -> datetime:
    """`2026-03-02 09:00` on the clock of the zone, as a UTC instant."""
    return datetime.fromisoformat(text).replace(tzinfo=zone_of(zone)).astimezone(UTC)


def contact(number: int = 1, *, created: datetime, zone: str | None = None, **columns: Any) -> Contact:
    """Somebody who wants mail."""
    wanted = {"email": f"p{number}@people.example", "consent": Consent.GRANTED, **columns}
    return Contact(id=number, created_at=created, zone=zone, **wanted)


class Life:
    """One person under a programme, told in her own time."""

    def __init__(
        self,
        programme: Programme,
        start: str = "2026-03-02 09:00",
        zone: str = "UTC",
        post: Post = sent_at_once,
        **columns: Any,
    ) -> None:
        self.zone = zone
        self.start = instant(start, zone)
        self.world = World(programme, self.start, post)
        created = columns.pop("created", self.start)
        self.person: Resident = self.world.add(contact(created=created, zone=zone, **columns))
        self.world.run_until(self.start)

    def event(self, name: str, happened: str | None = None, /, **properties: Any) -> None:
        """It is received now; `happened` is earlier if it is reported late."""
        at = None if happened is None else self.when(happened)
        self.world.post(1, name, self.world.now, properties, happened=at)
        self.world.run_until(self.world.now)

    def until(self, moment: str) -> None:
        """Live on until `+2 days 3 hours` from now, or until a local time."""
        self.world.run_until(self.when(moment))

    def when(self, moment: str) -> datetime:
        found = re.findall(r"(\d+) (day|hour|minute)s?", moment)
        if moment[0] in "+-" and found:
            span = timedelta(**{f"{unit}s": int(number) for number, unit in found})
            return self.world.now + (span if moment[0] == "+" else -span)
        return instant(moment, self.zone)

    def apply(self, programme: Programme) -> None:
        self.world.apply(programme)
        self.world.run_until(self.world.now)

    @property
    def steps(self) -> list[str]:
        """The steps she was mailed, in order."""
        return [delivery.step for delivery in self.person.sent]

    @property
    def sent(self) -> list[str]:
        """`2026-03-02 10:00 reminder`, on her clock."""
        return [f"{self.local(self.person.at[each.seq])} {each.step}" for each in self.person.sent]

    def local(self, at: datetime) -> str:
        return f"{at.astimezone(zone_of(self.zone)):%Y-%m-%d %H:%M}"

    def facts(self, kind: FactKind, step: str | None = None) -> list[Fact]:
        return [fact for fact in self.person.ledger if fact.kind is kind and step in {None, fact.step}]

    def reasons(self, kind: FactKind, step: str | None = None) -> list[str]:
        return [str(fact.reason) for fact in self.facts(kind, step)]

    @property
    def enrolments(self) -> list[Enrolment]:
        return self.person.all_enrolments

    @property
    def left_by(self) -> list[str]:
        """How each of her enrolments ended, `inside` where it has not."""
        return [str(each.left_by) if each.left_by is not None else "inside" for each in self.enrolments]

    @property
    def stages(self) -> list[str]:
        return [change.to_stage for change in self.person.stages]

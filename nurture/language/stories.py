"""Tests beside the campaigns: what happens to an example person, and what must come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nurture.domain.enrolment import LeftBy
from nurture.domain.ledger import Reason
from nurture.domain.timing import zone_of
from nurture.language.names import Path, Scope
from nurture.language.people import Person, instant_of
from nurture.language.people_file import ExpectRule, MailTexts, StoryFile

INSIDE = "inside"
PARTS = ("subject", "html", "text")  # of a mail


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """Something that happens; `at` is a UTC instant."""

    at: datetime
    event: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must have become of the person; None is not asked.

    `sent` are all steps mailed, in order; steps of other campaigns are `campaign/step`. `skipped` maps steps to reasons
    of the ledger. `left_by` is a LeftBy value, or `inside` when she must still be in the campaign. `contains` maps sent
    steps to pairs of a part of the mail (`subject`, `html`, `text`, or `` for any) and what must stand there.
    """

    sent: tuple[str, ...] | None = None
    not_sent: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    left_by: str | None = None
    stage: str | None = None
    goal: bool | None = None
    contains: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Story:
    """One test. `draws` maps splits of its campaign to arms. `line` is where its expectations stand, 1-based."""

    name: str
    campaign: str
    person: str
    from_instant: datetime
    zone: str
    events: tuple[StoryEvent, ...]
    expect: Expectation
    until: datetime | None = None
    draws: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    line: int = 0


def compile_story(rule: StoryFile, scope: Scope, people: Mapping[str, Person], person_names: frozenset[str]) -> Story:
    file = scope.file
    scope.campaign_named(rule.campaign, ("campaign",))
    scope.among(rule.person, person_names, ("person",), "N212", "person")
    person = people.get(rule.person)
    zone = zone_of(rule.since.zone, person.zone if person else None).key
    begins = rule.since.at(zone)
    events = []
    for index, item in enumerate(rule.story):
        at = instant_of(item.at, begins, zone)
        if at < begins:
            message = f"{item.event} happens before the story begins"
            file.report("N617", ("story", index, "at"), message, "tell what came before in the person's history")
        events.append(StoryEvent(at, scope.event(item.event, ("story", index, "event")), dict(item.values)))
    return Story(
        name=rule.test,
        campaign=rule.campaign,
        person=rule.person,
        from_instant=begins.astimezone(UTC),
        zone=zone,
        events=tuple(sorted(events, key=lambda event: event.at)),
        expect=_expect(rule.expect, rule.campaign, scope),
        until=instant_of(rule.until, begins, zone) if rule.until is not None else None,
        draws=dict(rule.draws),
        file=file.name,
        line=file.mark(("expect",), key=True).line,
    )


def _expect(rule: ExpectRule, campaign: str, scope: Scope) -> Expectation:
    path: Path = ("expect",)
    known = scope.known.steps
    own = known.get(campaign) if scope.known.complete else None
    if own is not None:
        steps = own | {f"{name}/{step}" for name, ids in known.items() for step in ids}
        for name in ("sent", "not_sent"):
            for index, step in enumerate(getattr(rule, name) or ()):
                if step not in steps:
                    scope.among(step, own, (*path, name, index), "N208", "step")
        for name in ("skipped", "contains"):
            for step in getattr(rule, name):
                if step not in steps:
                    scope.among(step, own, (*path, name, step), "N208", "step", key=True)
    reasons = [reason.value for reason in Reason]
    for step, reason in rule.skipped.items():
        scope.among(reason, reasons, (*path, "skipped", step), "N106", "reason")
    endings = [*(ending.value for ending in LeftBy), INSIDE]
    scope.among(rule.left_by, endings, (*path, "left_by"), "N106", "way to leave")
    return Expectation(
        sent=tuple(rule.sent) if rule.sent is not None else None,
        not_sent=tuple(rule.not_sent),
        skipped=dict(rule.skipped),
        left_by=rule.left_by,
        stage=scope.stage(rule.stage, (*path, "stage")) if rule.stage is not None else None,
        goal=rule.goal,
        contains={step: tuple(_texts(texts)) for step, texts in rule.contains.items()},
    )


def _texts(rule: str | list[str] | MailTexts) -> Iterator[tuple[str, str]]:
    parts = {"": rule} if not isinstance(rule, MailTexts) else {part: getattr(rule, part) for part in PARTS}
    for part, texts in parts.items():
        for text in [texts] if isinstance(texts, str) else texts:
            yield part, text

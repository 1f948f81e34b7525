"""Apply: the files on disk become the revision that daemons run, and the people inside are told where they stand.

Nothing changes until everything is known to be sound: files compile, templates compile, what could mail people twice is
confirmed by name. Then one transaction stores the revision and wakes whoever it concerns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from nurture.domain.campaign import Campaign, CampaignStatus
from nurture.domain.chance import share
from nurture.domain.decide import EJECT
from nurture.domain.enrolment import Enrolment
from nurture.domain.event import Event
from nurture.domain.flow import wait_ends
from nurture.domain.programme import Programme
from nurture.domain.steps import Send, Wait
from nurture.domain.timing import zone_of
from nurture.engine.check import only_transactional
from nurture.engine.expected import Expected, expected
from nurture.engine.resident import Resident
from nurture.engine.revisions import load, renderer_of
from nurture.errors import ConflictError
from nurture.language.compile import Compiled, compile_project
from nurture.language.edits import Change, ChangeKind, changes
from nurture.rendering.problems import TemplateProblem
from nurture.storage.contacts import get_many
from nurture.storage.controls import brought_in
from nurture.storage.database import Database, Transaction
from nurture.storage.events import Arrival, store_events
from nurture.storage.identities import Identity
from nurture.storage.inflight import reschedule, wake_everyone
from nurture.storage.queue import wake_campaigns
from nurture.storage.reports import inside, standing_everywhere
from nurture.storage.revisions import latest_number, store_revision

MANY = 100  # more people than that in an hour are somebody's decision, not the side effect of an edit
LOOKED_AT = 5_000  # people of one campaign whose new times a plan works out; the apply works out all
SPREAD = timedelta(hours=1)  # people whose wait grew shorter go on within this time, not all at once


class InFlight(StrEnum):
    """What becomes of the people inside a changed campaign."""

    KEEP = "keep"
    RESCHEDULE = "reschedule"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Planned:
    """What applying would do. `problems` of the files, `templates` of the mails; either with errors forbids it.

    `standing` has, for every campaign, how many people stand at which node. `expected` are the mails of the next day.
    `soon`: campaign -> people who go on within the hour if those in its waits are given new times.
    """

    compiled: Compiled
    templates: tuple[TemplateProblem, ...]
    changes: tuple[Change, ...]
    standing: Mapping[str, Mapping[str | None, int]]
    against: int
    sources: Mapping[str, str]
    old: Programme | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    expected: Expected | None = None
    in_flight: InFlight = InFlight.KEEP
    soon: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        return self.compiled.programme is not None and not any(
            problem.severity == "error" for problem in self.templates
        )

    @property
    def to_confirm(self) -> tuple[str, ...]:
        """Names that must be confirmed before this may be applied."""
        many = {name for name, people in self.soon.items() if people > MANY}
        return tuple(sorted({change.confirm for change in self.changes if change.confirm is not None} | many))

    @property
    def pending(self) -> bool:
        """Whether there is anything to apply."""
        return self.against == 0 or dict(self.before) != dict(self.sources)

    def people(self, change: Change) -> int:
        """How many people a change concerns: those at the step, or all inside the campaign."""
        standing = self.standing.get(change.campaign or "", {})
        if change.step is None:
            return sum(standing.values())
        renamed = change.kind is ChangeKind.STEP_RENAMED
        return standing.get(change.before if renamed else change.step, 0)


def plan(
    database: Database,
    sources: Mapping[str, str],
    now: datetime | None = None,
    in_flight: InFlight = InFlight.KEEP,
) -> Planned:
    """Compare files with what is applied, and count the people each change concerns.

    With `now`, the mails of the next day are counted, too, by playing them; `in_flight` as it will be applied with.
    """
    with database.read() as tx:
        number = latest_number(tx)
        applied = load(tx, number) if number else None
        old = applied.programme if applied is not None else None
        compiled = compile_project(sources, previous=old)
        new = compiled.programme
        if new is None:
            return Planned(compiled, (), (), {}, number, sources, old)
        found = changes(old, new)
        people = standing_everywhere(tx)
        foreseen, soon = None, {}
        if now is not None:
            with_waits = _with_other_waits(found)
            if in_flight is InFlight.RESCHEDULE:
                soon = {name: _soon(tx, new, name, now, sum(people.get(name, {}).values())) for name in with_waits}
            change = _treated(new, in_flight, frozenset(with_waits), now)
            anew = old is None or _judges_people_anew(old, new)
            foreseen = expected(tx, old, new, now, change, everybody=anew)
    before = applied.sources if applied is not None else {}
    templates = check_templates(sources, new)
    return Planned(compiled, templates, found, people, number, sources, old, before, foreseen, in_flight, soon)


def _treated(
    programme: Programme, in_flight: InFlight, with_waits: frozenset[str], now: datetime
) -> Callable[[Resident], None] | None:
    """What `--in-flight` does to one person, in memory."""

    def reschedule(person: Resident) -> None:
        for enrolment in person.enrolments:
            if enrolment.campaign in with_waits:
                at = _new_time(programme, enrolment, person.contact.id, person.contact.zone, now)
                enrolment.due_at = at if at is not None else enrolment.due_at

    def leave(person: Resident) -> None:
        for number, enrolment in enumerate(person.enrolments):
            campaign = programme.campaigns.get(enrolment.campaign)
            if campaign is not None and campaign.status is CampaignStatus.ARCHIVED:
                person.pending.append(Event(-1 - number, EJECT, now, {"campaign": campaign.name}))

    return {InFlight.RESCHEDULE: reschedule, InFlight.EXIT: leave}.get(in_flight)


def _new_time(
    programme: Programme, enrolment: Enrolment, contact_id: int, zone: str | None, now: datetime
) -> datetime | None:
    """When somebody in a wait goes on by the new file, counting what she has waited; None where she waits for no time.

    Nobody goes at once: whose time has passed goes on within the next hour, at her own moment of it.
    """
    node = programme.campaigns[enrolment.campaign].nodes.get(enrolment.node or "")
    if not isinstance(node, Wait) or enrolment.since is None or enrolment.due_at is None:
        return None
    at = wait_ends(programme.calendar, zone_of(zone, programme.zone), enrolment.since, node)
    return at if at > now else now + SPREAD * share(programme.seed, "reschedule", contact_id)


def _soon(tx: Transaction, programme: Programme, campaign: str, now: datetime, people: int) -> int:
    """How many would go on within the hour; of very many people, as the first of them tell."""
    looked, soon = 0, 0
    after = (0, 0)
    while looked < LOOKED_AT and (found := inside(tx, campaign, after=after)):
        contacts = get_many(tx, sorted({contact_id for contact_id, _ in found}))
        times = [_new_time(programme, one, id_, contacts[id_].zone, now) for id_, one in found]
        soon += sum(at is not None and at <= now + SPREAD for at in times)
        looked += len(found)
        after = (found[-1][0], found[-1][1].seq)
    return round(soon * people / looked) if looked else 0


def check_templates(sources: Mapping[str, str], programme: Programme) -> tuple[TemplateProblem, ...]:
    """Every problem of every template, judged as marketing mail unless only transactional steps send it."""
    return tuple(renderer_of(sources, programme).check(transactional=only_transactional(programme)))


def apply(
    database: Database,
    planned: Planned,
    now: datetime,
    by: str,
    *,
    in_flight: InFlight = InFlight.KEEP,
    confirmed: Collection[str] = (),
) -> int:
    """Store the revision; its number. Raises ConflictError when it is not sound, not confirmed, or out of date."""
    programme = planned.compiled.programme
    if programme is None or not planned.is_sound:
        raise ConflictError("the files have errors; see them with `nurture validate`")
    missing = [name for name in planned.to_confirm if name not in confirmed]
    if missing:
        names = " ".join(f"--confirm {name}" for name in missing)
        raise ConflictError(f"this could mail people twice or many at once; confirm it by name: {names}")

    def work(tx: Transaction) -> int:
        moved = {name: dict(campaign.moved) for name, campaign in programme.campaigns.items() if campaign.moved}
        number = store_revision(tx, planned.sources, now, by, moved=moved, expected=planned.against)
        brought_in(tx, programme.campaigns.keys() - (planned.old.campaigns if planned.old else {}), now)
        if in_flight is InFlight.RESCHEDULE:
            for name in _with_other_waits(planned.changes):
                soon = _reschedule(tx, programme, programme.campaigns[name], now)
                if soon > MANY and name not in confirmed:
                    raise ConflictError(
                        f"with --in-flight reschedule {soon:,} people in {name} would go on within the hour; if that "
                        f"is meant, add: --confirm {name}"
                    )
        elif in_flight is InFlight.EXIT:
            for campaign in programme.campaigns.values():
                if campaign.status is CampaignStatus.ARCHIVED:
                    _eject_all(tx, campaign, number, now)
        if planned.old is None or _judges_people_anew(planned.old, programme):
            wake_everyone(tx, now, SPREAD)
        elif gone := sorted(planned.old.campaigns.keys() - programme.campaigns.keys()):
            wake_campaigns(tx, gone, now)  # to leave now, not when their next step would have been due
        return number

    return database.transact(work)


def _sends(programme: Programme) -> list[tuple[Campaign, Send]]:
    return [(campaign, send) for campaign in programme.campaigns.values() for send in campaign.sends]


def _judges_people_anew(old: Programme, new: Programme) -> bool:
    """Whether somebody may be due who was not: rules that time and attributes alone can fulfil have changed."""
    if (old.lifecycle, old.segments, old.zone) != (new.lifecycle, new.segments, new.zone):
        return True
    if old.watched_segments != new.watched_segments:  # what was last seen of one that nobody watches must not be kept
        return True
    before = {campaign.name: (campaign.start, campaign.status) for campaign in old.campaigns.values()}
    return any(before.get(name) != (one.start, one.status) for name, one in new.campaigns.items())


def _with_other_waits(found: tuple[Change, ...]) -> list[str]:
    return sorted(
        {change.campaign for change in found if change.kind is ChangeKind.WAIT and change.campaign is not None}
    )


def _reschedule(tx: Transaction, programme: Programme, campaign: Campaign, now: datetime) -> int:
    """Give people in a wait the time they would have by the new file, counting what they have waited already.

    Returns how many go on within that hour.
    """
    soon = 0
    after = (0, 0)
    while people := inside(tx, campaign.name, after=after):
        contacts = get_many(tx, sorted({contact_id for contact_id, _ in people}))
        times = []
        for contact_id, enrolment in people:
            at = _new_time(programme, enrolment, contact_id, contacts[contact_id].zone, now)
            if at is not None:
                soon += at <= now + SPREAD
                times.append((contact_id, enrolment.seq, at))
        reschedule(tx, times, now)
        after = (people[-1][0], people[-1][1].seq)
    return soon


def _eject_all(tx: Transaction, campaign: Campaign, number: int, now: datetime) -> None:
    """Everybody inside leaves, by an event through the front door like any other exit."""
    after = (0, 0)
    while people := inside(tx, campaign.name, after=after):
        arrivals = [
            Arrival(
                who=Identity(contact_id=contact_id),
                at=now,
                source="apply",
                message_id=f"exit-{number}-{campaign.name}-{contact_id}",
                name=EJECT,
                properties={"campaign": campaign.name},
            )
            for contact_id in sorted({contact_id for contact_id, _ in people})
        ]
        store_events(tx, arrivals, now)
        after = (people[-1][0], people[-1][1].seq)

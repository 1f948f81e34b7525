"""Apply: the files on disk become the revision that daemons run, and the people inside are told where they stand.

Nothing changes until everything is known to be sound: files compile, templates compile, what could mail people twice is
confirmed by name. Then one transaction stores the revision and wakes whoever it concerns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from nurture.domain.campaign import Campaign, CampaignStatus
from nurture.domain.chance import share
from nurture.domain.decide import EJECT
from nurture.domain.flow import wait_ends
from nurture.domain.programme import Programme
from nurture.domain.steps import Send, Wait
from nurture.domain.timing import zone_of
from nurture.engine.check import only_transactional, renderer_of
from nurture.engine.revisions import load
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
from nurture.storage.reports import inside, standing
from nurture.storage.revisions import latest_number, store_revision

MANY = 100  # more people than that in an hour are somebody's decision, not the side effect of an edit
SPREAD = timedelta(hours=1)  # people whose wait grew shorter go on within this time, not all at once


class InFlight(StrEnum):
    """What becomes of the people inside a changed campaign."""

    KEEP = "keep"
    RESCHEDULE = "reschedule"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Planned:
    """What applying would do. `problems` of the files, `templates` of the mails; either with errors forbids it."""

    compiled: Compiled
    templates: tuple[TemplateProblem, ...]
    changes: tuple[Change, ...]
    standing: Mapping[str, Mapping[str | None, int]]
    against: int
    sources: Mapping[str, str]
    old: Programme | None = None
    before: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        return self.compiled.programme is not None and not any(
            problem.severity == "error" for problem in self.templates
        )

    @property
    def to_confirm(self) -> tuple[str, ...]:
        """Names that must be confirmed before this may be applied."""
        return tuple(sorted({change.confirm for change in self.changes if change.confirm is not None}))


def plan(database: Database, sources: Mapping[str, str]) -> Planned:
    """Compare files with what is applied, and count the people each change concerns."""
    with database.read() as tx:
        number = latest_number(tx)
        applied = load(tx, number) if number else None
        old = applied.programme if applied is not None else None
        compiled = compile_project(sources, previous=old)
        if compiled.programme is None:
            return Planned(compiled, (), (), {}, number, sources, old)
        found = changes(old, compiled.programme)
        concerned = sorted({change.campaign for change in found if change.campaign is not None})
        people = {name: standing(tx, name) for name in concerned}
    before = applied.sources if applied is not None else {}
    return Planned(compiled, check_templates(sources, compiled.programme), found, people, number, sources, old, before)


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

    Nobody goes at once: those whose time has passed go on within the next hour, each at her own moment of it.
    Returns how many go on within that hour.
    """
    soon = 0
    after = (0, 0)
    while people := inside(tx, campaign.name, after=after):
        contacts = get_many(tx, sorted({contact_id for contact_id, _ in people}))
        times = []
        for contact_id, enrolment in people:
            node = campaign.nodes.get(enrolment.node or "")
            if isinstance(node, Wait) and enrolment.since is not None and enrolment.due_at is not None:
                zone = zone_of(contacts[contact_id].zone, programme.zone)
                at = wait_ends(programme.calendar, zone, enrolment.since, node)
                if at <= now:
                    at = now + SPREAD * share(programme.seed, "reschedule", contact_id)
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

"""Dossier: everything known of one person, as she is now, as she was, or as she will be if nothing else happens."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime

from nurture.domain.campaign import EventStart
from nurture.domain.case import Case
from nurture.domain.contact import Contact
from nurture.domain.delivery import CountedMail, Delivery, DeliveryState
from nurture.domain.enrolment import Enrolment, EnrolmentState
from nurture.domain.event import NOTHING, Event
from nurture.domain.ledger import FactKind
from nurture.domain.mailbox_providers import provider_of
from nurture.domain.programme import Programme
from nurture.domain.refusals import DomainPause
from nurture.domain.snapshot import Snapshot
from nurture.domain.steps import MailKind
from nurture.engine.explain.fact_words import Written
from nurture.engine.resident import Resident
from nurture.engine.revisions import Applied
from nurture.engine.simulate import World
from nurture.engine.simulation.stored import resident_of
from nurture.storage.controls import Paused, pauses
from nurture.storage.database import Transaction
from nurture.storage.events import last_events
from nurture.storage.outlook import outlook_of
from nurture.storage.refusals import pause_of
from nurture.storage.reports import deliveries_of, enrolments_of, ledger_of

MOST_STEPS = 5_000  # of the played future: rules that chase each other must come to rest


@dataclass(frozen=True, slots=True)
class Dossier:
    """One person at `now`. `written` is her ledger, oldest first; `mails` are deliveries with when they ended.

    `events` has the last event of every name that starts a campaign. `person` and `due_at` are what her future is
    played from; `person` is None for a moment of the past, which has its future in `after`, the rest of the ledger.
    `pauses` are of campaigns, `domain_pause` of her mailbox provider.
    """

    contact: Contact
    now: datetime
    written: tuple[Written, ...]
    enrolments: tuple[Enrolment, ...]
    mails: tuple[tuple[Delivery, datetime | None], ...]
    events: Mapping[str, Event]
    person: Resident | None
    due_at: datetime | None = None
    paused: frozenset[str] = frozenset()
    after: tuple[Written, ...] = ()
    pauses: Mapping[str, Paused] = NOTHING
    domain_pause: DomainPause | None = None

    def inside(self, campaign: str) -> list[Enrolment]:
        return [each for each in self.enrolments if each.campaign == campaign and each.state is EnrolmentState.ACTIVE]

    def counted(self) -> list[CountedMail]:
        """The marketing mails that count, or would have, for her caps."""
        return [
            CountedMail(at, mail.category, mail.campaign, mail.step, mail.state is DeliveryState.GHOST)
            for mail, at in self.mails
            if mail.kind is MailKind.MARKETING and (mail.state.counts or mail.state is DeliveryState.GHOST)
        ]

    def case(self, programme: Programme) -> Case:
        """What conditions may ask for at that moment; not for the past, of which that is not known."""
        person = self.person
        assert person is not None
        history = person.known or person.history
        snapshot = Snapshot(person.contact, history=history, received=person.received, paused=self.paused)
        return Case(programme, snapshot, self.now)

    def played(self, programme: Programme, until: datetime, *happens: Event) -> Resident | None:
        """What becomes of her until then, by `decide`, when only `happens` comes from outside; None for the past.

        The ledger of the answer holds only what is still to come.
        """
        if self.person is None:
            return None
        person = deepcopy(self.person)
        person.ledger, person.turn_at = [], None
        world = World(programme, self.now)
        for campaign in self.paused:
            world.pause(campaign)
        world.admit(person, self.due_at)
        for event in happens:
            world.post(person.contact.id, event.name, self.now, event.properties)
        for _ in range(MOST_STEPS):
            at = world.next_at
            if at is None or at > until:
                break
            world.step()
        return person

    def at(self, programme: Programme, instant: datetime) -> Dossier:
        """The same person at another moment: before `now` as it was written down, after it as it is expected."""
        if instant < self.now:
            return self._was(instant)
        person = self.played(programme, instant)
        assert person is not None
        ended = {each.seq for each in person.all_enrolments}
        known = {mail.seq for mail, _ in self.mails} - person.deliveries.keys()
        return replace(
            self,
            contact=person.contact,
            now=instant,
            written=(*self.written, *(Written(fact, programme.revision, expected=True) for fact in person.ledger)),
            enrolments=(*(each for each in self.enrolments if each.seq not in ended), *person.all_enrolments),
            mails=(
                *(pair for pair in self.mails if pair[0].seq in known),
                *((mail, person.at.get(seq)) for seq, mail in person.deliveries.items()),
            ),
            person=person,
            due_at=person.turn_at,
        )

    def _was(self, instant: datetime) -> Dossier:
        before = tuple(each for each in self.written if each.fact.at <= instant)
        moves = [each.fact for each in before if each.fact.kind is FactKind.STAGE_MOVED]
        left = {each.fact.enrolment for each in before if each.fact.kind is FactKind.LEFT}
        return replace(
            self,
            contact=self.contact.altered(
                stage=moves[-1].detail.get("to") if moves else None, stage_since=moves[-1].at if moves else None
            ),
            now=instant,
            written=before,
            enrolments=tuple(
                each if each.seq in left else replace(each, state=EnrolmentState.ACTIVE, left_by=None, ended_at=None)
                for each in self.enrolments
                if each.started_at <= instant
            ),
            mails=tuple(_then(*pair, instant) for pair in self.mails if pair[0].planned_at <= instant),
            events={name: event for name, event in self.events.items() if event.at <= instant},
            person=None,
            after=tuple(each for each in self.written if each.fact.at > instant),
        )


def _then(mail: Delivery, at: datetime | None, instant: datetime) -> tuple[Delivery, datetime | None]:
    """A mail that ended later was on its way then."""
    if at is None or at <= instant:
        return mail, at
    return replace(mail, state=DeliveryState.PLANNED), None


def starting_events(programme: Programme) -> list[str]:
    return sorted({one.start.event for one in programme.campaigns.values() if isinstance(one.start, EventStart)})


def of_contact(tx: Transaction, applied: Applied, contact: Contact, now: datetime, last: int) -> Dossier:
    """Her dossier from the database, with at least the `last` lines of her ledger."""
    outlook = outlook_of(tx, applied.needs, contact.id, now)
    return Dossier(
        contact=outlook.snapshot.contact,
        now=now,
        written=tuple(Written(line.fact, line.revision) for line in ledger_of(tx, contact.id, limit=max(last, 1000))),
        enrolments=tuple(enrolments_of(tx, contact.id)),
        mails=tuple((one.delivery, one.settled_at) for one in deliveries_of(tx, contact.id)),
        events=last_events(tx, contact.id, starting_events(applied.programme)),
        person=resident_of(outlook, now),
        due_at=outlook.due_at,
        paused=outlook.snapshot.paused,
        pauses=pauses(tx),
        domain_pause=_of_provider(tx, outlook.snapshot.contact),
    )


def _of_provider(tx: Transaction, contact: Contact) -> DomainPause | None:
    pause = pause_of(tx, provider_of(contact.email)) if contact.email else None
    return pause if pause is not None and pause.ended_at is None else None


def of_resident(person: Resident, programme: Programme, now: datetime, paused: frozenset[str] = frozenset()) -> Dossier:
    """The dossier of somebody in a world in memory."""
    return Dossier(
        contact=person.contact,
        now=now,
        written=tuple(Written(fact, programme.revision) for fact in person.ledger),
        enrolments=tuple(person.all_enrolments),
        mails=tuple((mail, person.at.get(seq)) for seq, mail in person.deliveries.items()),
        events={name: person.history[name][-1] for name in starting_events(programme) if person.history.get(name)},
        person=person,
        due_at=person.turn_at,
        paused=paused,
    )

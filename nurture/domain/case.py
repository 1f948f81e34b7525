"""One contact's case while her turn is decided: what is known, what changes, and the effects collected so far."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nurture.domain.campaign import Campaign
from nurture.domain.conditions import Facts
from nurture.domain.delivery import CountedMail
from nurture.domain.enrolment import Enrolment, EnrolmentState, Grant, PastEnrolment
from nurture.domain.event import Event, plain
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.programme import Programme
from nurture.domain.snapshot import Snapshot, Turn
from nurture.domain.timing import zone_of

_ACTIVE = EnrolmentState.ACTIVE
_UNASKED = frozenset({"memberships", "version", "consent", "opted_out", "suppressed", "paused_until", "own_cap_days"})


class Case:
    """The only mutable thing in a turn. Decisions read it and write to it; nothing leaves it before the turn ends.

    What it has of the snapshot it shares, until it is changed: `remember`, `enter` and `reserve` make it its own.
    """

    __slots__ = (
        "_changed", "_facts", "_given", "_next_seq", "_wake_at", "contact", "enrolments", "freed", "history", "mails",
        "may_now", "now", "past", "paused", "programme", "received", "stirred", "turn", "zone",
    )  # fmt: skip

    def __init__(self, programme: Programme, snapshot: Snapshot, now: datetime) -> None:
        self.programme = programme
        self.now = now
        self.contact = self._given = snapshot.contact
        self.zone: ZoneInfo = zone_of(snapshot.contact.zone, programme.zone)
        self.turn = Turn(contact=snapshot.contact)
        self.history = snapshot.history
        self.enrolments: list[Enrolment] = list(snapshot.enrolments)
        self.past = snapshot.past
        self.mails = snapshot.mails
        self.received = snapshot.received
        self.paused = snapshot.paused
        self.stirred = False  # a step changed the person: stages and segments have to look at her again
        self.freed = False  # a mail that held a slot may not go after all, or her own cap has changed
        self.may_now: set[int] = set()  # enrolments whose next mail neither quiet hours nor a window holds back now
        self._next_seq = snapshot.contact.next_seq
        self._changed: set[int] = set()
        self._wake_at: datetime | None = None
        self._facts: Facts | None = None  # of the person alone: the same for all who ask

    # --- the person

    def alter(self, **changes: Any) -> None:
        """Change columns of the contact's row: of a copy that is ours, never of the snapshot's."""
        if self.contact is self._given:
            self.contact = self.contact.altered(**changes)
        else:
            for name, value in changes.items():
                setattr(self.contact, name, value)
        if not changes.keys() <= _UNASKED:
            self._facts = None

    def take_seq(self) -> int:
        seq = self._next_seq
        self._next_seq += 1
        return seq

    def remember(self, event: Event) -> None:
        """It has happened, for all who ask from now on. Events may come late; the snapshot keeps its own lists."""
        seen = self.history.get(event.name, ())
        told = [*seen, event]
        if seen and (event.at, event.id) < (seen[-1].at, seen[-1].id):
            told.sort(key=lambda each: (each.at, each.id))
        self.history = {**self.history, event.name: told}
        if self._facts is not None:
            self._facts.history = self.history

    def enter(self, enrolment: Enrolment, past: PastEnrolment) -> None:
        """She is in a campaign, which she has been in so often now."""
        self.enrolments.append(enrolment)
        self.past = {**self.past, past.campaign: past}
        self.touch(enrolment)

    def reserve(self, mail: CountedMail) -> None:
        """It takes its slot, for all who ask from now on."""
        self.mails = [*self.mails, mail]

    def facts(
        self, enrolment: Enrolment | None = None, event: Event | None = None, grant: Grant | None = None
    ) -> Facts:
        """What an expression may ask for, here and now. `grant` is the offer in hand, else the last one she got."""
        if self._facts is None:
            contact = self.contact
            self._facts = Facts(
                self.now, contact.named(), None, None, None, self.history, contact.stage, contact.stage_since,
                self.programme.segments, self.received,
            )  # fmt: skip
        if enrolment is None and event is None and grant is None:
            return self._facts
        facts = self._facts.copy()
        if event is not None:
            facts.event = event.properties
        if enrolment is not None:
            facts.start, facts.campaign = enrolment.start, enrolment.campaign
            grant = grant or enrolment.latest_grant
        if grant is not None:
            facts.offer = grant.named()
        return facts

    # --- her enrolments

    def active(self) -> list[Enrolment]:
        return [enrolment for enrolment in self.enrolments if enrolment.state is _ACTIVE]

    def campaign_of(self, enrolment: Enrolment) -> Campaign | None:
        return self.programme.campaigns.get(enrolment.campaign)

    def touch(self, enrolment: Enrolment) -> None:
        """Mark an enrolment to be written."""
        self._changed.add(enrolment.seq)

    # --- effects

    def note(
        self,
        kind: FactKind,
        reason: Reason | None = None,
        *,
        enrolment: Enrolment | None = None,
        campaign: str | None = None,
        step: str | None = None,
        delivery: int | None = None,
        **detail: Any,
    ) -> None:
        """A line for the ledger; empty details are left out."""
        told = {
            key: value if type(value) is str else plain(value) for key, value in detail.items() if value is not None
        }
        number = None
        if enrolment is not None:
            number, campaign = enrolment.seq, enrolment.campaign
        self.turn.facts.append(Fact(self.now, kind, reason, campaign, number, step, delivery, told))

    def wake(self, at: datetime | None) -> None:
        """Be due again at `at`; the earliest wish wins."""
        if at is not None and (self._wake_at is None or at < self._wake_at):
            self._wake_at = at

    def finish(self) -> Turn:
        """Close the case: the contact's next due instant, and the rows that changed."""
        if self.freed:
            self._ask_again()
        due = self._wake_at
        for enrolment in self.enrolments:
            at = enrolment.due_at
            if at is not None and enrolment.state is _ACTIVE and (due is None or at < due):
                due = at
        if due is not None and due <= self.now:  # would spin: whatever it is, it can wait a second
            due = self.now + timedelta(seconds=1)
        self.alter(enrols=True, next_seq=self._next_seq, due_at=due)
        self.turn.contact = self.contact
        if self._changed:
            self.turn.enrolments = [enrolment for enrolment in self.enrolments if enrolment.seq in self._changed]
        return self.turn

    def _ask_again(self) -> None:
        """Whether a cancelled mail gave its slot back is known only when this turn is written: ask right after."""
        soon = self.now + timedelta(seconds=1)
        for enrolment in self.active():
            if enrolment.planned_for is not None and enrolment.due_at is not None and enrolment.due_at > soon:
                enrolment.due_at = max(enrolment.planned_for, soon)
                self.touch(enrolment)

"""One contact's case while her turn is decided: what is known, what changes, and the effects collected so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nurture.domain.campaign import Campaign
from nurture.domain.conditions import Condition, Facts
from nurture.domain.enrolment import Enrolment, EnrolmentState, Grant
from nurture.domain.event import Event, plain
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.programme import Programme
from nurture.domain.snapshot import Snapshot, Turn
from nurture.domain.timing import zone_of

_ACTIVE = EnrolmentState.ACTIVE


class Case:
    """The only mutable thing in a turn. Decisions read it and write to it; nothing leaves it before the turn ends."""

    def __init__(self, programme: Programme, snapshot: Snapshot, now: datetime) -> None:
        self.programme = programme
        self.now = now
        self.contact = snapshot.contact
        self.zone: ZoneInfo = zone_of(snapshot.contact.zone, programme.zone)
        self.turn = Turn(contact=snapshot.contact)
        self.history: dict[str, Sequence[Event]] = dict(snapshot.history)
        self.enrolments: list[Enrolment] = list(snapshot.enrolments)
        self.past = dict(snapshot.past)
        self.mails = list(snapshot.mails)
        self.received = dict(snapshot.received)
        self.paused = snapshot.paused
        self.stirred = False  # a step changed the person: stages and segments have to look at her again
        self.freed = False  # a mail that held a slot may not go after all
        self._next_seq = snapshot.contact.next_seq
        self._changed: set[int] = set()
        self._wake_at: datetime | None = None
        self._facts: Facts | None = None  # of the person alone: the same for all who ask

    # --- the person

    def alter(self, **changes: Any) -> None:
        """Change columns of the contact's row."""
        self.contact = self.contact.altered(**changes)
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
        self.history[event.name] = told

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
        self.turn.facts.append(
            Fact(
                at=self.now,
                kind=kind,
                reason=reason,
                campaign=enrolment.campaign if enrolment is not None else campaign,
                enrolment=enrolment.seq if enrolment is not None else None,
                step=step,
                delivery=delivery,
                detail={
                    key: value if type(value) is str else plain(value)
                    for key, value in detail.items()
                    if value is not None
                },
            )
        )

    def wake(self, at: datetime | None) -> None:
        """Be due again at `at`; the earliest wish wins."""
        if at is not None and (self._wake_at is None or at < self._wake_at):
            self._wake_at = at

    def wake_for(self, condition: Condition, facts: Facts) -> None:
        """Be due again when time alone may change the answer."""
        if condition.ages:
            self.wake(condition.next_change(facts))

    def finish(self) -> Turn:
        """Close the case: the contact's next due instant, and the rows that changed."""
        if self.freed:
            self._ask_again()
        for enrolment in self.active():
            self.wake(enrolment.due_at)
        due = self._wake_at
        if due is not None and due <= self.now:  # would spin: whatever it is, it can wait a second
            due = self.now + timedelta(seconds=1)
        self.turn.contact = self.contact.altered(enrols=True, next_seq=self._next_seq, due_at=due)
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

"""One person in a world on a virtual clock: her row, and all that was recorded of her, in memory."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from datetime import datetime

from nurture.domain.contact import Contact
from nurture.domain.delivery import CountedMail, Delivery, DeliveryState, Settled
from nurture.domain.enrolment import Enrolment, EnrolmentState, PastEnrolment
from nurture.domain.event import Event
from nurture.domain.ledger import Fact
from nurture.domain.needs import SnapshotNeeds
from nurture.domain.snapshot import ConsentChange, Outgoing, Snapshot, StageChange

_ACTIVE = EnrolmentState.ACTIVE


@dataclass(slots=True)
class Resident:
    """One person and all that was recorded of her. `at` maps deliveries to when they ended.

    `history` holds all events, `known` those the programme can ask for now. `version` counts what was written about
    her, so that a gate sees whether anything was since the last look.
    """

    contact: Contact
    pending: list[Event] = field(default_factory=list)
    history: dict[str, list[Event]] = field(default_factory=dict)
    known: dict[str, list[Event]] = field(default_factory=dict)
    enrolments: list[Enrolment] = field(default_factory=list)
    closed: list[Enrolment] = field(default_factory=list)
    past: dict[str, PastEnrolment] = field(default_factory=dict)
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    at: dict[int, datetime] = field(default_factory=dict)
    mails: dict[int, CountedMail] = field(default_factory=dict)
    received: dict[tuple[str, str], datetime] = field(default_factory=dict)
    settled: list[Settled] = field(default_factory=list)
    stages: list[StageChange] = field(default_factory=list)
    consents: list[ConsentChange] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    ledger: list[Fact] = field(default_factory=list)
    turn_at: datetime | None = None
    version: int = 0
    forget_at: datetime | None = None  # when the first of `known` lies too far back

    @property
    def all_enrolments(self) -> list[Enrolment]:
        """Past and present, in the order they began to exist."""
        return sorted([*self.closed, *self.enrolments], key=lambda enrolment: enrolment.seq)

    @property
    def sent(self) -> list[Delivery]:
        """Her mail, in the order it was accepted."""
        accepted = [each for each in self.deliveries.values() if each.state is DeliveryState.SENT]
        return sorted(accepted, key=lambda delivery: (self.at[delivery.seq], delivery.seq))

    def snapshot(self, needs: SnapshotNeeds, now: datetime, paused: frozenset[str]) -> Snapshot:
        """What storage would load. The enrolments are her own: `decide` changes them in place."""
        told = now
        if self.pending and self.pending[0].at < now:
            told = self.pending[0].at
            if any(enrolment.is_watched(told) for enrolment in self.closed):
                self.enrolments, self.closed = self.all_enrolments, []
        over = [each for each in self.enrolments if each.state is not _ACTIVE and not each.is_watched(told)]
        if over:
            self.closed += over
            self.enrolments = [enrolment for enrolment in self.enrolments if enrolment.is_watched(told)]
        self._forget(needs, now)
        since = now - needs.caps
        return Snapshot(
            contact=self.contact,
            pending=self.pending,
            history=self.known,
            enrolments=self.enrolments,
            past=self.past,
            mails=[mail for mail in self.mails.values() if mail.at is None or mail.at > since],
            received=self.received,
            settled=self.settled,
            paused=paused,
        )

    def remember(self, event: Event, needs: SnapshotNeeds) -> None:
        """It was judged."""
        _put(self.history.setdefault(event.name, []), event)
        if event.name in needs.events:
            _put(self.known.setdefault(event.name, []), event)
            self._keep(event, needs)

    def look_back(self, needs: SnapshotNeeds) -> None:
        """Another programme asks for other events."""
        self.known = {name: list(self.history[name]) for name in needs.events if name in self.history}
        self.forget_at = None
        for seen in self.known.values():
            self._keep(seen[0], needs)

    def _keep(self, event: Event, needs: SnapshotNeeds) -> None:
        """Until it lies too far back."""
        back = needs.events[event.name]
        if back is not None and (self.forget_at is None or event.at + back < self.forget_at):
            self.forget_at = event.at + back

    def _forget(self, needs: SnapshotNeeds, now: datetime) -> None:
        """What lies further back than anybody looks is not loaded; and time only moves on."""
        if self.forget_at is None or now < self.forget_at:
            return
        self.forget_at = None
        for name, seen in self.known.items():
            back = needs.events[name]
            if back is not None and seen and seen[0].at <= now - back:
                self.known[name] = [event for event in seen if event.at > now - back]
        for seen in self.known.values():
            if seen:
                self._keep(seen[0], needs)


def _put(seen: list[Event], event: Event) -> None:
    if seen and (seen[-1].at, seen[-1].id) > (event.at, event.id):
        insort(seen, event, key=lambda each: (each.at, each.id))
    else:
        seen.append(event)

"""A world on a virtual clock: people, events and mails in memory, decided by the same `decide` as the real thing.

No SQL, no rendering, no chance. Time jumps from one due instant to the next. What a turn reads and what becomes of its
effects is what storage and dispatch would do; only the wire is made up, by a `Post` function that says how each
attempt ends. Serves `nurture simulate`, the tests beside campaigns, and the proofs of the rules.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from nurture.domain.arbitration import allowed_from
from nurture.domain.contact import Contact
from nurture.domain.decide import decide
from nurture.domain.delivery import CountedMail, Delivery, DeliveryState, Settled
from nurture.domain.enrolment import Enrolment, PastEnrolment
from nurture.domain.event import NOTHING, Event
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.needs import SnapshotNeeds, needs_of
from nurture.domain.programme import Programme
from nurture.domain.recheck import Dropped, NotNow, Proceed, recheck
from nurture.domain.snapshot import Turn
from nurture.domain.steps import MailKind
from nurture.engine.resident import Resident

SECOND = timedelta(seconds=1)
ZERO = timedelta()
_ENDINGS = {
    DeliveryState.SENT: (FactKind.SENT, Reason.ACCEPTED),
    DeliveryState.REJECTED: (FactKind.REJECTED, Reason.ADDRESS),
    DeliveryState.UNKNOWN: (FactKind.UNKNOWN, Reason.NO_REPLY),
    DeliveryState.SKIPPED: (FactKind.SKIPPED, None),
    DeliveryState.EXPIRED: (FactKind.EXPIRED, None),
    DeliveryState.CANCELLED: (FactKind.CANCELLED, None),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt ends: `state` is sent, rejected, unknown, deferred, or skipped for a `reason`.

    `gate` is how long after the last look the gate stands, `reply` how long after the gate the end is known; a deferred
    mail is tried again after `retry`.
    """

    state: DeliveryState = DeliveryState.SENT
    gate: timedelta = ZERO
    reply: timedelta = ZERO
    retry: timedelta = timedelta(minutes=10)
    reason: Reason | None = None
    detail: Mapping[str, Any] = NOTHING


Post = Callable[[Delivery, datetime], Answer]
SENT = Answer()


def sent_at_once(_delivery: Delivery, _now: datetime) -> Answer:
    """A perfect relay."""
    return SENT


def relay_down(until: datetime) -> Post:
    """Nothing leaves before `until`."""

    def post(_delivery: Delivery, now: datetime) -> Answer:
        return SENT if now >= until else Answer(DeliveryState.DEFERRED, retry=until - now)

    return post


# At one instant events come first, then turns, then the wire.
_ARRIVE, _TURN, _DISPATCH, _GATE, _SETTLE = range(5)


class World:
    """People under one programme, from `start` on. Everything that happens is queued and done in order of time."""

    def __init__(
        self,
        programme: Programme,
        start: datetime,
        post: Post = sent_at_once,
        needs: SnapshotNeeds | None = None,
    ) -> None:
        self.programme = programme
        self.now = start
        self.people: dict[int, Resident] = {}
        self.turns = 0
        self._post = post
        self._needs = needs if needs is not None else needs_of(programme)
        self._paused: frozenset[str] = frozenset()
        self._queue: list[tuple[datetime, int, int, int, Any]] = []
        self._order = 0
        self._events = 0
        self._doing: tuple[Callable[[Resident, Any], None], ...] = (
            self._arrive,
            self._turn,
            self._dispatch,
            self._gate,
            self._settle,
        )

    # --- what comes from outside

    def add(self, contact: Contact, history: Iterable[Event] = ()) -> Resident:
        """Somebody is known from now on; her history was judged elsewhere, long ago."""
        person = self.people[contact.id] = Resident(contact)
        for event in history:
            person.remember(event, self._needs)
        self._wake(person, self.now)
        return person

    def admit(self, person: Resident, due_at: datetime | None) -> None:
        """Somebody who has lived elsewhere goes on here: next due at `due_at`, with the mail that is still to go."""
        self.people[person.contact.id] = person
        person.look_back(self._needs)
        for delivery in person.deliveries.values():
            if delivery.state.is_pending:
                self._put(max(delivery.not_before, self.now), _DISPATCH, person.contact.id, delivery.seq)
        if person.pending or person.settled:
            due_at = self.now
        if due_at is not None:
            self._wake(person, max(due_at, self.now))

    def post(
        self,
        contact_id: int,
        name: str,
        at: datetime,
        properties: Mapping[str, Any] = NOTHING,
        *,
        happened: datetime | None = None,
    ) -> Event:
        """An event is received at `at`; it `happened` then, or earlier if it is reported late."""
        self._events += 1
        event = Event(self._events, name, happened or at, properties)
        self._put(max(at, self.now), _ARRIVE, contact_id, event)
        return event

    def change(self, contact_id: int, **columns: Any) -> None:
        """Somebody else wrote to her row: attributes, zone, address."""
        person = self.people[contact_id]
        person.contact = replace(person.contact, **columns)
        person.version += 1
        self._wake(person, self.now)

    def apply(self, programme: Programme) -> None:
        """A new revision holds from now on; everybody is looked at."""
        self.programme = programme
        self._needs = needs_of(programme)
        for person in self.people.values():
            person.look_back(self._needs)
        self._wake_all()

    def pause(self, campaign: str) -> None:
        self._paused |= {campaign}

    def resume(self, campaign: str) -> None:
        self._paused -= {campaign}
        self._wake_all()

    # --- the clock

    def run_until(self, instant: datetime) -> None:
        """Do everything that is due by `instant`, which is then the time."""
        queue = self._queue
        while queue and queue[0][0] <= instant:
            self.step()
        self.now = max(self.now, instant)

    def step(self) -> None:
        """Do the one thing that is due next. Raises IndexError when there is none."""
        self.now, work, _, contact_id, what = heappop(self._queue)
        self._doing[work](self.people[contact_id], what)

    @property
    def next_at(self) -> datetime | None:
        """When something happens next; None when all is quiet for ever."""
        return self._queue[0][0] if self._queue else None

    def _put(self, at: datetime, work: int, contact_id: int, what: Any = None) -> None:
        self._order += 1
        heappush(self._queue, (at, work, self._order, contact_id, what))

    def _wake(self, person: Resident, at: datetime) -> None:
        if person.turn_at is None or at < person.turn_at:
            person.turn_at = at
            self._put(at, _TURN, person.contact.id, at)

    def _wake_all(self) -> None:
        for person in self.people.values():
            self._wake(person, self.now)

    # --- turns

    def _arrive(self, person: Resident, event: Event) -> None:
        insort(person.pending, event, key=lambda each: (each.at, each.id))
        self._wake(person, self.now)

    def _turn(self, person: Resident, at: datetime) -> None:
        if person.turn_at != at:
            return  # she was woken earlier
        self.turns += 1
        turn = decide(self.programme, person.snapshot(self._needs, self.now, self._paused), self.now)
        self._write(person, turn)

    def _write(self, person: Resident, turn: Turn) -> None:
        person.contact = turn.contact
        person.version += 1
        for event in person.pending:
            person.remember(event, self._needs)
        person.pending, person.settled = [], []
        if turn.enrolments:
            known = {enrolment.seq for enrolment in person.enrolments}
            for enrolment in turn.enrolments:
                if enrolment.seq not in known:
                    self._enrolled(person, enrolment)
        for delivery in turn.deliveries:
            self._planned(person, delivery)
        person.stages += turn.stages
        person.consents += turn.consents
        person.outgoing += turn.outgoing
        person.ledger += turn.facts
        for seq in turn.cancelled:
            if person.deliveries[seq].state.is_pending:
                self._end(person, seq, DeliveryState.CANCELLED, Reason.LEFT_CAMPAIGN, {})
        for recorded in turn.recorded:  # a moment later, so that a circle of events is a run through time
            self.post(person.contact.id, recorded.name, self.now + SECOND, recorded.properties, happened=recorded.at)
        person.turn_at = None
        if turn.contact.due_at is not None:
            self._wake(person, turn.contact.due_at)

    def _enrolled(self, person: Resident, enrolment: Enrolment) -> None:
        person.enrolments.append(enrolment)
        past = person.past.get(enrolment.campaign)
        last = enrolment.started_at if past is None else max(enrolment.started_at, past.last_started_at)
        person.past[enrolment.campaign] = PastEnrolment(enrolment.campaign, last, past.count + 1 if past else 1)

    def _planned(self, person: Resident, delivery: Delivery) -> None:
        is_ghost = delivery.state is DeliveryState.GHOST
        person.deliveries[delivery.seq] = delivery
        if is_ghost:
            person.at[delivery.seq] = self.now
        else:
            self._put(max(delivery.not_before, self.now), _DISPATCH, delivery.contact_id, delivery.seq)
        if delivery.kind is MailKind.MARKETING:
            person.mails[delivery.seq] = CountedMail(
                self.now if is_ghost else None, delivery.category, delivery.campaign, delivery.step, is_ghost
            )

    # --- the wire

    def _dispatch(self, person: Resident, seq: int) -> None:
        delivery = person.deliveries[seq]
        state = delivery.state
        if state is not DeliveryState.PLANNED and state is not DeliveryState.DEFERRED:
            return
        if delivery.not_before > self.now:
            return
        snapshot = person.snapshot(self._needs, self.now, self._paused)
        match recheck(self.programme, snapshot, delivery, self.now):
            case Dropped(state=ended, reason=reason, detail=detail):
                self._settled(person, seq, ended, reason, detail)
            case NotNow(until=until):
                self._try_at(person, delivery, delivery.state, until)
            case Proceed() as proceed:
                answer = self._post(delivery, self.now)
                if not answer.gate and not answer.reply and not person.pending:
                    self._settle(person, (seq, answer))  # nothing can come between the last look and the end
                    return
                person.deliveries[seq] = delivery.in_state(DeliveryState.CLAIMED)
                self._later(answer.gate, _GATE, person, (seq, person.version, proceed, answer))

    def _later(self, delay: timedelta, work: int, person: Resident, what: Any) -> None:
        if delay:
            self._put(self.now + delay, work, person.contact.id, what)
        else:
            self._doing[work](person, what)

    def _gate(self, person: Resident, what: tuple[int, int, Proceed, Answer]) -> None:
        """The last guard: nothing was decided about her since the last look, and it is not too late or too early."""
        seq, version, proceed, answer = what
        delivery = person.deliveries[seq]
        if delivery.state is not DeliveryState.CLAIMED:
            return
        is_open = not person.pending and person.version == version and delivery.campaign not in self._paused
        if is_open and answer.gate:
            zone = person.contact.zone
            allowed = allowed_from(self.programme, proceed.campaign, proceed.send, self.now, zone)
            is_open = allowed <= self.now <= delivery.expires_at
        if not is_open:
            self._try_at(person, delivery, DeliveryState.PLANNED, self.now)
            return
        person.deliveries[seq] = delivery.in_state(DeliveryState.GATED)
        self._later(answer.reply, _SETTLE, person, (seq, answer))

    def _settle(self, person: Resident, what: tuple[int, Answer]) -> None:
        seq, answer = what
        if answer.state is DeliveryState.DEFERRED:
            delivery = person.deliveries[seq]
            self._note(person, delivery, FactKind.DEFERRED, Reason.RELAY, {})
            self._try_at(person, delivery, DeliveryState.DEFERRED, self.now + answer.retry)
            return
        self._settled(person, seq, answer.state, answer.reason, answer.detail)

    def _try_at(self, person: Resident, delivery: Delivery, state: DeliveryState, at: datetime) -> None:
        person.deliveries[delivery.seq] = replace(delivery, state=state, not_before=at)
        self._put(at, _DISPATCH, person.contact.id, delivery.seq)

    def _settled(
        self, person: Resident, seq: int, state: DeliveryState, reason: Reason | None, detail: Mapping[str, Any]
    ) -> None:
        """A mail ended; the person goes on."""
        self._end(person, seq, state, reason, detail)
        person.settled.append(Settled(seq, person.deliveries[seq].enrolment, state, self.now))
        self._wake(person, self.now)

    def _end(
        self, person: Resident, seq: int, state: DeliveryState, reason: Reason | None, detail: Mapping[str, Any]
    ) -> None:
        delivery = person.deliveries[seq] = person.deliveries[seq].in_state(state)
        person.at[seq] = self.now
        kind, usual = _ENDINGS[state]
        self._note(person, delivery, kind, reason or usual, detail)
        if not state.counts:
            person.mails.pop(seq, None)
            return
        person.received[delivery.campaign, delivery.step] = self.now
        mail = person.mails.get(seq)
        if mail is not None:
            person.mails[seq] = CountedMail(self.now, mail.category, mail.campaign, mail.step, mail.ghost)

    def _note(
        self, person: Resident, delivery: Delivery, kind: FactKind, reason: Reason | None, detail: Mapping[str, Any]
    ) -> None:
        person.ledger.append(
            Fact(
                at=self.now,
                kind=kind,
                reason=reason,
                campaign=delivery.campaign,
                enrolment=delivery.enrolment,
                step=delivery.step,
                delivery=delivery.seq,
                detail=detail,
            )
        )

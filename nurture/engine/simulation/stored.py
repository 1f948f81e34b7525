"""The people of the database, and their future as it is planned: nothing more happens to them from outside."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime

from nurture.domain.delivery import CountedMail, Delivery, DeliveryState, Settled
from nurture.domain.needs import needs_of
from nurture.domain.programme import Programme
from nurture.domain.steps import MailKind
from nurture.engine.people import find
from nurture.engine.resident import Resident
from nurture.engine.simulation.lives import Lived, Lives
from nurture.storage.database import Database
from nurture.storage.outlook import Outlook, outlook_of, outlooks


@dataclass(frozen=True, slots=True)
class Stored:
    """One person as she was `now`."""

    resident: Resident
    now: datetime
    due_at: datetime | None
    paused: frozenset[str]

    def live(self, lives: Lives) -> Lived:
        return lives.ahead(deepcopy(self.resident), self.now, self.due_at, self.paused)


def stored_people(database: Database, programme: Programme, now: datetime) -> Iterator[Stored]:
    """Everybody, as they are `now`."""
    for batch in outlooks(database, needs_of(programme), now):
        for each in batch:
            yield Stored(resident_of(each, now), now, each.due_at, each.snapshot.paused)


def stored_person(database: Database, programme: Programme, name: str, now: datetime) -> Stored:
    """One contact, by address or id, as she is `now`. Raises NurtureError when there is none."""
    with database.read() as tx:
        outlook = outlook_of(tx, needs_of(programme), find(tx, name).id, now)
    return Stored(resident_of(outlook, now), now, outlook.due_at, outlook.snapshot.paused)


def resident_of(outlook: Outlook, now: datetime) -> Resident:
    """Mail that is between its gate and its end is taken for sent; what is claimed has still to go."""
    snapshot = outlook.snapshot
    settled = list(snapshot.settled)
    person = Resident(
        snapshot.contact,
        pending=list(snapshot.pending),
        history={name: list(seen) for name, seen in snapshot.history.items()},
        enrolments=list(snapshot.enrolments),
        past=dict(snapshot.past),
        received=dict(snapshot.received),
        settled=settled,
    )
    for place, mail in enumerate(each for each in snapshot.mails if each.at is not None):
        person.mails[-1 - place] = mail
    for delivery in outlook.open:
        gated = delivery.state is DeliveryState.GATED
        state = DeliveryState.SENT if gated else DeliveryState.PLANNED
        person.deliveries[delivery.seq] = replace(delivery, state=state)
        if delivery.kind is MailKind.MARKETING:
            person.mails[delivery.seq] = _counted(delivery, now if gated else None)
        if gated:
            person.at[delivery.seq] = now
            settled.append(Settled(delivery.seq, delivery.enrolment, state, now))
    return person


def _counted(delivery: Delivery, at: datetime | None) -> CountedMail:
    return CountedMail(at, delivery.category, delivery.campaign, delivery.step)

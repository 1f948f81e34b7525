"""What one turn reads, and what it writes: the two ends of `decide`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nurture.domain.contact import Contact
from nurture.domain.delivery import CountedMail, Delivery, Settled
from nurture.domain.enrolment import Enrolment, PastEnrolment
from nurture.domain.event import NOTHING, Event
from nurture.domain.ledger import Fact


@dataclass(slots=True)
class Snapshot:
    """One contact, locked, with all that her decisions may need.

    `pending` are unprocessed events in order (at, id). `history` holds processed events by name, oldest first, of the
    names the programme's expressions can ask for. `enrolments` are the active ones and those still watched for a goal.
    `mails` are the marketing mails that can still count against a cap. `received` maps (campaign, step) to when it was
    last sent. `settled` are deliveries that ended since the last turn. `paused` names campaigns paused by hand.
    """

    contact: Contact
    pending: Sequence[Event] = ()
    history: Mapping[str, Sequence[Event]] = field(default=NOTHING)
    enrolments: Sequence[Enrolment] = ()
    past: Mapping[str, PastEnrolment] = field(default=NOTHING)
    mails: Sequence[CountedMail] = ()
    received: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    settled: Sequence[Settled] = ()
    paused: frozenset[str] = frozenset()


@dataclass(slots=True)
class StageChange:
    """A row of the append-only stage history."""

    at: datetime
    from_stage: str | None
    to_stage: str
    event_id: int | None = None


@dataclass(slots=True)
class Recorded:
    """An event of our own, to be stored and judged in the next turn."""

    name: str
    at: datetime
    properties: Mapping[str, Any]


@dataclass(slots=True)
class Outgoing:
    """A webhook call or an alert to a team: done at least once, outside the turn."""

    kind: str
    name: str
    at: datetime
    payload: Mapping[str, Any]


@dataclass(slots=True)
class ConsentChange:
    """A row of proof: who said yes or no to what, when, by which event. `topic` None is all marketing mail."""

    at: datetime
    granted: bool
    topic: str | None
    event_id: int | None
    source: str


@dataclass(slots=True)
class Turn:
    """The effects of one turn, written in one transaction.

    `contact` is the row after the turn (its `due_at` says when it is due again, None: not by time). `enrolments` are
    the new and changed ones, `cancelled` the seqs of pending deliveries that must not go any more. `put_off`: nothing
    was decided, so nothing of the snapshot counts as seen.
    """

    contact: Contact
    processed: list[int] = field(default_factory=list)
    stages: list[StageChange] = field(default_factory=list)
    consents: list[ConsentChange] = field(default_factory=list)
    enrolments: list[Enrolment] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    put_off: bool = False

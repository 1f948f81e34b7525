"""Work on people: the queue, where they stand in campaigns, their mails, what happened and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from nurture.domain.delivery import DeliveryState
from nurture.domain.enrolment import EnrolmentState, LeftBy
from nurture.domain.steps import MailKind
from nurture.storage.tables.columns import (
    Row,
    id_column,
    instant_column,
    json_column,
    key_column,
    number_column,
    one_of,
    owner_column,
    partial_index,
    text_column,
)
from nurture.storage.types import UTCDateTime

# Written out, not bound: a partial index is used only where the planner can read the same words in the query.
READY = "state IN ('planned', 'deferred')"
HELD = "state IN ('claimed', 'gated')"
ACTIVE = "state = 'active'"


class DueRow(Row, table=True):
    """No foreign key: the queue is written and emptied far too often; whoever erases a contact empties her queue."""

    __tablename__ = "due"
    __table_args__ = ({"sqlite_with_rowid": False},)

    at: datetime = Field(sa_type=UTCDateTime, primary_key=True, sa_column_kwargs={"autoincrement": False})
    contact_id: int = key_column()


class EnrolmentRow(Row, table=True):
    __tablename__ = "enrolments"
    __table_args__ = (
        one_of("state", EnrolmentState),
        one_of("left_by", LeftBy),
        partial_index("ix_enrolments_active", "campaign", "node", where=ACTIVE),
    )

    contact_id: int = owner_column(key=True)
    seq: int = key_column()
    campaign: str = text_column()
    key: str = text_column()
    revision: int = number_column()
    started_at: datetime = instant_column()
    start: dict[str, Any] = json_column(default_factory=dict)
    state: str = text_column()
    held_out: bool = False
    node: str | None = text_column(default=None)
    since: datetime | None = instant_column(default=None)
    due_at: datetime | None = instant_column(default=None)
    planned_for: datetime | None = instant_column(default=None)
    in_flight: int | None = number_column(default=None)
    passes: int = number_column(default=1)
    visits: dict[str, int] = json_column(default_factory=dict)
    jumps: dict[str, int] = json_column(default_factory=dict)
    grants: dict[str, Any] = json_column(default_factory=dict)
    ended_at: datetime | None = instant_column(default=None)
    left_by: str | None = text_column(default=None)
    goal_at: datetime | None = instant_column(default=None)
    goal_value: float | None = None
    watch_until: datetime | None = instant_column(default=None)


class DeliveryRow(Row, table=True):
    """`rank` orders claims (transactional first, then priority). `epoch` grows with every claim and fences old owners.

    `settled_at` is when a settled delivery got its end: for caps, when it counts. `acknowledged`: a turn of the contact
    has seen that end. `attempts` counts rows of `attempts`, `tries` those that used up a try of this person, `unknowns`
    how often its fate was lost.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("contact_id", "enrolment", "step", "visit"),
        one_of("state", DeliveryState),
        one_of("kind", MailKind),
        partial_index("ix_deliveries_ready", "rank", "not_before", "contact_id", "seq", where=READY),
        partial_index("ix_deliveries_held", "lease_until", where=HELD),
        Index(None, "campaign", "settled_at"),
        {"sqlite_with_rowid": False},
    )

    contact_id: int = owner_column(key=True)
    seq: int = key_column()
    enrolment: int = number_column()
    campaign: str = text_column()
    step: str = text_column()
    visit: int = number_column()
    kind: str = text_column()
    template: str = text_column()
    category: str | None = text_column(default=None)
    priority: int = number_column()
    rank: int = number_column()
    domain: str | None = text_column(default=None)
    planned_at: datetime = instant_column()
    due_at: datetime = instant_column()
    not_before: datetime = instant_column()
    expires_at: datetime = instant_column()
    revision: int = number_column()
    state: str = text_column()
    owner: str | None = text_column(default=None)
    epoch: int = number_column(default=0)
    lease_until: datetime | None = instant_column(default=None)
    gated_at: datetime | None = instant_column(default=None)
    first_gated_at: datetime | None = instant_column(default=None)
    settled_at: datetime | None = instant_column(default=None)
    reason: str | None = text_column(default=None)
    attempts: int = number_column(default=0)
    tries: int = number_column(default=0)
    unknowns: int = number_column(default=0)
    acknowledged: bool = False


class AttemptRow(Row, table=True):
    """One try at the wire, with what the relay said."""

    __tablename__ = "attempts"

    contact_id: int = owner_column(key=True)
    seq: int = key_column()
    no: int = key_column()
    at: datetime = instant_column()
    phase: str = text_column()
    code: int | None = number_column(default=None)
    enhanced: str | None = text_column(default=None)
    text: str | None = text_column(default=None)
    verdict: str = text_column()


class KeptMailRow(Row, table=True):
    """A transactional mail from its gate to its end; `data` is the whole message. See kept_mails.py."""

    __tablename__ = "kept_mails"

    contact_id: int = owner_column(key=True)
    seq: int = key_column()
    sender: str = text_column()
    recipient: str = text_column()
    envid: str | None = text_column(default=None)
    needs_smtputf8: bool = False
    data: str = text_column()


class LedgerRow(Row, table=True):
    """What happened to whom, and why. Append-only; the largest table."""

    __tablename__ = "ledger"
    __table_args__ = (  # no CHECK of `kind`: a new kind must not mean rebuilding the largest table
        Index(None, "contact_id", "id"),
        Index(None, "campaign", "at"),
    )

    id: int | None = id_column()
    contact_id: int = owner_column()
    at: datetime = instant_column()
    kind: str = text_column()
    reason: str | None = text_column(default=None)
    campaign: str | None = text_column(default=None)
    enrolment: int | None = number_column(default=None)
    step: str | None = text_column(default=None)
    delivery: int | None = number_column(default=None)
    detail: dict[str, Any] = json_column(default_factory=dict)
    revision: int = number_column()


class OutgoingRow(Row, table=True):
    """A webhook call or an alert: at least once. `next_at` is null once it is done or given up."""

    __tablename__ = "outgoing"
    __table_args__ = (
        Index(None, "contact_id"),
        partial_index("ix_outgoing_open", "next_at", where="next_at IS NOT NULL"),
    )

    id: int | None = id_column()
    contact_id: int = owner_column()
    kind: str = text_column()
    name: str = text_column()
    at: datetime = instant_column()
    payload: dict[str, Any] = json_column(default_factory=dict)
    tries: int = number_column(default=0)
    next_at: datetime | None = instant_column(default=None)
    done_at: datetime | None = instant_column(default=None)
    error: str | None = text_column(default=None)

"""The tables. Rows only: they validate nothing but what the CHECKs say, and never leave this folder.

Personal tables carry `contact_id` at the head of their key or of an index, and go with the contact (ON DELETE CASCADE).
`due` is the queue: small rows, clustered by time, at most one per contact for her own next instant, plus wakes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Index, MetaData, Table, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.delivery import DeliveryState
from nurture.domain.enrolment import EnrolmentState, LeftBy
from nurture.domain.steps import MailKind
from nurture.storage.types import BigId, Json, UTCDateTime

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# Written out, not bound: a partial index is used only where the planner can read the same words in the query.
READY = "state IN ('planned', 'deferred')"
HELD = "state IN ('claimed', 'gated')"
UNPROCESSED = "processed_at IS NULL"
ACTIVE = "state = 'active'"
# Marks that shut every gate: nothing is claimed and nothing leaves while one of them stands.
HOLD, STOPPED = "hold", "stopped"
SHUT = f"EXISTS (SELECT 1 FROM marks WHERE name IN ('{HOLD}', '{STOPPED}'))"  # noqa: S608


class NameKind(StrEnum):
    """What an other name is: an e-mail address is kept in its canonical form, a contact id in decimal."""

    ANONYMOUS = "anonymous"
    EXTERNAL = "external"
    EMAIL = "email"
    CONTACT = "contact"


class Row(SQLModel):
    """All tables share this metadata, whose names of constraints are fixed so that migrations can speak of them."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMES)


def _one_of(column: str, values: Iterable[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _length(column: str, most: int) -> CheckConstraint:
    return CheckConstraint(f"length({column}) BETWEEN 1 AND {most}", name=column)


def _partial(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


def _text(**options: Any) -> Any:
    return Field(sa_type=Text, **options)


def _instant(**options: Any) -> Any:
    return Field(sa_type=UTCDateTime, **options)


def _json(**options: Any) -> Any:
    return Field(sa_type=Json, **options)


def _id() -> Any:
    return Field(default=None, sa_type=BigId, primary_key=True)


def _number(**options: Any) -> Any:
    return Field(sa_type=BigId, **options)


def _owner(*, key: bool = False) -> Any:
    """The column `contact_id`."""
    return Field(
        sa_type=BigId,
        primary_key=key,
        sa_column_args=[ForeignKey("contacts.id", ondelete="CASCADE")],
        sa_column_kwargs={"autoincrement": False} if key else {},
    )


def _key(**options: Any) -> Any:
    """A whole number that is part of the primary key and given by us."""
    return Field(sa_type=BigId, primary_key=True, sa_column_kwargs={"autoincrement": False}, **options)


class ContactRow(Row, table=True):
    """`email_key` is the canonical address; `address_key` its keyed hash, by which suppressions outlive the address."""

    __tablename__ = "contacts"
    __table_args__ = (
        UniqueConstraint("email_key"),
        UniqueConstraint("external_id"),
        _one_of("consent", Consent),
        _length("email", 320),
        _length("external_id", 255),
        CheckConstraint("next_seq >= 1", name="next_seq"),
        # an id is part of links in mails that are out: it must never come back as another person
        {"sqlite_autoincrement": True},
    )

    id: int | None = _id()
    email: str | None = _text(default=None)
    email_key: str | None = _text(default=None)
    address_key: str | None = _text(default=None)
    domain: str | None = _text(default=None)
    external_id: str | None = _text(default=None)
    attributes: dict[str, Any] = _json(default_factory=dict)
    zone: str | None = _text(default=None)
    locale: str | None = _text(default=None)
    stage: str | None = _text(default=None)
    stage_since: datetime | None = _instant(default=None)
    created_at: datetime = _instant()
    consent: str = _text(default=Consent.NONE)
    opted_out: list[str] = _json(default_factory=list)
    paused_until: datetime | None = _instant(default=None)
    memberships: dict[str, bool] = _json(default_factory=dict)
    enrols: bool = True
    next_seq: int = _number(default=1)
    version: int = _number(default=0)
    due_at: datetime | None = _instant(default=None)
    own_cap_days: int | None = _number(default=None)


class NameRow(Row, table=True):
    """Other names of a contact: browsers' anonymous ids, and what those were called who were merged into her.

    `shift` is for former contact ids: what had number n among their mails and enrolments has number n + shift among
    hers.
    """

    __tablename__ = "names"
    __table_args__ = (
        _one_of("kind", NameKind),
        _length("value", 320),
        Index(None, "contact_id"),
        {"sqlite_with_rowid": False},
    )

    kind: str = _text(primary_key=True)
    value: str = _text(primary_key=True)
    contact_id: int = _owner()
    shift: int = _number(default=0)


class EventRow(Row, table=True):
    """What happened, kept as told; (source, message_id) makes telling it twice harmless."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("source", "message_id"),
        _length("name", 200),
        _length("message_id", 255),
        Index(None, "contact_id", "name", "at"),
        _partial("ix_events_unprocessed", "contact_id", "at", "id", where=UNPROCESSED),
    )

    id: int | None = _id()
    contact_id: int = _owner()
    name: str = _text()
    at: datetime = _instant()
    received_at: datetime = _instant()
    properties: dict[str, Any] = _json(default_factory=dict)
    source: str = _text()
    message_id: str = _text()
    processed_at: datetime | None = _instant(default=None)


class DueRow(Row, table=True):
    """No foreign key: the queue is written and emptied far too often; whoever erases a contact empties her queue."""

    __tablename__ = "due"
    __table_args__ = ({"sqlite_with_rowid": False},)

    at: datetime = Field(sa_type=UTCDateTime, primary_key=True, sa_column_kwargs={"autoincrement": False})
    contact_id: int = _key()


class EnrolmentRow(Row, table=True):
    __tablename__ = "enrolments"
    __table_args__ = (
        _one_of("state", EnrolmentState),
        _one_of("left_by", LeftBy),
        _partial("ix_enrolments_active", "campaign", "node", where=ACTIVE),
    )

    contact_id: int = _owner(key=True)
    seq: int = _key()
    campaign: str = _text()
    key: str = _text()
    revision: int = _number()
    started_at: datetime = _instant()
    start: dict[str, Any] = _json(default_factory=dict)
    state: str = _text()
    held_out: bool = False
    node: str | None = _text(default=None)
    since: datetime | None = _instant(default=None)
    due_at: datetime | None = _instant(default=None)
    planned_for: datetime | None = _instant(default=None)
    in_flight: int | None = _number(default=None)
    passes: int = _number(default=1)
    visits: dict[str, int] = _json(default_factory=dict)
    jumps: dict[str, int] = _json(default_factory=dict)
    grants: dict[str, Any] = _json(default_factory=dict)
    ended_at: datetime | None = _instant(default=None)
    left_by: str | None = _text(default=None)
    goal_at: datetime | None = _instant(default=None)
    goal_value: float | None = None
    watch_until: datetime | None = _instant(default=None)


class DeliveryRow(Row, table=True):
    """`rank` orders claims (transactional first, then priority). `epoch` grows with every claim and fences old owners.

    `settled_at` is when a settled delivery got its end: for caps, when it counts. `acknowledged`: a turn of the contact
    has seen that end. `attempts` counts rows of `attempts`, `tries` those that used up a try of this person, `unknowns`
    how often its fate was lost.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("contact_id", "enrolment", "step", "visit"),
        _one_of("state", DeliveryState),
        _one_of("kind", MailKind),
        _partial("ix_deliveries_ready", "rank", "not_before", "contact_id", "seq", where=READY),
        _partial("ix_deliveries_held", "lease_until", where=HELD),
        Index(None, "campaign", "settled_at"),
        {"sqlite_with_rowid": False},
    )

    contact_id: int = _owner(key=True)
    seq: int = _key()
    enrolment: int = _number()
    campaign: str = _text()
    step: str = _text()
    visit: int = _number()
    kind: str = _text()
    template: str = _text()
    category: str | None = _text(default=None)
    priority: int = _number()
    rank: int = _number()
    domain: str | None = _text(default=None)
    planned_at: datetime = _instant()
    due_at: datetime = _instant()
    not_before: datetime = _instant()
    expires_at: datetime = _instant()
    revision: int = _number()
    state: str = _text()
    owner: str | None = _text(default=None)
    epoch: int = _number(default=0)
    lease_until: datetime | None = _instant(default=None)
    gated_at: datetime | None = _instant(default=None)
    first_gated_at: datetime | None = _instant(default=None)
    settled_at: datetime | None = _instant(default=None)
    reason: str | None = _text(default=None)
    attempts: int = _number(default=0)
    tries: int = _number(default=0)
    unknowns: int = _number(default=0)
    acknowledged: bool = False


class AttemptRow(Row, table=True):
    """One try at the wire, with what the relay said."""

    __tablename__ = "attempts"

    contact_id: int = _owner(key=True)
    seq: int = _key()
    no: int = _key()
    at: datetime = _instant()
    phase: str = _text()
    code: int | None = _number(default=None)
    enhanced: str | None = _text(default=None)
    text: str | None = _text(default=None)
    verdict: str = _text()


class KeptMailRow(Row, table=True):
    """A transactional mail from its gate to its end; `data` is the whole message. See kept_mails.py."""

    __tablename__ = "kept_mails"

    contact_id: int = _owner(key=True)
    seq: int = _key()
    sender: str = _text()
    recipient: str = _text()
    envid: str | None = _text(default=None)
    needs_smtputf8: bool = False
    data: str = _text()


class StageChangeRow(Row, table=True):
    """Append-only: people drift back and repeat."""

    __tablename__ = "stage_changes"
    __table_args__ = (Index(None, "contact_id", "at"),)

    id: int | None = _id()
    contact_id: int = _owner()
    at: datetime = _instant()
    from_stage: str | None = _text(default=None)
    to_stage: str = _text()
    event_id: int | None = _number(default=None)


class ConsentRow(Row, table=True):
    """Proof: append-only."""

    __tablename__ = "consents"
    __table_args__ = (Index(None, "contact_id", "at"),)

    id: int | None = _id()
    contact_id: int = _owner()
    at: datetime = _instant()
    granted: bool
    topic: str | None = _text(default=None)
    event_id: int | None = _number(default=None)
    source: str = _text()


class SuppressionRow(Row, table=True):
    """Never written to again; by keyed hash, so that it outlives the erasure of the person."""

    __tablename__ = "suppressions"
    __table_args__ = (_one_of("reason", SuppressionReason),)

    address_key: str = _text(primary_key=True)
    reason: str = _text()
    at: datetime = _instant()
    source: str = _text()


class LedgerRow(Row, table=True):
    """What happened to whom, and why. Append-only; the largest table."""

    __tablename__ = "ledger"
    __table_args__ = (  # no CHECK of `kind`: a new kind must not mean rebuilding the largest table
        Index(None, "contact_id", "id"),
        Index(None, "campaign", "at"),
    )

    id: int | None = _id()
    contact_id: int = _owner()
    at: datetime = _instant()
    kind: str = _text()
    reason: str | None = _text(default=None)
    campaign: str | None = _text(default=None)
    enrolment: int | None = _number(default=None)
    step: str | None = _text(default=None)
    delivery: int | None = _number(default=None)
    detail: dict[str, Any] = _json(default_factory=dict)
    revision: int = _number()


class RevisionRow(Row, table=True):
    """`files` maps path -> sha256 of a blob; `moved` maps campaign -> {old node: new node or null}."""

    __tablename__ = "revisions"

    number: int = _key()
    applied_at: datetime = _instant()
    by: str = _text()
    files: dict[str, str] = _json()
    moved: dict[str, Any] = _json(default_factory=dict)


class BlobRow(Row, table=True):
    __tablename__ = "blobs"

    sha256: str = _text(primary_key=True)
    text: str = _text()


class CampaignControlRow(Row, table=True):
    """`since` is when the campaign was first applied; `paused_at` is set while it is paused by hand."""

    __tablename__ = "campaign_controls"

    name: str = _text(primary_key=True)
    since: datetime = _instant()
    paused_at: datetime | None = _instant(default=None)
    by: str | None = _text(default=None)


class DutyRow(Row, table=True):
    """Work that one daemon does for all, until its lease ends."""

    __tablename__ = "duties"

    name: str = _text(primary_key=True)
    owner: str = _text()
    until: datetime = _instant()


class OutgoingRow(Row, table=True):
    """A webhook call or an alert: at least once. `next_at` is null once it is done or given up."""

    __tablename__ = "outgoing"
    __table_args__ = (Index(None, "contact_id"), _partial("ix_outgoing_open", "next_at", where="next_at IS NOT NULL"))

    id: int | None = _id()
    contact_id: int = _owner()
    kind: str = _text()
    name: str = _text()
    at: datetime = _instant()
    payload: dict[str, Any] = _json(default_factory=dict)
    tries: int = _number(default=0)
    next_at: datetime | None = _instant(default=None)
    done_at: datetime | None = _instant(default=None)
    error: str | None = _text(default=None)


class RelayStateRow(Row, table=True):
    """What all daemons know of a relay (breaker, warm-up); `version` guards against lost updates."""

    __tablename__ = "relay_state"

    relay: str = _text(primary_key=True)
    state: dict[str, Any] = _json()
    version: int = _number()
    updated_at: datetime = _instant()


class ImportRow(Row, table=True):
    """One file of contacts, taken in."""

    __tablename__ = "imports"

    id: int | None = _id()
    source: str = _text()
    sha256: str = _text()
    started_at: datetime = _instant()
    finished_at: datetime | None = _instant(default=None)
    created: int = _number(default=0)
    updated: int = _number(default=0)
    refused: int = _number(default=0)
    by: str = _text()


class QuarantineRow(Row, table=True):
    """What came in and could not be taken, as it came (`body` is JSON text, perhaps cut), and why."""

    __tablename__ = "quarantine"

    id: int | None = _id()
    at: datetime = _instant()
    source: str = _text()
    reason: str = _text()
    body: str = _text()


class KeyRow(Row, table=True):
    """A key of the API. Only its hash is here: nobody can read a key out of the database."""

    __tablename__ = "api_keys"

    id: str = _text(primary_key=True)
    hash: str = _text()
    name: str = _text()
    scopes: list[str] = _json()
    created_at: datetime = _instant()
    revoked_at: datetime | None = _instant(default=None)
    used_at: datetime | None = _instant(default=None)


class ReplyRow(Row, table=True):
    """The answer to a request that bore an Idempotency-Key, so that asking again changes nothing.

    `request` is the hash of what was asked. `status` None: it is being worked on.
    """

    __tablename__ = "replies"
    __table_args__ = (Index(None, "at"),)

    api_key: str = _text(primary_key=True)
    route: str = _text(primary_key=True)
    idempotency_key: str = _text(primary_key=True)
    request: str = _text()
    at: datetime = _instant()
    status: int | None = _number(default=None)
    body: str | None = _text(default=None)


class MarkRow(Row, table=True):
    """Facts about this database itself: whose address hashes it holds, whether sending is on hold."""

    __tablename__ = "marks"

    name: str = _text(primary_key=True)
    value: dict[str, Any] = _json()
    at: datetime = _instant()


def _table(row: type[Row]) -> Table:
    return Row.metadata.tables[str(row.__tablename__)]


metadata = Row.metadata
contacts = _table(ContactRow)
names = _table(NameRow)
events = _table(EventRow)
due = _table(DueRow)
enrolments = _table(EnrolmentRow)
deliveries = _table(DeliveryRow)
attempts = _table(AttemptRow)
kept_mails = _table(KeptMailRow)
stage_changes = _table(StageChangeRow)
consents = _table(ConsentRow)
suppressions = _table(SuppressionRow)
ledger = _table(LedgerRow)
revisions = _table(RevisionRow)
blobs = _table(BlobRow)
campaign_controls = _table(CampaignControlRow)
duties = _table(DutyRow)
outgoing = _table(OutgoingRow)
relay_state = _table(RelayStateRow)
imports = _table(ImportRow)
quarantine = _table(QuarantineRow)
api_keys = _table(KeyRow)
replies = _table(ReplyRow)
marks = _table(MarkRow)

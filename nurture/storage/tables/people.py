"""People: who they are, what they did, what they allowed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint

from nurture.domain.contact import Consent, SuppressionReason
from nurture.storage.tables.columns import (
    Row,
    id_column,
    instant_column,
    json_column,
    length_of,
    number_column,
    one_of,
    owner_column,
    partial_index,
    text_column,
)

UNPROCESSED = "processed_at IS NULL"  # written out in queries: a partial index is used only by the same words


class NameKind(StrEnum):
    """What an other name is: an e-mail address is kept in its canonical form, a contact id in decimal."""

    ANONYMOUS = "anonymous"
    EXTERNAL = "external"
    EMAIL = "email"
    CONTACT = "contact"


class ContactRow(Row, table=True):
    """`email_key` is the canonical address; `address_key` its keyed hash, by which suppressions outlive the address."""

    __tablename__ = "contacts"
    __table_args__ = (
        UniqueConstraint("email_key"),
        UniqueConstraint("external_id"),
        one_of("consent", Consent),
        length_of("email", 320),
        length_of("external_id", 255),
        CheckConstraint("next_seq >= 1", name="next_seq"),
        # an id is part of links in mails that are out: it must never come back as another person
        {"sqlite_autoincrement": True},
    )

    id: int | None = id_column()
    email: str | None = text_column(default=None)
    email_key: str | None = text_column(default=None)
    address_key: str | None = text_column(default=None)
    domain: str | None = text_column(default=None)
    external_id: str | None = text_column(default=None)
    attributes: dict[str, Any] = json_column(default_factory=dict)
    zone: str | None = text_column(default=None)
    locale: str | None = text_column(default=None)
    stage: str | None = text_column(default=None)
    stage_since: datetime | None = instant_column(default=None)
    created_at: datetime = instant_column()
    consent: str = text_column(default=Consent.NONE)
    opted_out: list[str] = json_column(default_factory=list)
    paused_until: datetime | None = instant_column(default=None)
    memberships: dict[str, bool] = json_column(default_factory=dict)
    enrols: bool = True
    next_seq: int = number_column(default=1)
    version: int = number_column(default=0)
    due_at: datetime | None = instant_column(default=None)
    own_cap_days: int | None = number_column(default=None)


class NameRow(Row, table=True):
    """Other names of a contact: browsers' anonymous ids, and what those were called who were merged into her.

    `shift` is for former contact ids: what had number n among their mails and enrolments has number n + shift among
    hers.
    """

    __tablename__ = "names"
    __table_args__ = (
        one_of("kind", NameKind),
        length_of("value", 320),
        Index(None, "contact_id"),
        {"sqlite_with_rowid": False},
    )

    kind: str = text_column(primary_key=True)
    value: str = text_column(primary_key=True)
    contact_id: int = owner_column()
    shift: int = number_column(default=0)


class EventRow(Row, table=True):
    """What happened, kept as told; (source, message_id) makes telling it twice harmless."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("source", "message_id"),
        length_of("name", 200),
        length_of("message_id", 255),
        Index(None, "contact_id", "name", "at"),
        partial_index("ix_events_unprocessed", "contact_id", "at", "id", where=UNPROCESSED),
    )

    id: int | None = id_column()
    contact_id: int = owner_column()
    name: str = text_column()
    at: datetime = instant_column()
    received_at: datetime = instant_column()
    properties: dict[str, Any] = json_column(default_factory=dict)
    source: str = text_column()
    message_id: str = text_column()
    processed_at: datetime | None = instant_column(default=None)


class StageChangeRow(Row, table=True):
    """Append-only: people drift back and repeat."""

    __tablename__ = "stage_changes"
    __table_args__ = (Index(None, "contact_id", "at"),)

    id: int | None = id_column()
    contact_id: int = owner_column()
    at: datetime = instant_column()
    from_stage: str | None = text_column(default=None)
    to_stage: str = text_column()
    event_id: int | None = number_column(default=None)


class ConsentRow(Row, table=True):
    """Proof: append-only."""

    __tablename__ = "consents"
    __table_args__ = (Index(None, "contact_id", "at"),)

    id: int | None = id_column()
    contact_id: int = owner_column()
    at: datetime = instant_column()
    granted: bool
    topic: str | None = text_column(default=None)
    event_id: int | None = number_column(default=None)
    source: str = text_column()


class SuppressionRow(Row, table=True):
    """Never written to again; by keyed hash, so that it outlives the erasure of the person."""

    __tablename__ = "suppressions"
    __table_args__ = (one_of("reason", SuppressionReason),)

    address_key: str = text_column(primary_key=True)
    reason: str = text_column()
    at: datetime = instant_column()
    source: str = text_column()

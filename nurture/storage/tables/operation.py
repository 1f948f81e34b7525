"""Operation: revisions, controls, duties of daemons, keys, and what is known of relays."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index

from nurture.storage.tables.columns import (
    Row,
    id_column,
    instant_column,
    json_column,
    key_column,
    number_column,
    text_column,
)

# Marks that shut every gate: nothing is claimed and nothing leaves while one of them stands.
HOLD, STOPPED = "hold", "stopped"
SHUT = f"EXISTS (SELECT 1 FROM marks WHERE name IN ('{HOLD}', '{STOPPED}'))"  # noqa: S608


class RevisionRow(Row, table=True):
    """`files` maps path -> sha256 of a blob; `moved` maps campaign -> {old node: new node or null}."""

    __tablename__ = "revisions"

    number: int = key_column()
    applied_at: datetime = instant_column()
    by: str = text_column()
    files: dict[str, str] = json_column()
    moved: dict[str, Any] = json_column(default_factory=dict)


class BlobRow(Row, table=True):
    __tablename__ = "blobs"

    sha256: str = text_column(primary_key=True)
    text: str = text_column()


class CampaignControlRow(Row, table=True):
    """`since` is when the campaign was first applied; `paused_at` is set while it is paused, for `why`."""

    __tablename__ = "campaign_controls"

    name: str = text_column(primary_key=True)
    since: datetime = instant_column()
    paused_at: datetime | None = instant_column(default=None)
    by: str | None = text_column(default=None)
    why: str | None = text_column(default=None)


class DutyRow(Row, table=True):
    """Work that one daemon does for all, until its lease ends."""

    __tablename__ = "duties"

    name: str = text_column(primary_key=True)
    owner: str = text_column()
    until: datetime = instant_column()


class RelayStateRow(Row, table=True):
    """What all daemons know of a relay (breaker, warm-up); `version` guards against lost updates."""

    __tablename__ = "relay_state"

    relay: str = text_column(primary_key=True)
    state: dict[str, Any] = json_column()
    version: int = number_column()
    updated_at: datetime = instant_column()


class RefusalRow(Row, table=True):
    """One refusal that was about the sender, at the time of its mail. Nobody is named."""

    __tablename__ = "refusals"
    __table_args__ = (Index(None, "domain", "at"), Index(None, "campaign", "at"))

    id: int | None = id_column()
    at: datetime = instant_column()
    domain: str | None = text_column(default=None)
    campaign: str | None = text_column(default=None)


class DomainPauseRow(Row, table=True):
    """A mailbox provider that refused us too often; `seconds` is the wait between two probes."""

    __tablename__ = "domain_pauses"

    domain: str = text_column(primary_key=True)
    since: datetime = instant_column()
    refused: int = number_column()
    mails: int = number_column()
    text: str = text_column()
    probe_at: datetime = instant_column()
    seconds: int = number_column()
    ended_at: datetime | None = instant_column(default=None)


class ImportRow(Row, table=True):
    """One file of contacts, taken in."""

    __tablename__ = "imports"

    id: int | None = id_column()
    source: str = text_column()
    sha256: str = text_column()
    started_at: datetime = instant_column()
    finished_at: datetime | None = instant_column(default=None)
    created: int = number_column(default=0)
    updated: int = number_column(default=0)
    refused: int = number_column(default=0)
    by: str = text_column()


class QuarantineRow(Row, table=True):
    """What came in and could not be taken, as it came (`body` is JSON text, perhaps cut), and why."""

    __tablename__ = "quarantine"

    id: int | None = id_column()
    at: datetime = instant_column()
    source: str = text_column()
    reason: str = text_column()
    body: str = text_column()


class KeyRow(Row, table=True):
    """A key of the API. Only its hash is here: nobody can read a key out of the database."""

    __tablename__ = "api_keys"

    id: str = text_column(primary_key=True)
    hash: str = text_column()
    name: str = text_column()
    scopes: list[str] = json_column()
    created_at: datetime = instant_column()
    revoked_at: datetime | None = instant_column(default=None)
    used_at: datetime | None = instant_column(default=None)


class ReplyRow(Row, table=True):
    """The answer to a request that bore an Idempotency-Key, so that asking again changes nothing.

    `request` is the hash of what was asked. `status` None: it is being worked on.
    """

    __tablename__ = "replies"
    __table_args__ = (Index(None, "at"),)

    api_key: str = text_column(primary_key=True)
    route: str = text_column(primary_key=True)
    idempotency_key: str = text_column(primary_key=True)
    request: str = text_column()
    at: datetime = instant_column()
    status: int | None = number_column(default=None)
    body: str | None = text_column(default=None)


class MarkRow(Row, table=True):
    """Facts about this database itself: whose address hashes it holds, whether sending is on hold."""

    __tablename__ = "marks"

    name: str = text_column(primary_key=True)
    value: dict[str, Any] = json_column()
    at: datetime = instant_column()

"""The tables. Rows only: they validate nothing but what the CHECKs say, and never leave this folder.

Personal tables carry `contact_id` at the head of their key or of an index, and go with the contact (ON DELETE CASCADE).
`due` is the queue: small rows, clustered by time, at most one per contact for her own next instant, plus wakes.
"""

from __future__ import annotations

from sqlalchemy import Table

from nurture.storage.tables.columns import Row
from nurture.storage.tables.operation import (
    HOLD,
    SHUT,
    STOPPED,
    BlobRow,
    CampaignControlRow,
    DomainPauseRow,
    DutyRow,
    ImportRow,
    KeyRow,
    MarkRow,
    QuarantineRow,
    RefusalRow,
    RelayStateRow,
    ReplyRow,
    RevisionRow,
)
from nurture.storage.tables.people import (
    UNPROCESSED,
    ConsentRow,
    ContactRow,
    EventRow,
    NameKind,
    NameRow,
    StageChangeRow,
    SuppressionRow,
)
from nurture.storage.tables.work import (
    ACTIVE,
    HELD,
    READY,
    AttemptRow,
    DeliveryRow,
    DueRow,
    EnrolmentRow,
    KeptMailRow,
    LedgerRow,
    OutgoingRow,
)

__all__ = [
    "ACTIVE",
    "HELD",
    "HOLD",
    "READY",
    "SHUT",
    "STOPPED",
    "UNPROCESSED",
    "NameKind",
    "api_keys",
    "attempts",
    "blobs",
    "campaign_controls",
    "consents",
    "contacts",
    "deliveries",
    "domain_pauses",
    "due",
    "duties",
    "enrolments",
    "events",
    "imports",
    "kept_mails",
    "ledger",
    "marks",
    "metadata",
    "names",
    "outgoing",
    "quarantine",
    "refusals",
    "relay_state",
    "replies",
    "revisions",
    "stage_changes",
    "suppressions",
]


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
refusals = _table(RefusalRow)
domain_pauses = _table(DomainPauseRow)
imports = _table(ImportRow)
quarantine = _table(QuarantineRow)
api_keys = _table(KeyRow)
replies = _table(ReplyRow)
marks = _table(MarkRow)

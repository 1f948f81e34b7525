# ruff: noqa: E501 - lists of states
"""The first schema

Expands from nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nurture.storage.types import BigId, Json, UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blobs")),
    )
    op.create_table(
        "campaign_controls",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("paused_at", UTCDateTime(), nullable=True),
        sa.Column("by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_campaign_controls")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", BigId, nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("address_key", sa.Text(), nullable=True),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("attributes", Json, nullable=False),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("stage_since", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("opted_out", Json, nullable=False),
        sa.Column("paused_until", UTCDateTime(), nullable=True),
        sa.Column("memberships", Json, nullable=False),
        sa.Column("enrols", sa.Boolean(), nullable=False),
        sa.Column("next_seq", BigId, nullable=False),
        sa.Column("version", BigId, nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("consent IN ('none', 'granted', 'withdrawn')", name=op.f("ck_contacts_consent")),
        sa.CheckConstraint("length(email) BETWEEN 1 AND 320", name=op.f("ck_contacts_email")),
        sa.CheckConstraint("length(external_id) BETWEEN 1 AND 255", name=op.f("ck_contacts_external_id")),
        sa.CheckConstraint("next_seq >= 1", name=op.f("ck_contacts_next_seq")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("email_key", name=op.f("uq_contacts_email_key")),
        sa.UniqueConstraint("external_id", name=op.f("uq_contacts_external_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "due",
        sa.Column("at", UTCDateTime(), autoincrement=False, nullable=False),
        sa.Column("contact_id", BigId, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("at", "contact_id", name=op.f("pk_due")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "duties",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_duties")),
    )
    op.create_table(
        "imports",
        sa.Column("id", BigId, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.Column("created", BigId, nullable=False),
        sa.Column("updated", BigId, nullable=False),
        sa.Column("refused", BigId, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", Json, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_marks")),
    )
    op.create_table(
        "relay_state",
        sa.Column("relay", sa.Text(), nullable=False),
        sa.Column("state", Json, nullable=False),
        sa.Column("version", BigId, nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("relay", name=op.f("pk_relay_state")),
    )
    op.create_table(
        "revisions",
        sa.Column("number", BigId, autoincrement=False, nullable=False),
        sa.Column("applied_at", UTCDateTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("files", Json, nullable=False),
        sa.Column("moved", Json, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_revisions")),
    )
    op.create_table(
        "suppressions",
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('unsubscribed', 'bounced', 'complained', 'erased', 'manual')",
            name=op.f("ck_suppressions_reason"),
        ),
        sa.PrimaryKeyConstraint("address_key", name=op.f("pk_suppressions")),
    )
    op.create_table(
        "attempts",
        sa.Column("contact_id", BigId, autoincrement=False, nullable=False),
        sa.Column("seq", BigId, autoincrement=False, nullable=False),
        sa.Column("no", BigId, autoincrement=False, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("code", BigId, nullable=True),
        sa.Column("enhanced", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_attempts_contact_id_contacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("contact_id", "seq", "no", name=op.f("pk_attempts")),
    )
    op.create_table(
        "consents",
        sa.Column("id", BigId, nullable=False),
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("event_id", BigId, nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_consents_contact_id_contacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_contact_id_at"), "consents", ["contact_id", "at"], unique=False)

    op.create_table(
        "deliveries",
        sa.Column("contact_id", BigId, autoincrement=False, nullable=False),
        sa.Column("seq", BigId, autoincrement=False, nullable=False),
        sa.Column("enrolment", BigId, nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("visit", BigId, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("priority", BigId, nullable=False),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("planned_at", UTCDateTime(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("not_before", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("revision", BigId, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("epoch", BigId, nullable=False),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("gated_at", UTCDateTime(), nullable=True),
        sa.Column("first_gated_at", UTCDateTime(), nullable=True),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", BigId, nullable=False),
        sa.Column("tries", BigId, nullable=False),
        sa.Column("unknowns", BigId, nullable=False),
        sa.Column("acknowledged", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('marketing', 'transactional')", name=op.f("ck_deliveries_kind")),
        sa.CheckConstraint(
            "state IN ('planned', 'claimed', 'gated', 'deferred', 'sent', 'rejected', 'unknown', 'skipped', 'expired', 'cancelled', 'ghost')",
            name=op.f("ck_deliveries_state"),
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_deliveries_contact_id_contacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("contact_id", "seq", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "contact_id", "enrolment", "step", "visit", name=op.f("uq_deliveries_contact_id_enrolment_step_visit")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_deliveries_campaign_settled_at"), "deliveries", ["campaign", "settled_at"], unique=False)
    op.create_index(
        "ix_deliveries_held",
        "deliveries",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("state IN ('claimed', 'gated')"),
        postgresql_where=sa.text("state IN ('claimed', 'gated')"),
    )
    op.create_index(
        "ix_deliveries_ready",
        "deliveries",
        ["rank", "not_before", "contact_id", "seq"],
        unique=False,
        sqlite_where=sa.text("state IN ('planned', 'deferred')"),
        postgresql_where=sa.text("state IN ('planned', 'deferred')"),
    )

    op.create_table(
        "enrolments",
        sa.Column("contact_id", BigId, autoincrement=False, nullable=False),
        sa.Column("seq", BigId, autoincrement=False, nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("revision", BigId, nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("start", Json, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("held_out", sa.Boolean(), nullable=False),
        sa.Column("node", sa.Text(), nullable=True),
        sa.Column("since", UTCDateTime(), nullable=True),
        sa.Column("due_at", UTCDateTime(), nullable=True),
        sa.Column("planned_for", UTCDateTime(), nullable=True),
        sa.Column("in_flight", BigId, nullable=True),
        sa.Column("passes", BigId, nullable=False),
        sa.Column("visits", Json, nullable=False),
        sa.Column("jumps", Json, nullable=False),
        sa.Column("grants", Json, nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("left_by", sa.Text(), nullable=True),
        sa.Column("goal_at", UTCDateTime(), nullable=True),
        sa.Column("goal_value", sa.Float(), nullable=True),
        sa.Column("watch_until", UTCDateTime(), nullable=True),
        sa.CheckConstraint(
            "left_by IN ('finished', 'stop', 'goal', 'ejected', 'restarted', 'archived', 'unsubscribed', 'erased')",
            name=op.f("ck_enrolments_left_by"),
        ),
        sa.CheckConstraint("state IN ('active', 'ended')", name=op.f("ck_enrolments_state")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_enrolments_contact_id_contacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("contact_id", "seq", name=op.f("pk_enrolments")),
    )
    op.create_index(
        "ix_enrolments_active",
        "enrolments",
        ["campaign", "node"],
        unique=False,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )

    op.create_table(
        "events",
        sa.Column("id", BigId, nullable=False),
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("properties", Json, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("processed_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("length(message_id) BETWEEN 1 AND 255", name=op.f("ck_events_message_id")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name=op.f("ck_events_name")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_events_contact_id_contacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("source", "message_id", name=op.f("uq_events_source_message_id")),
    )
    op.create_index(op.f("ix_events_contact_id_name_at"), "events", ["contact_id", "name", "at"], unique=False)
    op.create_index(
        "ix_events_unprocessed",
        "events",
        ["contact_id", "at", "id"],
        unique=False,
        sqlite_where=sa.text("processed_at IS NULL"),
        postgresql_where=sa.text("processed_at IS NULL"),
    )

    op.create_table(
        "ledger",
        sa.Column("id", BigId, nullable=False),
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("enrolment", BigId, nullable=True),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("delivery", BigId, nullable=True),
        sa.Column("detail", Json, nullable=False),
        sa.Column("revision", BigId, nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_ledger_contact_id_contacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
    )
    op.create_index(op.f("ix_ledger_campaign_at"), "ledger", ["campaign", "at"], unique=False)
    op.create_index(op.f("ix_ledger_contact_id_id"), "ledger", ["contact_id", "id"], unique=False)

    op.create_table(
        "kept_mails",
        sa.Column("contact_id", BigId, autoincrement=False, nullable=False),
        sa.Column("seq", BigId, autoincrement=False, nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("envid", sa.Text(), nullable=True),
        sa.Column("needs_smtputf8", sa.Boolean(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_kept_mails_contact_id_contacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("contact_id", "seq", name=op.f("pk_kept_mails")),
    )

    op.create_table(
        "outgoing",
        sa.Column("id", BigId, nullable=False),
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("tries", BigId, nullable=False),
        sa.Column("next_at", UTCDateTime(), nullable=True),
        sa.Column("done_at", UTCDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_outgoing_contact_id_contacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing")),
    )
    op.create_index(op.f("ix_outgoing_contact_id"), "outgoing", ["contact_id"], unique=False)
    op.create_index(
        "ix_outgoing_open",
        "outgoing",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )

    op.create_table(
        "stage_changes",
        sa.Column("id", BigId, nullable=False),
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("from_stage", sa.Text(), nullable=True),
        sa.Column("to_stage", sa.Text(), nullable=False),
        sa.Column("event_id", BigId, nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_stage_changes_contact_id_contacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_changes")),
    )
    op.create_index(op.f("ix_stage_changes_contact_id_at"), "stage_changes", ["contact_id", "at"], unique=False)


def downgrade() -> None:
    op.drop_table("stage_changes")
    op.drop_table("outgoing")
    op.drop_table("ledger")
    op.drop_table("kept_mails")
    op.drop_table("events")
    op.drop_table("enrolments")
    op.drop_table("deliveries")
    op.drop_table("consents")
    op.drop_table("attempts")
    op.drop_table("suppressions")
    op.drop_table("revisions")
    op.drop_table("relay_state")
    op.drop_table("marks")
    op.drop_table("imports")
    op.drop_table("duties")
    op.drop_table("due")
    op.drop_table("contacts")
    op.drop_table("campaign_controls")
    op.drop_table("blobs")

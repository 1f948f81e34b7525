"""Refusals that are about the sender, and the mailbox providers paused for them

Adds two tables, and a column without a value.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nurture.storage.types import BigId, UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "refusals",
        sa.Column("id", BigId, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusals")),
    )
    op.create_index(op.f("ix_refusals_domain_at"), "refusals", ["domain", "at"])
    op.create_index(op.f("ix_refusals_campaign_at"), "refusals", ["campaign", "at"])
    op.create_table(
        "domain_pauses",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("refused", BigId, nullable=False),
        sa.Column("mails", BigId, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("probe_at", UTCDateTime(), nullable=False),
        sa.Column("seconds", BigId, nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_domain_pauses")),
    )
    op.add_column("campaign_controls", sa.Column("why", sa.Text(), nullable=True))

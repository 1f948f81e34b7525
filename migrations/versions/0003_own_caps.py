"""A frequency cap that a person asks for herself

Adds a column without a value.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nurture.storage.types import BigId

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contacts", sa.Column("own_cap_days", BigId, nullable=True))

"""${message}

Expands or contracts: say which. Old daemons must survive an expansion; a contraction waits one release.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from nurture.storage.types import BigId, Json, UTCDateTime
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}

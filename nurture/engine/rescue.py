"""What dead daemons left behind: claims go again, gated mails become visibly unknown."""

from __future__ import annotations

from datetime import datetime

from nurture.storage.database import Database
from nurture.storage.outcomes import Rescued, rescue


def rescue_abandoned(database: Database, now: datetime) -> Rescued:
    """Settle every delivery whose lease has run out. Safe to run in every daemon at once."""
    return database.transact(lambda tx: rescue(tx, now))

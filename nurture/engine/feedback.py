"""What the wire and the mailbox tell us of a person becomes an event, through the front door like everything else."""

from __future__ import annotations

from datetime import datetime

from nurture.domain.consent import BOUNCED
from nurture.domain.retry import Attempt
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.storage.database import Database
from nurture.storage.deliveries import Claimed


def report_dead_address(database: Database, claimed: Claimed, attempt: Attempt, now: datetime) -> None:
    """The relay said at once that nobody lives there."""
    delivery = claimed.delivery
    event = IncomingEvent(
        name=BOUNCED,
        contact_id=delivery.contact_id,
        properties={
            "campaign": delivery.campaign,
            "step": delivery.step,
            "code": attempt.code,
            "enhanced": attempt.enhanced,
            "text": attempt.text,
        },
        message_id=f"bounce-{delivery.contact_id}-{delivery.seq}",
        source="relay",
    )
    ingest(database, [event], now, trusted=True)

"""What the wire tells us of a person becomes an event of hers, in the same commit as the outcome it came with."""

from __future__ import annotations

from datetime import datetime

from nurture.domain.consent import BOUNCED
from nurture.domain.retry import Attempt
from nurture.domain.suppression import Suppression, suppression_for
from nurture.storage.deliveries import Claimed
from nurture.storage.events import Arrival
from nurture.storage.identities import Identity


def dead_address(claimed: Claimed, attempt: Attempt, now: datetime) -> Arrival | None:
    """The event of an address at which nobody lives, where this one reply is enough to never write to it again."""
    if attempt.code is None:
        return None
    weight = suppression_for(code=attempt.code, enhanced=attempt.enhanced, text=attempt.text)
    if weight is not Suppression.NOW:
        return None
    delivery = claimed.delivery
    return Arrival(
        who=Identity(contact_id=delivery.contact_id),
        name=BOUNCED,
        at=now,
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

"""Whether this person may get this mail at all: suppression, consent, topic, her own pause."""

from __future__ import annotations

from datetime import datetime

from nurture.domain.contact import Consent, Contact, SuppressionReason
from nurture.domain.ledger import Reason
from nurture.domain.steps import MailKind


def ineligible(contact: Contact, kind: MailKind, topic: str | None, now: datetime) -> Reason | None:
    """Why not, or None when she may.

    Transactional mail needs no consent and no topic, and goes to people who unsubscribed; nothing goes to an address
    that does not exist, that complained, or that was erased.
    """
    if not contact.email:
        return Reason.NO_ADDRESS
    if kind is MailKind.TRANSACTIONAL:
        if contact.suppressed is not None and contact.suppressed is not SuppressionReason.UNSUBSCRIBED:
            return Reason.SUPPRESSED
        return None
    if contact.suppressed is not None:
        return Reason.SUPPRESSED
    if contact.consent is not Consent.GRANTED:
        return Reason.NO_CONSENT
    if topic is not None and topic in contact.opted_out:
        return Reason.TOPIC_OPTED_OUT
    if contact.paused_until is not None and now < contact.paused_until:
        return Reason.PERSON_PAUSED
    return None

"""A contact: one person we may write to, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from nurture.domain.event import NOTHING
from nurture.domain.frozen import frozen


class Consent(StrEnum):
    """Consent to marketing mail is a positive, recorded fact."""

    NONE = "none"
    GRANTED = "granted"
    WITHDRAWN = "withdrawn"


class SuppressionReason(StrEnum):
    """Why an address is never written to."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    MANUAL = "manual"


OWN_CAPS = (7, 14, 30)  # at most one marketing mail in so many days: what a person may ask for


@frozen
class Contact:
    """A person as one turn sees her.

    `memberships` says, per segment some campaign watches, whether she was inside after her last turn; a segment that is
    missing was never looked at. `enrols` is False until the first turn of a person who came by an import: what she is
    already starts no campaign. `own_cap_days`: one of `OWN_CAPS`, None is as the sender does.
    `next_seq` numbers her enrolments and deliveries: (contact id, seq) is their primary key.
    """

    id: int
    email: str | None
    created_at: datetime
    external_id: str | None = None
    attributes: Mapping[str, Any] = field(default=NOTHING)
    zone: str | None = None
    locale: str | None = None
    stage: str | None = None
    stage_since: datetime | None = None
    consent: Consent = Consent.NONE
    opted_out: frozenset[str] = frozenset()
    suppressed: SuppressionReason | None = None
    paused_until: datetime | None = None
    own_cap_days: int | None = None
    memberships: Mapping[str, bool] = field(default=NOTHING)
    enrols: bool = True
    next_seq: int = 1
    version: int = 0
    due_at: datetime | None = None

    def altered(self, **changes: Any) -> Contact:
        """With these columns changed; spelled out, because it is done several times a turn."""
        altered = Contact(
            self.id, self.email, self.created_at, self.external_id, self.attributes, self.zone, self.locale, self.stage,
            self.stage_since, self.consent, self.opted_out, self.suppressed, self.paused_until, self.own_cap_days,
            self.memberships, self.enrols, self.next_seq, self.version, self.due_at,
        )  # fmt: skip
        for name, value in changes.items():
            setattr(altered, name, value)
        return altered

    def named(self) -> dict[str, Any]:
        """What `contact.*` can name in conditions and templates: attributes, overlaid with the columns."""
        return {
            **self.attributes,
            "email": self.email,
            "external_id": self.external_id,
            "zone": self.zone,
            "locale": self.locale,
            "stage": self.stage,
            "created_at": self.created_at,
        }

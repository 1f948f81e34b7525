"""A contact of HubSpot's CRM API v3 (https://developers.hubspot.com/docs/api/crm/contacts) as what it tells us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nurture.intake.webhooks.message import Told, email, instant, stated, text
from nurture.intake.whereabouts import known_locale, known_zone

STAGES = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist",
    "other",
)  # fmt: skip
_TRAITS = {
    "firstname": "first_name", "lastname": "last_name", "phone": "phone", "company": "company", "city": "city",
    "country": "country",
}  # fmt: skip
PROPERTIES = (
    "email", *_TRAITS, "lifecyclestage", "hs_timezone", "hs_language", "hs_email_optout", "lastmodifieddate",
    *(f"hs_lifecyclestage_{stage}_date" for stage in STAGES),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """One contact: when it was changed last, and what it tells."""

    modified: datetime
    told: tuple[Told, ...]


def read_contact(data: Any) -> Found | None:
    """None for what is no contact as the API describes it."""
    properties = data.get("properties") if isinstance(data, dict) else None
    who = text(data.get("id")) if isinstance(data, dict) else None
    modified = instant(properties.get("lastmodifieddate")) if isinstance(properties, dict) else None
    if who is None or modified is None or not isinstance(properties, dict):
        return None
    return Found(modified, tuple(_told(who, modified, properties)))


def _told(who: str, modified: datetime, properties: Mapping[str, Any]) -> list[Told]:
    address, stage = email(properties.get("email")), text(properties.get("lifecyclestage"))
    traits = {ours: text(properties.get(theirs)) for theirs, ours in _TRAITS.items()}
    found = [
        Told(
            name=None,
            message_id=f"contact:{who}",
            email=address,
            customer=who,
            traits=stated(**traits, hubspot_stage=stage),
            zone=known_zone(properties.get("hs_timezone")),
            locale=known_locale(properties.get("hs_language")),
        )
    ]
    if stage is not None:
        since = text(properties.get(f"hs_lifecyclestage_{stage}_date"))
        found.append(
            Told(name="HubSpot Stage Changed", message_id=f"stage:{who}:{stage}:{since}"[:200], email=address,
                 customer=who, at=instant(since) or modified, properties=stated(stage=stage))
        )  # fmt: skip
    if str(properties.get("hs_email_optout")).lower() == "true":
        found.append(
            Told(name="nurture.unsubscribed", message_id=f"optout:{who}", email=address, customer=who,
                 properties={"source": "hubspot"})
        )  # fmt: skip
    return found

"""People by name: look one up, put her into a campaign or take her out, stop or forget her.

Whatever changes what she gets goes through the front door as an event, like everything else, so that `explain` can tell
of it; suppression and erasure act at once, because a stop is a stop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nurture.domain.campaign import CampaignStatus
from nurture.domain.contact import Contact, SuppressionReason
from nurture.domain.decide import EJECT, ENROL
from nurture.domain.enrolment import Enrolment
from nurture.domain.programme import Programme
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.errors import NurtureError
from nurture.storage import contacts as rows
from nurture.storage import reports
from nurture.storage.database import Database, Transaction
from nurture.storage.reports import DeliveryRecord
from nurture.storage.suppressions import Suppression, suppression_of
from nurture.storage.suppressions import suppress as suppress_addresses
from nurture.storage.suppressions import unsuppress as unsuppress_address


@dataclass(frozen=True, slots=True)
class Known:
    """Everything about one person that a screen shows: instants are UTC, lists oldest first."""

    contact: Contact
    suppression: Suppression | None
    stages: Sequence[Mapping[str, Any]]
    enrolments: Sequence[Enrolment]
    mails: Sequence[DeliveryRecord]


def find(tx: Transaction, name: str) -> Contact:
    """The person somebody typed: an address, our id, or the id of another system. Raises NurtureError."""
    contact = rows.find(tx, name)
    if contact is None:
        raise NurtureError(f"nobody here is called {name}; look for the beginning of an address: nurture contacts list")
    return contact


def look_up(database: Database, name: str) -> Known:
    """Everything about the person called `name`. Raises NurtureError."""
    with database.read() as tx:
        contact = find(tx, name)
        return Known(
            contact=contact,
            suppression=suppression_of(tx, contact.email) if contact.email else None,
            stages=reports.stages_of(tx, contact.id),
            enrolments=reports.enrolments_of(tx, contact.id),
            mails=reports.deliveries_of(tx, contact.id),
        )


def everything_about(database: Database, name: str) -> dict[str, Any]:
    """Every row about one person, table by table, as she may ask for it. Raises NurtureError."""
    with database.read() as tx:
        found = rows.export(tx, find(tx, name).id)
    assert found is not None
    return found


def erase(database: Database, name: str, now: datetime) -> None:
    """Forget the person called `name`; only a keyed hash of her address stays, so that nobody mails it again."""

    def work(tx: Transaction) -> None:
        rows.erase(tx, find(tx, name).id, now)

    database.transact(work)


def suppress(database: Database, emails: Sequence[str], now: datetime, source: str) -> int:
    """Never mail these addresses again, known or not; how many are new. Raises NurtureError for no address."""
    try:
        return database.transact(lambda tx: suppress_addresses(tx, emails, SuppressionReason.MANUAL, now, source))
    except ValueError as error:
        raise NurtureError(f"{error}; nothing was changed") from error


def unsuppress(database: Database, email: str, now: datetime, source: str) -> bool:
    """Let an address be mailed again; False if it was not suppressed. Raises NurtureError for no address."""
    try:
        return database.transact(lambda tx: unsuppress_address(tx, email, now, source))
    except ValueError as error:
        raise NurtureError(str(error)) from error


def enrol(
    database: Database,
    programme: Programme,
    campaign: str,
    names: Sequence[str],
    data: Mapping[str, Any],
    now: datetime,
    *,
    key: str | None = None,
) -> int:
    """Put people into a campaign by hand; how many events were stored. Raises NurtureError: unknown or not open."""
    wanted = programme.campaigns.get(campaign)
    if wanted is None:
        raise unknown_campaign(programme, campaign)
    if wanted.status not in {CampaignStatus.LIVE, CampaignStatus.PAUSED}:
        raise NurtureError(f"{campaign} is {wanted.status}; nobody can enter it until it is live and applied")
    properties: dict[str, Any] = {"campaign": campaign, "with": dict(data)}
    if key is not None:
        properties["key"] = key
    return _tell(database, ENROL, names, properties, now)


def eject(database: Database, programme: Programme, campaign: str, names: Sequence[str], now: datetime) -> int:
    """Take people out of a campaign at once; how many events were stored. Raises NurtureError."""
    if campaign not in programme.campaigns:
        raise unknown_campaign(programme, campaign)
    return _tell(database, EJECT, names, {"campaign": campaign}, now)


def unknown_campaign(programme: Programme, name: str, where: str = "applied") -> NurtureError:
    """The error for a campaign that is not there, with the nearest name."""
    from difflib import get_close_matches

    near = get_close_matches(name, programme.campaigns, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(sorted(programme.campaigns)) or 'none'}"
    return NurtureError(f"no campaign {name!r} is {where}; {hint}")


def _tell(database: Database, event: str, names: Sequence[str], properties: Mapping[str, Any], now: datetime) -> int:
    with database.read() as tx:
        people = [find(tx, name) for name in names]
    incoming = [
        IncomingEvent(
            name=event,
            contact_id=contact.id,
            properties=properties,
            message_id=f"{event}-{properties['campaign']}-{contact.id}-{now.isoformat()}",
        )
        for contact in people
    ]
    return ingest(database, incoming, now, trusted=True).stored

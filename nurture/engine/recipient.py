"""The person's own word, given on her own pages: it comes in by the front door, as an event, and is proof of itself.

A "no" holds from its commit on: an event that waits to be judged shuts the gate for every mail of hers.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from nurture.domain.consent import FEWER_MAILS, PAUSED, RESUBSCRIBED, UNSUBSCRIBED
from nurture.domain.contact import Contact
from nurture.domain.enrolment import EnrolmentState
from nurture.domain.event import plain
from nurture.domain.programme import Programme
from nurture.domain.tokens import Keyring, Purpose
from nurture.domain.tracking import CHOSEN, Tracking
from nurture.engine.explain.dossier import of_contact
from nurture.engine.explain.place_in_campaign import played_on
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.engine.revisions import Applied
from nurture.storage import contacts
from nurture.storage.database import Database, Transaction
from nurture.storage.recipients import Addressee, Word, addressee, consented_before, last_word

SOURCE = "page"
SECOND_THOUGHTS = timedelta(hours=1)  # so long a "no" can be taken back by the link that said it


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who holds a link of ours. `addressee` None: she was erased, and nothing about her is kept."""

    contact_id: int
    seq: int
    addressee: Addressee | None

    def topic(self, programme: Programme) -> str | None:
        """The topic of the mail the link stood in; None where there is none, or nobody knows any more."""
        campaign = programme.campaigns.get(self.addressee.campaign or "") if self.addressee else None
        return campaign.topic if campaign is not None and campaign.topic in programme.topics else None


def bearer_of(database: Database, keyring: Keyring, purpose: Purpose, token: str) -> Bearer | None:
    """Whose a token is; None if it is none of ours."""
    ids = keyring.read(purpose, token)
    if ids is None:
        return None
    with database.read() as tx:
        return Bearer(*ids, addressee(tx, *ids))


def unsubscribe(database: Database, bearer: Bearer, topic: str | None, proof: Mapping[str, Any], now: datetime) -> None:
    """She wants no more mail of `topic`, or none at all. `proof` says how she said it."""
    if bearer.addressee is not None:
        say(database, bearer.addressee.contact.id, UNSUBSCRIBED, {"topic": topic, **proof}, now)


def take_back(database: Database, bearer: Bearer, proof: Mapping[str, Any], now: datetime) -> bool:
    """Undo her last "no" by page; False if there is none to undo any more.

    Only soon after it, and only back to what was: it gives no consent that she had not given before, and lifts no
    suppression.
    """
    if bearer.addressee is None:
        return False
    contact = bearer.addressee.contact
    with database.read() as tx:
        word = _to_take_back(tx, bearer.addressee, now)
    if word is None:
        return False
    say(database, contact.id, RESUBSCRIBED, {"topic": word.topic, **proof}, now)
    return True


def can_take_back(database: Database, bearer: Bearer, now: datetime) -> bool:
    """Whether there is a "no" that `take_back` would undo."""
    if bearer.addressee is None:
        return False
    with database.read() as tx:
        return _to_take_back(tx, bearer.addressee, now) is not None


def _to_take_back(tx: Transaction, her: Addressee, now: datetime) -> Word | None:
    if her.contact.suppressed is not None:
        return None
    word = last_word(tx, her.contact.id, [UNSUBSCRIBED], SOURCE)
    if word is None or now - word.at > SECOND_THOUGHTS or not consented_before(tx, her.contact, word.at):
        return None
    return word


@dataclass(frozen=True, slots=True)
class Coming:
    """The next mail of a campaign: what that is called, since when she is in it, and when the mail may come.

    `since` None: she is not in it yet, it begins by itself until then. `at` None: nobody knows, it waits for something.
    """

    title: str
    since: datetime | None
    at: datetime | None


def coming(database: Database, applied: Applied, contact: Contact, now: datetime) -> list[Coming]:
    """What she will get next if nothing else happens, soonest first: her future, played by the daemon's decisions."""
    with database.read() as tx:
        dossier = of_contact(tx, applied, contact, now, last=0)
    campaigns = applied.programme.campaigns
    active = (each for each in dossier.enrolments if each.state is EnrolmentState.ACTIVE and not each.held_out)
    inside = {each.seq: each for each in active if each.campaign in campaigns}
    found: dict[tuple[str, int | None], Coming] = {}
    person, mails = played_on(applied.programme, dossier)
    for mail in mails:
        campaign = campaigns.get(mail.campaign or "")
        if campaign is not None:
            mine = inside.get(mail.enrolment or 0)
            place = (campaign.name, mine.seq if mine is not None else None)
            found.setdefault(place, Coming(campaign.title, mine.started_at if mine is not None else None, mail.at))
    for each in person.enrolments:
        if each.seq in inside and each.state is EnrolmentState.ACTIVE:
            found.setdefault((each.campaign, each.seq), Coming(campaigns[each.campaign].title, each.started_at, None))
    return sorted(found.values(), key=lambda one: (one.at is None, one.at or now))


def choose_topics(
    database: Database, contact_id: int, wanted: Mapping[str, bool], proof: Mapping[str, Any], now: datetime
) -> None:
    """Yes or no to each of these topics. All are told, also those that seem to stay: what she said last may wait."""
    events = [
        _word(contact_id, RESUBSCRIBED if yes else UNSUBSCRIBED, {"topic": topic, **proof})
        for topic, yes in sorted(wanted.items(), key=lambda pair: pair[1])
    ]
    ingest(database, events, now, trusted=True)


def pause(database: Database, contact_id: int, until: datetime | None, now: datetime) -> None:
    """No marketing mail until then; None ends a pause."""
    say(database, contact_id, PAUSED, {"until": until.isoformat() if until is not None else None}, now)


def want_fewer(database: Database, contact_id: int, days: int | None, now: datetime) -> None:
    """At most one marketing mail in so many days (one of `OWN_CAPS`); None is as the campaigns have it."""
    say(database, contact_id, FEWER_MAILS, {"days": days}, now)


def allow_tracking(database: Database, contact_id: int, tracking: Tracking, allowed: bool, now: datetime) -> None:
    """Whether clicks and opens of hers may be seen; the event is the proof of it."""
    chosen = replace(_word(contact_id, CHOSEN, {"allowed": allowed}), traits={tracking.consent: allowed})
    ingest(database, [chosen], now, trusted=True)


def live_at(database: Database, contact_id: int, zone: str | None, locale: str | None, now: datetime) -> None:
    """Where she is, and what she reads; None leaves it as it is."""
    told = IncomingEvent(
        contact_id=contact_id, zone=zone, locale=locale, source=SOURCE, message_id=f"{SOURCE}-{secrets.token_hex(12)}"
    )
    ingest(database, [told], now, trusted=True)


def handed_over(database: Database, contact_id: int) -> Any:
    """Everything stored about her, as plain data fit for JSON; None if there is nobody."""
    with database.read() as tx:
        return plain(contacts.export(tx, contact_id))


def forget(database: Database, contact_id: int, now: datetime) -> None:
    """Erase her; only a keyed hash of her address stays, so that nobody mails it again."""
    database.transact(lambda tx: contacts.erase(tx, contact_id, now))


def say(database: Database, contact_id: int, name: str, properties: Mapping[str, Any], now: datetime) -> None:
    """Store what she said, durably; None is left out."""
    ingest(database, [_word(contact_id, name, properties)], now, trusted=True)


def _word(contact_id: int, name: str, properties: Mapping[str, Any]) -> IncomingEvent:
    return IncomingEvent(
        name=name,
        contact_id=contact_id,
        properties={key: value for key, value in properties.items() if value is not None},
        message_id=f"{SOURCE}-{secrets.token_hex(12)}",
        source=SOURCE,
    )

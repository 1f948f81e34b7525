"""What mailboxes and relays tell us of a person becomes an event of hers: by the front door, once each.

A refusal on the wire is stored in the same commit as its outcome; what comes back later as a mail or by a provider's
webhook names the mail by a token of ours, and is judged by its cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from nurture.domain.consent import BOUNCED, COMPLAINED, REFUSED, SOFT_BOUNCED, UNSUBSCRIBED
from nurture.domain.mailbox_providers import provider_of
from nurture.domain.programme import Programme
from nurture.domain.refusals import Refusal, StormRule, is_about_sender
from nurture.domain.retry import Attempt
from nurture.domain.suppression import Suppression, is_dead, suppression_for
from nurture.domain.tokens import Keyring
from nurture.engine.storms import look_for_storms
from nurture.intake.feedback.notice import Notice, Told, UnreadableError
from nurture.intake.feedback.read import read_feedback
from nurture.storage.database import Database, Transaction
from nurture.storage.deliveries import Claimed
from nurture.storage.events import Arrival, store_events
from nurture.storage.identities import Identity
from nurture.storage.quarantine import MOST_BODY, Held, keep
from nurture.storage.refusals import note_refusals
from nurture.storage.returns import Returned, last_arrived, person_at, returned_mail, strikes_of

SOURCE, RELAY = "feedback", "relay"


def told_of(claimed: Claimed, attempt: Attempt, now: datetime, *, is_over: bool) -> Arrival | None:
    """The event of a reply about the address: nobody lives there, or (`is_over`: this mail goes no more) it may be so.

    Several of the latter, over time, are as good as the former: `strike_out`.
    """
    if attempt.code is None or attempt.code < 400:
        return None
    weight = suppression_for(code=attempt.code, enhanced=attempt.enhanced, text=attempt.text)
    if weight is Suppression.NEVER or (weight is not Suppression.NOW and not is_over):
        return None
    delivery = claimed.delivery
    told = {
        "campaign": delivery.campaign,
        "step": delivery.step,
        "code": attempt.code,
        "enhanced": attempt.enhanced,
        "text": attempt.text,
    }
    if weight is not Suppression.NOW:
        told |= {"weight": weight.value, "delivery": delivery.seq}
    kind = "bounce" if weight is Suppression.NOW else "soft-bounce"
    return Arrival(
        who=Identity(contact_id=delivery.contact_id),
        name=BOUNCED if weight is Suppression.NOW else SOFT_BOUNCED,
        at=now,
        properties=told,
        message_id=f"{kind}-{delivery.contact_id}-{delivery.seq}",
        source=RELAY,
    )


def strike_out(database: Database, contact_id: int, seq: int, now: datetime) -> bool:
    """Never write again to somebody whose mails came back softly too often, the last with number `seq`; if it is so."""

    def work(tx: Transaction) -> bool:
        if not _is_out(tx, contact_id, now):
            return False
        who, last = Identity(contact_id=contact_id), f"bounce-{contact_id}-{seq}"
        out = Arrival(who=who, name=BOUNCED, at=now, message_id=last, source=RELAY)
        return not store_events(tx, [out], now).duplicates

    return database.transact(work)


def _is_out(tx: Transaction, contact_id: int, now: datetime) -> bool:
    strikes = strikes_of(tx, contact_id, SOFT_BOUNCED)
    arrived = last_arrived(tx, contact_id, {seq for _, seq in strikes}, now)
    return is_dead([strike for strike, _ in strikes], now, arrived)


class Effect(StrEnum):
    """What became of one thing that came back."""

    BOUNCED = "bounced"
    SOFT_BOUNCED = "soft bounced"
    REFUSED = "refused"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    NONE = "no effect"
    KNOWN = "told before"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Taken:
    """`why` explains an effect that is none; `contact_id` is whose mail it was about.

    `refused`: it is one more refusal that is about the sender, noted, and to be looked at by `look_for_storms`.
    """

    effect: Effect
    why: str = ""
    contact_id: int | None = None
    refused: Refusal | None = None


def take_mail(
    database: Database,
    keyring: Keyring,
    programme: Programme,
    raw: bytes,
    now: datetime,
    recipient: str | None = None,
    *,
    storm: StormRule,
) -> Taken:
    """One mail of the feedback mailbox, read and acted upon, durably. What cannot be read is kept in quarantine."""
    try:
        notice = read_feedback(raw, recipient)
    except UnreadableError as error:
        return _hold(database, str(error), raw, now)
    taken = database.transact(lambda tx: take_one(tx, keyring, programme, notice, now))
    if taken.refused is not None:
        look_for_storms(database, storm, [taken.refused], now)
    return _hold(database, taken.why, raw, now) if taken.effect is Effect.QUARANTINED else taken


def take_one(tx: Transaction, keyring: Keyring, programme: Programme, notice: Notice, now: datetime) -> Taken:
    """Act upon a notice. Telling it again changes nothing.

    One whose effect is `QUARANTINED` has none yet: the caller keeps it, as it came.
    """
    if notice.told is Told.NOTHING:
        return Taken(Effect.NONE, notice.why)
    ids = next(filter(None, (keyring.read(token.purpose, token.text) for token in notice.tokens)), None)
    if ids is None and notice.tokens and notice.email is None:
        return Taken(Effect.QUARANTINED, "its token is not ours, or was altered")
    if ids is None and notice.email is None:
        return Taken(Effect.QUARANTINED, "it does not say which mail it is about")
    try:
        mail = returned_mail(tx, *ids) if ids is not None else person_at(tx, notice.email or "")
        moved = mail is not None and notice.recipient is not None and not _is_hers(tx, mail, notice.recipient)
    except ValueError:
        return Taken(Effect.QUARANTINED, "it names something that is no address")
    if mail is None:
        return Taken(Effect.NONE, "nobody we know (any more)")
    if moved and notice.told is Told.FAILED:
        return Taken(Effect.NONE, "about an address she has left", mail.contact.id)
    match notice.told:
        case Told.COMPLAINT:
            return _say(tx, notice, mail, COMPLAINED, Effect.COMPLAINED, f"complaint-{notice.id}", {}, now)
        case Told.UNSUBSCRIBE:
            campaign = programme.campaigns.get(mail.campaign or "")
            topic = campaign.topic if campaign is not None and campaign.topic in programme.topics else None
            told = {"topic": topic, "by": "mail" if notice.via in {"mail", "arf"} else notice.via}
            return _say(tx, notice, mail, UNSUBSCRIBED, Effect.UNSUBSCRIBED, f"unsubscribe-{notice.id}", told, now)
        case _:
            return _returned(tx, notice, mail, now)


def _is_hers(tx: Transaction, mail: Returned, address: str) -> bool:
    return mail.contact.email is not None and tx.address_key(address) == tx.address_key(mail.contact.email)


def _returned(tx: Transaction, notice: Notice, mail: Returned, now: datetime) -> Taken:
    """Suppression goes by the cause, and for doubtful causes by how often, over how long."""
    weight = suppression_for(code=notice.code, enhanced=notice.enhanced, text=notice.text, asynchronous=True)
    told = {"code": notice.code, "enhanced": notice.enhanced, "text": notice.text, "weight": weight.value}
    name = f"{mail.contact.id}-{mail.seq}" if mail.seq else notice.id
    if weight is Suppression.NOW:
        return _say(tx, notice, mail, BOUNCED, Effect.BOUNCED, f"bounce-{name}", told, now)
    if weight is Suppression.NEVER:
        said = _say(tx, notice, mail, REFUSED, Effect.REFUSED, f"refused-{name}", told, now)
        return _counted(tx, notice, mail, said, now)
    said = _say(tx, notice, mail, SOFT_BOUNCED, Effect.SOFT_BOUNCED, f"soft-bounce-{name}", told, now)
    if said.effect is Effect.KNOWN:
        return said
    if _is_out(tx, mail.contact.id, now):
        return _say(tx, notice, mail, BOUNCED, Effect.BOUNCED, f"bounce-{name}", told, now)
    return said


def _counted(tx: Transaction, notice: Notice, mail: Returned, said: Taken, now: datetime) -> Taken:
    """A refusal counts at the time of its mail."""
    if said.effect is Effect.KNOWN or not is_about_sender(notice.enhanced, notice.text):
        return said
    domain = provider_of(mail.domain) if mail.domain else None
    refused = Refusal(mail.contact.id, min(mail.settled_at or now, now), mail.campaign, domain, notice.text[:512])
    note_refusals(tx, [refused])
    return replace(said, refused=refused)


def _say(
    tx: Transaction,
    notice: Notice,
    mail: Returned,
    name: str,
    effect: Effect,
    message_id: str,
    told: Mapping[str, Any],
    now: datetime,
) -> Taken:
    """By the front door: an event of hers. A waiting event shuts the gate for every mail of hers."""
    properties = {
        "campaign": mail.campaign,
        "step": mail.step,
        "delivery": mail.seq or None,
        "domain": mail.domain,
        "via": notice.via,
        **told,
    }
    arrival = Arrival(
        who=Identity(contact_id=mail.contact.id),
        name=name,
        at=min(notice.at or now, now),
        properties={key: value for key, value in properties.items() if value not in (None, "")},
        message_id=message_id,
        source=SOURCE,
    )
    stored = store_events(tx, [arrival], now)
    return Taken(Effect.KNOWN if stored.duplicates else effect, contact_id=mail.contact.id)


def _hold(database: Database, why: str, raw: bytes, now: datetime) -> Taken:
    held = Held(SOURCE, why, raw[:MOST_BODY].decode("utf-8", "replace"))
    database.transact(lambda tx: keep(tx, [held], now))
    return Taken(Effect.QUARANTINED, why)

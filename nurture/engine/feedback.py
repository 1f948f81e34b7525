"""What mailboxes and relays tell us of a person becomes an event of hers: by the front door, once each.

A refusal on the wire is stored in the same commit as its outcome; what comes back later as a mail or by a provider's
webhook names the mail by a token of ours, and is judged by its cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from nurture.domain.consent import BOUNCED, COMPLAINED, REFUSED, SOFT_BOUNCED, UNSUBSCRIBED
from nurture.domain.programme import Programme
from nurture.domain.retry import Attempt
from nurture.domain.suppression import Suppression, is_dead, suppression_for
from nurture.domain.tokens import Keyring
from nurture.intake.feedback.notice import Notice, Told, UnreadableError
from nurture.intake.feedback.read import read_feedback
from nurture.storage.database import Database, Transaction
from nurture.storage.deliveries import Claimed
from nurture.storage.events import Arrival, store_events
from nurture.storage.identities import Identity
from nurture.storage.quarantine import MOST_BODY, Held, keep
from nurture.storage.returns import Returned, last_arrived, person_at, returned_mail, strikes_of

SOURCE = "feedback"


def dead_address(claimed: Claimed, attempt: Attempt, now: datetime) -> Arrival | None:
    """The event of an address at which nobody lives, where this one reply is enough to never write to it again."""
    if attempt.code is None or attempt.code < 400:
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
    """`why` explains an effect that is none; `contact_id` is whose mail it was about."""

    effect: Effect
    why: str = ""
    contact_id: int | None = None


def take_mail(
    database: Database,
    keyring: Keyring,
    programme: Programme,
    raw: bytes,
    now: datetime,
    recipient: str | None = None,
) -> Taken:
    """One mail of the feedback mailbox, read and acted upon, durably. What cannot be read is kept in quarantine."""
    try:
        notice = read_feedback(raw, recipient)
    except UnreadableError as error:
        return _hold(database, str(error), raw, now)
    taken = database.transact(lambda tx: take_one(tx, keyring, programme, notice, now))
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
        return _say(tx, notice, mail, REFUSED, Effect.REFUSED, f"refused-{name}", told, now)
    said = _say(tx, notice, mail, SOFT_BOUNCED, Effect.SOFT_BOUNCED, f"soft-bounce-{name}", told, now)
    if said.effect is Effect.KNOWN:
        return said
    strikes = strikes_of(tx, mail.contact.id, SOFT_BOUNCED)
    arrived = last_arrived(tx, mail.contact.id, {seq for _, seq in strikes}, now)
    if is_dead([strike for strike, _ in strikes], now, arrived):
        return _say(tx, notice, mail, BOUNCED, Effect.BOUNCED, f"bounce-{name}", told, now)
    return said


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

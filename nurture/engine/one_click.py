"""What one click on a mail's "unsubscribe" would do, told without doing it: her future is played with it and without.

Only reads. The click is RFC 8058's: the topic of the mail, or all marketing mail where the mail has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nurture.domain.consent import UNSUBSCRIBED
from nurture.domain.contact import Consent, Contact
from nurture.domain.event import Event
from nurture.domain.ledger import Fact, FactKind
from nurture.domain.timing import zone_of
from nurture.domain.tokens import Keyring, Purpose
from nurture.engine.explain.dossier import of_contact
from nurture.engine.explain.fact_words import Clock
from nurture.engine.explain.place_in_campaign import played_on
from nurture.engine.recipient import bearer_of
from nurture.engine.revisions import Applied
from nurture.storage.database import Database


@dataclass(frozen=True, slots=True)
class Stopped:
    """A mail that would not come any more, and when it would have."""

    at: datetime
    campaign: str
    step: str


@dataclass(frozen=True, slots=True)
class OneClick:
    """`topic` is the title of what would stop, None for all marketing mail; `already` if it has.

    `leaves` are titles of campaigns she would leave at once, `stopped` the mails that would not come, soonest first,
    and `kept` how many would come all the same, of the next 400 days, if nothing else happens.
    """

    contact: Contact
    topic: str | None
    already: bool
    leaves: tuple[str, ...]
    stopped: tuple[Stopped, ...]
    kept: int
    clock: Clock


def one_click(database: Database, keyring: Keyring, applied: Applied, token: str, now: datetime) -> OneClick | None:
    """What the token of an unsubscribe link would stop; None if it is nobody's here: a test, or she was erased."""
    programme = applied.programme
    bearer = bearer_of(database, keyring, Purpose.UNSUBSCRIBE, token)
    if bearer is None or bearer.addressee is None:
        return None
    contact, topic = bearer.addressee.contact, bearer.topic(programme)
    with database.read() as tx:
        dossier = of_contact(tx, applied, contact, now, last=0)
    said = Event(0, UNSUBSCRIBED, now, {"topic": topic} if topic is not None else {})
    _, before = played_on(programme, dossier)
    after, still = played_on(programme, dossier, said)
    left = {fact.campaign for fact in after.ledger if fact.kind is FactKind.LEFT and fact.at == now}
    return OneClick(
        contact=contact,
        topic=programme.topics[topic].title if topic is not None else None,
        already=contact.consent is not Consent.GRANTED or (topic is not None and topic in contact.opted_out),
        leaves=tuple(one.title for name, one in programme.campaigns.items() if name in left),
        stopped=tuple(_missing(before, still)),
        kept=len(still),
        clock=Clock(zone_of(contact.zone, programme.zone), now),
    )


def _missing(before: Sequence[Fact], after: Sequence[Fact]) -> list[Stopped]:
    """What is there before and not after; a mail that only comes at another time is still there."""
    there = Counter((fact.campaign, fact.step) for fact in after)
    missing = []
    for fact in before:
        if there[fact.campaign, fact.step]:
            there[fact.campaign, fact.step] -= 1
        else:
            missing.append(Stopped(fact.at, fact.campaign or "", fact.step or ""))
    return missing

"""What webhooks of other systems come to: events for the front door, and wishes about people's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nurture.domain.incoming import EventSchema, WebhookSource, misfit
from nurture.engine.ingest import RESERVED, IncomingEvent
from nurture.intake.webhooks.message import Ask, Asked, Message, Told
from nurture.intake.webhooks.read import meaning_of
from nurture.storage.contacts import erase, find
from nurture.storage.database import Database, Transaction
from nurture.storage.names import called
from nurture.storage.tables import NameKind

WEBHOOK = "webhook:"


@dataclass(frozen=True, slots=True)
class Read:
    """A webhook as events, or as a wish about somebody's data."""

    events: tuple[IncomingEvent, ...] = ()
    asked: Asked | None = None


def read_webhook(source: WebhookSource, message: Message) -> Read:
    """Raises SignalError for what is not taken. An event about nobody is nothing."""
    meaning = meaning_of(source, message)
    if isinstance(meaning, Asked):
        return Read(asked=meaning)
    return Read(tuple(event_of(source, told) for told in meaning if told.is_somebodys))


def event_of(source: WebhookSource, told: Told) -> IncomingEvent:
    """An event for the front door; its customer is an other name of the person."""
    return IncomingEvent(
        name=told.name,
        at=told.at,
        properties=told.properties,
        email=told.email,
        external_id=told.user,
        anonymous_id=_alias(source, told.customer),
        message_id=told.message_id,
        traits=told.traits,
        zone=told.zone,
        locale=told.locale,
        source=f"{WEBHOOK}{source.name}",
    )


def _alias(source: WebhookSource, customer: str | None) -> str | None:
    """That system's id of a person, as an other name of hers; pages of visitors cannot claim names like it."""
    return f"{RESERVED}{source.name}:{customer}" if customer else None


def grant(database: Database, source: WebhookSource, asked: Asked, now: datetime) -> str | None:
    """Do what is asked about a customer's data; what a person has to do herself is the answer.

    Erasing somebody nobody knows is done already.
    """

    def known(tx: Transaction) -> set[int]:
        alias = _alias(source, asked.customer)
        found = set(called(tx, {(NameKind.ANONYMOUS, alias)}).values()) if alias else set()
        contact = find(tx, asked.email) if asked.email else None
        return found | ({contact.id} if contact is not None else set())

    def erase_her(tx: Transaction) -> None:
        for contact_id in sorted(known(tx)):
            erase(tx, contact_id, now)

    if asked.what is Ask.ERASE:
        database.transact(erase_her)
        return None
    if asked.what is Ask.ERASE_ALL:
        return (
            f"{source.name} asks that we forget all its customers; see whose they are with nurture contacts list, and "
            "erase them with nurture contacts erase"
        )
    with database.read() as tx:
        ids = sorted(known(tx))
    if not ids:
        return f"a customer of {source.name} asks what we know of her: we know nobody by that name"
    names = " ".join(f"nurture contacts export {contact_id}" for contact_id in ids)
    return f"a customer of {source.name} asks what we know of her; give her what this prints: {names}"


def ill_formed(schemas: Mapping[str, EventSchema], name: str | None, properties: Mapping[str, Any]) -> str | None:
    """Why an event is not as campaigns/_events.yaml says, None if it is or if nothing is said about it."""
    schema = schemas.get(name) if name is not None and schemas else None
    problem = misfit(schema, properties) if schema is not None else None
    return f"{problem}, by campaigns/_events.yaml" if problem else None

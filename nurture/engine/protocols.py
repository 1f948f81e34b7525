"""What protocols have read, as events for the front door; and another try for what they could not take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from nurture.domain.programme import Programme
from nurture.engine.feedback import SOURCE as FEEDBACK
from nurture.engine.incoming_webhooks import WEBHOOK, ill_formed, read_webhook
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.intake.cloudevents import CloudEvent, read_cloud_event
from nurture.intake.events import SignalError
from nurture.intake.json_text import parse_json
from nurture.intake.segment import Call, read_call
from nurture.intake.webhooks.message import Message
from nurture.storage.database import Database, Transaction
from nurture.storage.quarantine import Held, release

SEGMENT, CLOUDEVENTS = "segment", "cloudevents"


def from_call(call: Call, guest: bool = False) -> IncomingEvent:
    """A call of Segment's protocol; a `guest` cannot change who somebody is."""
    return IncomingEvent(
        name=call.name,
        at=call.at,
        properties=call.properties,
        email=call.email,
        external_id=call.external_id,
        anonymous_id=call.anonymous_id,
        previous_id=call.previous_id,
        guest=guest,
        message_id=call.message_id,
        traits=call.traits,
        zone=call.zone,
        locale=call.locale,
        source=SEGMENT,
    )


def from_cloud_event(event: CloudEvent) -> IncomingEvent:
    return IncomingEvent(
        name=event.name,
        at=event.at,
        properties=event.properties,
        email=event.email,
        external_id=event.external_id,
        message_id=event.message_id,
        source=event.source,
    )


@dataclass(slots=True)
class Replayed:
    """`still` are those that cannot be taken even now: (number in quarantine, why)."""

    taken: int = 0
    still: list[tuple[int, str]] = field(default_factory=list)


def replay(database: Database, held: Sequence[Held], now: datetime, programme: Programme | None = None) -> Replayed:
    """Try again what waits in quarantine; what is taken leaves it. Trying twice changes nothing.

    A visitor's page may have sent it: it is taken as from a guest. `programme`: what is applied, if anything is.
    """
    result = Replayed()
    for each in held:
        try:
            events = _read(each, programme)
            schemas = programme.schemas if programme is not None else {}
            for event in events:
                if why := ill_formed(schemas, event.name, event.properties):
                    raise SignalError(why)
            rejected = ingest(database, events, now, trusted=True).rejected
            if rejected:
                raise SignalError(rejected[0][1])
        except SignalError as error:
            result.still.append((each.id, str(error)))
            continue

        def out(tx: Transaction, done: int = each.id) -> None:
            release(tx, [done])

        database.transact(out)
        result.taken += 1
    return result


def _read(held: Held, programme: Programme | None) -> Sequence[IncomingEvent]:
    """Raises SignalError."""
    assert held.at is not None, "it has been stored"
    if held.source == FEEDBACK:
        raise SignalError("it is a mail that came back, not an event: nurture feedback read takes mails")
    try:
        data = parse_json(held.body)
    except (ValueError, RecursionError):
        raise SignalError("it was cut when it was kept; its sender has to send it again") from None
    if held.source == CLOUDEVENTS:
        return [from_cloud_event(read_cloud_event(data))]
    if held.source.startswith(WEBHOOK):
        return _webhook(held.source.removeprefix(WEBHOOK), data, programme)
    event = from_call(read_call(data, None, held.at), guest=True)
    return [replace(event, message_id=event.message_id or f"held-{held.id}", at=event.at or held.at)]


def _webhook(name: str, data: Any, programme: Programme | None) -> Sequence[IncomingEvent]:
    source = programme.sources.get(name) if programme is not None else None
    if source is None:
        raise SignalError(f"no webhook {name} is applied any more")
    if not isinstance(data, dict) or not {"topic", "id", "data"} <= data.keys() or not isinstance(data["data"], dict):
        raise SignalError("it was no JSON object when it came")
    read = read_webhook(source, Message(str(data["topic"]), str(data["id"]), data["data"]))
    if read.asked is not None:
        raise SignalError("it asks for something only a person can do; drop it when it is done")
    return read.events

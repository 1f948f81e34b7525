"""What protocols have read, as events for the front door; and another try for what they could not take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from nurture.engine.feedback import SOURCE as FEEDBACK
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.intake.cloudevents import CloudEvent, read_cloud_event
from nurture.intake.events import SignalError
from nurture.intake.json_text import parse_json
from nurture.intake.segment import Call, read_call
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


def replay(database: Database, held: Sequence[Held], now: datetime) -> Replayed:
    """Try again what waits in quarantine; what is taken leaves it. Trying twice changes nothing.

    A visitor's page may have sent it: it is taken as from a guest.
    """
    result = Replayed()
    for each in held:
        try:
            event = _read(each)
            rejected = ingest(database, [event], now, trusted=True).rejected
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


def _read(held: Held) -> IncomingEvent:
    """Raises SignalError."""
    assert held.at is not None, "it has been stored"
    if held.source == FEEDBACK:
        raise SignalError("it is a mail that came back, not an event: nurture feedback read takes mails")
    try:
        data = parse_json(held.body)
    except (ValueError, RecursionError):
        raise SignalError("it was cut when it was kept; its sender has to send it again") from None
    if held.source == CLOUDEVENTS:
        return from_cloud_event(read_cloud_event(data))
    event = from_call(read_call(data, None, held.at), guest=True)
    return replace(event, message_id=event.message_id or f"held-{held.id}", at=event.at or held.at)

"""The front door: everything once, nothing that cannot be stored, and nothing reserved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nurture.engine.ingest import IncomingEvent, ingest
from nurture.storage.database import Database
from nurture.storage.figures import latest_event, people, queue
from nurture.testing.house import ANA

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def counts(database: Database) -> tuple[int, int]:
    """Contacts, events that wait for a turn."""
    with database.read() as tx:
        return people(tx)[0], queue(tx, NOW).unprocessed


def test_the_same_message_counts_once_whenever_it_comes(database: Database) -> None:
    event = IncomingEvent(name="Order Completed", email=ANA, message_id="m1", properties={"total": 8})
    assert ingest(database, [event, event], NOW).duplicates == 1
    again = ingest(database, [event], NOW + timedelta(days=400))
    assert (again.stored, again.duplicates, again.rejected) == (0, 1, [])
    assert counts(database) == (1, 1)


def test_without_a_message_id_the_whole_content_is_the_identity(database: Database) -> None:
    event = IncomingEvent(name="Order Completed", email=ANA, at=NOW, properties={"total": 8, "sku": "x"})
    turned = IncomingEvent(name="Order Completed", email=ANA, at=NOW, properties={"sku": "x", "total": 8})
    other = IncomingEvent(name="Order Completed", email=ANA, at=NOW, properties={"total": 9, "sku": "x"})
    assert ingest(database, [event], NOW).stored == 1
    assert ingest(database, [turned, other], NOW + timedelta(hours=1)).stored == 1


def test_message_ids_of_different_sources_are_different(database: Database) -> None:
    events = [IncomingEvent(name="A", email=ANA, message_id="1", source=source) for source in ("shop", "blog")]
    assert ingest(database, events, NOW).stored == 2


@pytest.mark.parametrize("name", ["nurture.enrol", "nurture.unsubscribed", "nurture.anything"])
def test_our_own_events_cannot_be_sent_from_outside(database: Database, name: str) -> None:
    told = ingest(database, [IncomingEvent(name=name, email=ANA)], NOW)
    assert (told.stored, counts(database)) == (0, (0, 0))
    assert "nurture's own" in told.rejected[0][1]
    assert ingest(database, [IncomingEvent(name=name, email=ANA)], NOW, trusted=True).stored == 1


CIRCLE: dict[str, Any] = {}
CIRCLE["self"] = CIRCLE
BAD: dict[str, dict[str, Any]] = {
    "a NUL in a name": {"name": "A\0B"},
    "an empty name": {"name": " "},
    "a long name": {"name": "x" * 201},
    "a long message id": {"message_id": "x" * 256},
    "a long user id": {"external_id": "x" * 256},
    "a NUL in an id": {"message_id": "a\0"},
    "half a surrogate pair": {"properties": {"text": "\ud800"}},
    "half a surrogate pair in an address": {"email": "\udc00@people.example"},
    "a NUL in the data": {"properties": {"text": "a\0b"}},
    "a NUL in a trait": {"traits": {"a\0": 1}},
    "not a number": {"properties": {"value": float("nan")}},
    "infinity": {"traits": {"value": float("inf")}},
    "an object": {"properties": {"value": object()}},
    "a circle": {"properties": CIRCLE},
    "a time without zone": {"at": datetime(2026, 3, 2)},
    "nobody": {"email": None},
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_stored_is_refused_alone_with_its_place(database: Database, name: str) -> None:
    good = [IncomingEvent(name="Fine", email=f"p{number}@people.example") for number in range(3)]
    bad = IncomingEvent(**{"name": "Bad", "email": ANA, **BAD[name]})
    told = ingest(database, [good[0], bad, *good[1:]], NOW)
    assert [place for place, _ in told.rejected] == [1]
    assert told.stored == 3
    assert counts(database) == (3, 3)


def test_places_are_counted_over_all_batches(database: Database) -> None:
    events = [IncomingEvent(name="A", email=f"p{number}@people.example") for number in range(1005)]
    events[1003] = IncomingEvent(name="nurture.bounced", email=ANA)
    told = ingest(database, events, NOW)
    assert (told.stored, told.created) == (1004, 1004)
    assert [place for place, _ in told.rejected] == [1003]


def test_an_event_from_the_future_happened_now(database: Database) -> None:
    ingest(database, [IncomingEvent(name="A", email=ANA, at=NOW + timedelta(days=3))], NOW)
    with database.read() as tx:
        assert latest_event(tx) == NOW
        assert queue(tx, NOW).due == 1

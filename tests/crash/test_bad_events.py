"""A thousand lines that are no events, and a few that are: each is told with its line, and only the few are stored."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import func, select

from nurture.engine.ingest import IncomingEvent, ingest
from nurture.intake.events import Signal, SignalError, read_events
from nurture.storage.database import Database
from nurture.storage.tables import contacts, events
from nurture.testing.house import START

GOOD = {"event": "Order Completed", "email": "ana@people.example", "messageId": "m-1", "at": "2026-03-02T09:00:00Z",
        "with": {"total": 80, "items": [{"sku": "x", "n": 2}]}, "traits": {"first_name": "Ána"}}  # fmt: skip
NO_TEXT = [True, 1.5, ["a"], {"a": 1}, "x" * 301, "a\0b"]
WRONG: dict[str, list[object]] = {
    "event": [None, "", "  ", 7, True, ["X"], {"a": 1}, "x" * 201, "A\x1bB", "A\nB", "nurture.enrol", "NURTURE.x"],
    "email": [*NO_TEXT, "", "ana", "ana@", "@people.example", "a b@people.example", "ana@people", "ana@-x.example",
              "ana@people.example\r\nBcc: eve@people.example", "ana@people..example", "Ana <ana@people.example>"],
    "userId": NO_TEXT,
    "messageId": [*NO_TEXT, 17],
    "at": [5, True, [], {}, "yesterday", "2026-03-02", "2026-03-02T09:00:00", "2026-13-02T09:00:00Z", "25:00Z",
           "2026-03-02T09:00:00+99:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
    "with": [1, "x", [1], True, {"n": "\0"}, {"a\0": 1}, {"deep": json.loads("[" * 13 + "]" * 13)}],
    "traits": [1, "x", [1], False, {"n": "\0"}],
}  # fmt: skip


def malformed() -> Iterator[str]:
    text = json.dumps(GOOD, ensure_ascii=False)
    yield from (text[:end] for end in range(1, len(text)))  # broken off
    for char in '"},:[5':
        yield from (more for place in range(len(text)) if not reads(more := text[:place] + char + text[place:]))
    for key, values in WRONG.items():
        for value in values:
            yield json.dumps({**GOOD, key: value})
            yield json.dumps({key: value, **{name: each for name, each in GOOD.items() if name != key}}, indent=None)
            yield json.dumps({**GOOD, key: value, "unknown": 1})
    yield from (json.dumps({**GOOD, key + "s": each}) for key, each in GOOD.items())
    yield from (json.dumps({**GOOD, f"key{n}": n}) for n in range(200))
    for number in (
        "NaN", "Infinity", "-Infinity", "1e999", "01", "0x1F", "'x'", "None", "undefined", '"\\ud800"', "+1", "1_000",
    ):  # fmt: skip
        yield '{"event": "X", "email": "ana@people.example", "with": {"n": ' + number + "}}"
    yield from ("[]", "null", "17", '"event"', "true", "{}", "[" * 50_000, "event=Order Completed", "<event/>", "\0")


def reads(line: str) -> bool:
    """Whether it is JSON all the same: inside of a text most characters may stand."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_a_thousand_malformed_events_are_each_told_and_none_is_stored(database: Database) -> None:
    bad = list(dict.fromkeys(malformed()))
    assert len(bad) >= 1000
    lines = []
    for number, line in enumerate(bad):
        if number % 50 == 0:
            lines.append(json.dumps({**GOOD, "messageId": f"good-{number}"}))
        lines.append(line)
    good = len(lines) - len(bad)
    read = list(read_events(lines, "events.jsonl"))
    assert len(read) == len(lines)
    for number, (line, each) in enumerate(zip(lines, read, strict=True), 1):
        if isinstance(each, SignalError):
            assert str(each).startswith(f"events.jsonl, line {number}")
            assert len(str(each)) < 600
        else:
            assert '"good-' in line, f"taken: {line[:300]}"
    taken = [each for each in read if isinstance(each, Signal)]
    arrived = [
        IncomingEvent(name=each.name, email=each.email, at=each.at, properties=each.properties, traits=each.traits,
                      message_id=each.message_id)
        for each in taken
    ]  # fmt: skip
    done = ingest(database, arrived, START)
    assert (done.stored, done.rejected) == (good, [])
    with database.read() as tx:
        assert tx.execute(select(func.count()).select_from(events)).scalar_one() == good
        assert tx.execute(select(func.count()).select_from(contacts)).scalar_one() == 1

"""Events as JSON Lines: what is taken, and what is said about the rest."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.intake.events import Signal, SignalError, read_events


def one(text: str) -> Signal | SignalError:
    (read,) = read_events([text])
    return read


def test_the_names_of_segments_protocol_are_understood() -> None:
    line = json.dumps(
        {
            "type": "track",
            "event": "Order Completed",
            "userId": 17,
            "messageId": "m-1",
            "timestamp": "2026-03-28T21:00:00+02:00",
            "properties": {"total": 80},
            "context": {"library": {"name": "x"}},
        }
    )
    assert one(line) == Signal(
        "Order Completed", None, "17", datetime(2026, 3, 28, 19, tzinfo=UTC), {"total": 80}, {}, "m-1", 1
    )


@pytest.mark.parametrize(
    ("line", "zone", "locale"),
    [
        ({"zone": "asia/tokyo", "locale": "ja_JP"}, "Asia/Tokyo", "ja-JP"),
        ({"timezone": "Asia/Tokyo", "context": {"timezone": "Europe/Paris", "locale": "fr-FR"}}, "Asia/Tokyo", "fr-FR"),
        ({"context": {"timezone": "Europe/Paris"}}, "Europe/Paris", None),
        ({"traits": {"timezone": "Europe/Paris", "locale": "fr"}}, "Europe/Paris", "fr"),
        ({"traits": {"zone": "5b", "locale": 7}}, None, None),
        ({"zone": "Mars/Olympus", "context": "none"}, None, None),
        ({"zone": 3, "context": {"timezone": ["Asia/Tokyo"]}}, None, None),
    ],
)
def test_where_somebody_lives_is_taken_from_where_systems_write_it(
    line: dict[str, object], zone: str | None, locale: str | None
) -> None:
    read = one(json.dumps({"event": "Signed Up", "email": "a@example.com", **line}))
    assert isinstance(read, Signal)
    assert (read.zone, read.locale) == (zone, locale)


@pytest.mark.parametrize(
    "line", ['{"event": "A", "event": "B", "userId": 1}', '{"event": "A", "with": {"x": 1, "x": 2}}']
)
def test_a_name_that_stands_twice_is_refused(line: str) -> None:
    assert "stands in it twice" in str(one(line))


def test_the_names_people_write_by_hand_are_understood() -> None:
    line = '{"name": "Quote Requested", "email": "a@example.com", "at": "2026-03-28T19:00:00Z", "with": {"sum": 5}}'
    read = one(line)
    assert isinstance(read, Signal)
    assert (read.name, read.email, dict(read.properties)) == ("Quote Requested", "a@example.com", {"sum": 5})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"event": "X", "email": "a@example.com"', "line 1, column 40: not JSON"),
        ("[1]", "an event is an object"),
        ('{"email": "a@example.com"}', "the event has no name"),
        ('{"event": "X"}', "whose event is it?"),
        ('{"event": "X", "email": "nobody"}', "is not a mail address"),
        ('{"event": "X", "email": "a@example.com", "propertys": {}}', "did you mean properties?"),
        ('{"event": "X", "email": "a@example.com", "total": 5}', 'data of the event belongs into "with"'),
        ('{"event": "X", "email": "a@example.com", "at": "2026-03-28T19:00:00"}', "says no zone"),
        ('{"event": "X", "email": "a@example.com", "at": "yesterday"}', "is not an instant"),
        ('{"event": "X", "email": "a@example.com", "at": 5}', "is not an instant"),
        ('{"event": "X", "email": "a@example.com", "with": [1]}', "properties must be an object"),
        ('{"event": "X", "email": "a@example.com", "with": {"n": NaN}}', "NaN is not a number in JSON"),
        ('{"event": "X", "email": "a@example.com", "with": {"n": 1e999}}', "a number that is too large"),
        ('{"event": "X", "email": "a@example.com", "with": {"n": "\\u0000"}}', "a NUL"),
        ('{"event": "X", "email": "a@example.com", "with": {"n": "\\ud800"}}', "half a character"),
        ('{"event": "nurture.enrol", "email": "a@example.com"}', "names that begin with nurture. are our own"),
        ('{"event": "A\\u001bB", "email": "a@example.com"}', "printable"),
        ('{"event": "X", "userId": ["a"]}', "userId must be text"),
        ('{"event": "X", "userId": "' + "a" * 400 + '"}', "at most 300 characters"),
        ('{"event": "X", "email": "a@example.com", "with": ' + '{"a":' * 20 + "1" + "}" * 21, "more than 12 deep"),
        ("[" * 100_000, "nested too deep"),
        ('{"event": "X", "email": "a@example.com", "with": {"n": "' + "x" * 300_000 + '"}}', "more than 256 KiB"),
    ],
)
def test_what_is_no_event_is_told_with_its_line(line: str, told: str) -> None:
    read = one(line)
    assert isinstance(read, SignalError)
    assert str(read).startswith("stdin, line 1")
    assert told in str(read)


def test_lines_are_counted_over_empty_ones_and_one_bad_line_does_not_stop_the_rest() -> None:
    good = '{"event": "X", "email": "a@example.com"}'
    read = list(read_events([good, "", "nonsense", good], "events.jsonl"))
    assert [isinstance(each, Signal) for each in read] == [True, False, True]
    assert "events.jsonl, line 3" in str(read[1])


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    assert all(isinstance(each, (Signal, SignalError)) for each in read_events([text]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["event", "email", "userId", "at", "with", "traits", "messageId"]), json_values))
def test_no_json_makes_the_reader_fail(data: dict[str, object]) -> None:
    assert isinstance(one(json.dumps(data)), (Signal, SignalError))

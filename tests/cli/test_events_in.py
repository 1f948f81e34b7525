"""What came in: the last of it, what could not be taken, and another try."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nurture.storage.database import Database
from nurture.storage.quarantine import Held, keep


def hold(shop: Any, *calls: Any, source: str = "segment") -> None:
    with Database(f"sqlite:///{shop.folder / 'nurture.db'}") as database, database.write() as tx:
        keep(tx, [Held(source, "of old", call if isinstance(call, str) else json.dumps(call)) for call in calls],
             shop.clock.now())  # fmt: skip


def test_the_last_events_are_shown_with_whose_they_are(applied: Any) -> None:
    assert "No event has come yet" in applied("events", "tail").stdout
    for number in range(3):
        applied("events", "send", f"Seen {number}", "--email", "ana@example.com", "--with", f"n={number}")

    shown = applied("events", "tail", "--limit", "2").stdout
    assert [line.split("  ")[1] for line in shown.splitlines()] == ["Seen 1", "Seen 2"]
    assert "ana@example.com" in shown
    assert [each["name"] for each in applied.json("events", "tail")["data"]["events"]] == ["Seen 0", "Seen 1", "Seen 2"]


def test_what_is_in_quarantine_is_shown_with_its_reason_and_as_it_came(applied: Any) -> None:
    assert "Nothing is in quarantine" in applied("events", "quarantine").stdout
    hold(applied, {"type": "track", "userId": "u", "event": ""})

    assert "of old" in applied("events", "quarantine").stdout
    assert '"userId": "u"' in applied("events", "quarantine", "1").stdout
    assert applied.json("events", "quarantine")["data"]["total"] == 1
    assert "1 event dropped" in applied("events", "quarantine", "--drop", "1").stdout
    assert "Nothing" in applied("events", "quarantine").stdout


def test_what_can_be_taken_today_is_replayed_once_and_the_rest_stays(applied: Any) -> None:
    good = {"type": "track", "userId": "u", "event": "Seen", "messageId": "m1"}
    cloud = {"specversion": "1.0", "type": "Heard", "source": "s", "id": "1", "subject": "ana@example.com"}
    hold(applied, good, good, {**good, "messageId": None}, {"type": "track", "event": "E"}, '{"type": "tra')
    hold(applied, cloud, source="cloudevents")

    answer = applied.json("events", "replay", "--all", code=1)

    assert answer["data"] == {"taken": 4, "still": 2}
    assert [problem["message"].partition(":")[0] for problem in answer["problems"]] == ["4", "5"]
    assert "was cut" in answer["problems"][1]["message"]
    names = [each["name"] for each in applied.json("events", "tail")["data"]["events"]]
    assert names == ["Seen", "Seen", "Heard"], "the same message once, one without an id, one by another protocol"
    assert applied.json("events", "quarantine")["data"]["total"] == 2


@pytest.mark.parametrize("arguments", [("replay",), ("replay", "--all", "1"), ("quarantine", "--drop")])
def test_which_ones_has_to_be_said(applied: Any, arguments: tuple[str, ...]) -> None:
    assert "which?" in applied("events", *arguments, code=2).output

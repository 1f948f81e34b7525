"""What a turn reads of a person: what the programme's expressions can ask for, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from nurture.domain.expression.facts import Facts
from nurture.domain.needs import SnapshotNeeds, needs_of
from nurture.domain.programme import Programme
from nurture.domain.snapshot import Snapshot
from nurture.engine.revisions import assemble
from nurture.language.source import read_project
from nurture.storage.database import Database
from nurture.storage.events import Arrival, store_events
from nurture.storage.identities import Identity
from nurture.storage.snapshots import load_snapshots

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
YEARS = timedelta(days=2000)


@pytest.fixture(scope="module")
def starter() -> Programme:
    return assemble(read_project(Path(__file__).parents[2]), 1).programme


def snapshot_of(database: Database, needs: SnapshotNeeds, *told: tuple[str, timedelta]) -> Snapshot:
    """Of a person to whom all that happened so long ago, seen by earlier turns."""
    arrivals = [
        Arrival(who=Identity(email="ana@example.com"), at=NOW - ago, source="shop", message_id=str(number), name=name)
        for number, (name, ago) in enumerate(told)
    ]
    with database.write() as tx:
        stored = store_events(tx, arrivals, NOW)
        tx.execute(text("UPDATE events SET processed_at = received_at"))
        [snapshot] = load_snapshots(tx, [id_ for id_ in stored.contacts[:1] if id_ is not None], needs, NOW)
    return snapshot


def test_events_that_no_expression_of_the_starter_programme_names_are_never_read(
    database: Database, starter: Programme
) -> None:
    needs = needs_of(starter)
    day = timedelta(days=1)
    asked = sorted(needs.events)
    snapshot = snapshot_of(database, needs, *((name, day) for name in [*asked, "Page Viewed", "Newsletter Subscribed"]))
    assert sorted(snapshot.history) == asked
    assert {"Page Viewed", "Newsletter Subscribed"}.isdisjoint(asked)


def test_each_event_is_read_as_far_back_as_something_may_ask_and_no_further(
    database: Database, starter: Programme
) -> None:
    needs = needs_of(starter)
    bounded = {name: back for name, back in needs.events.items() if back is not None}
    endless = needs.events.keys() - bounded.keys()
    assert bounded
    assert endless
    second = timedelta(seconds=1)
    told = [(name, ago) for name, back in bounded.items() for ago in (back - second, back + second)]
    snapshot = snapshot_of(database, needs, *told, *((name, YEARS) for name in endless))
    assert {name: [NOW - event.at for event in seen] for name, seen in snapshot.history.items()} == {
        **{name: [back - second] for name, back in bounded.items()},
        **{name: [YEARS] for name in endless},
    }


def test_all_that_a_condition_of_the_starter_programme_asks_for_is_among_what_is_read(starter: Programme) -> None:
    """Each segment is asked for facts that note which events it looks up."""

    class Noted(dict[str, list[object]]):
        def get(self, key: str, default: object = None) -> object:  # type: ignore[override]
            asked.add(key)
            return super().get(key, default)

    asked: set[str] = set()
    facts = Facts(NOW, history=Noted(), segments=starter.segments, stage="purchase", stage_since=NOW - YEARS)  # type: ignore[arg-type]
    for segment in starter.segments.values():
        segment.holds(facts)
        segment.next_change(facts)
    assert asked
    assert asked <= needs_of(starter).events.keys()


def test_a_programme_that_asks_nothing_reads_no_history_at_all(database: Database) -> None:
    snapshot = snapshot_of(database, SnapshotNeeds(), ("Order Completed", timedelta(days=1)))
    assert not snapshot.history
    assert not snapshot.received

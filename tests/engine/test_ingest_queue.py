"""The front door for many at once: shared commits, and to everybody her own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from nurture.engine.ingest import IncomingEvent, Ingested, ingest
from nurture.engine.ingest_queue import IngestQueue
from nurture.storage.database import Database
from nurture.storage.faults import DatabaseFault, Fault

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def play(database: Database, story: Callable[[IngestQueue], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        with ThreadPoolExecutor(1) as executor:
            return await story(IngestQueue(database, lambda: NOW, executor))

    return asyncio.run(run())


def together(database: Database, *requests: list[IncomingEvent]) -> list[Ingested]:
    """All of them at once."""

    async def story(queue: IngestQueue) -> list[Ingested]:
        return list(await asyncio.gather(*(queue.submit(request) for request in requests)))

    answers: list[Ingested] = play(database, story)
    return answers


def event(number: int, **more: Any) -> IncomingEvent:
    return IncomingEvent(**{"name": "Viewed", "email": f"p{number}@people.example", "message_id": str(number), **more})


def rows(database: Database, table: str) -> int:
    with database.read() as tx:
        return int(tx.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def commits_of(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every transaction."""
    seen: list[int] = []
    transact = database.transact

    def counted(*arguments: Any, **options: Any) -> Any:
        seen.append(1)
        return transact(*arguments, **options)

    monkeypatch.setattr(database, "transact", counted)
    return seen


def test_callers_of_one_moment_share_a_commit_and_each_gets_her_own_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = commits_of(database, monkeypatch)
    answers = together(database, *([event(number)] for number in range(300)))
    assert [(answer.stored, answer.created, answer.rejected) for answer in answers] == [(1, 1, [])] * 300
    assert rows(database, "events") == rows(database, "contacts") == 300
    assert len(commits) <= 3


def test_who_was_new_and_what_was_told_before_is_said_to_the_right_caller(database: Database) -> None:
    ingest(database, [event(1)], NOW)
    first, again, both = together(database, [event(2)], [event(1), event(2)], [event(2, message_id="x"), event(3)])
    assert (first.stored, first.duplicates, first.created) == (1, 0, 1)
    assert (again.stored, again.duplicates, again.created) == (0, 2, 0)
    assert (both.stored, both.duplicates, both.created) == (2, 0, 1)


@pytest.mark.parametrize(
    "poison",
    [
        {"properties": {"x": "\0"}},
        {"properties": {"x": float("nan")}},
        {"contact_id": 2**70},
        {"email": "x" * 400},
        {"email": None},
        {"name": "nurture.unsubscribed"},
        {"at": datetime(2026, 1, 1)},
    ],
    ids=lambda poison: "-".join(poison),
)
def test_a_poisoned_event_refuses_only_itself(database: Database, poison: dict[str, Any]) -> None:
    before, bad, after = together(database, [event(1)], [event(2), event(3, **poison), event(4)], [event(5)])
    assert (before.stored, bad.stored, after.stored) == (1, 2, 1)
    assert [place for place, _ in bad.rejected] == [1]
    assert before.rejected == after.rejected == []
    assert rows(database, "events") == 4


def test_an_event_only_the_database_can_refuse_is_found_among_a_thousand(database: Database) -> None:
    told = [event(number, contact_id=2**70 if number == 617 else None) for number in range(1000)]
    result = ingest(database, told, NOW)
    assert (result.stored, [place for place, _ in result.rejected]) == (999, [617])


def test_only_trusted_callers_tell_our_own_events_also_beside_others(database: Database) -> None:
    async def story(queue: IngestQueue) -> list[Ingested]:
        own = event(1, name="nurture.unsubscribed")
        return list(await asyncio.gather(queue.submit([own]), queue.submit([own], trusted=True)))

    refused, stored = play(database, story)
    assert (refused.stored, stored.stored) == (0, 1)


def test_a_database_that_is_gone_is_everybodys_error_and_nobody_is_told_that_she_was_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_work: object) -> None:
        raise DatabaseFault(Fault.UNREACHABLE, "The database is gone.")

    async def story(queue: IngestQueue) -> list[Ingested | BaseException]:
        asked = (queue.submit([event(number)]) for number in range(3))
        return list(await asyncio.gather(*asked, return_exceptions=True))

    with monkeypatch.context() as broken:
        broken.setattr(database, "transact", gone)
        answers = play(database, story)
    assert all(isinstance(answer, DatabaseFault) for answer in answers)
    assert together(database, [event(1)])[0].stored == 1

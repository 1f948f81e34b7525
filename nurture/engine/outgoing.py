"""Webhook calls and alerts to a team: what a step asked for besides mail. At least once, never inside a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from nurture.storage.database import Database
from nurture.storage.outbox import Call, claim_calls, fail_call, finish_call

HIDE_FOR = timedelta(minutes=5)
TRIES = 8
FIRST_PAUSE = timedelta(minutes=1)
BATCH = 10  # made side by side, so that all are done well before any shows again


class Caller(Protocol):
    """Makes one call. Returns None when it was taken, else what went wrong."""

    async def __call__(self, call: Call) -> str | None: ...


InThread = Callable[..., Awaitable[object]]


async def call_out(
    database: Database, callers: Mapping[str, Caller], in_thread: InThread, clock: Callable[[], datetime]
) -> int:
    """Make the calls that are due, as many as fit; how many were taken. `callers` by kind of call."""
    claimed = await in_thread(_claim, database, clock())
    assert isinstance(claimed, list)

    async def make(call: Call) -> bool:
        error = await _error_of(callers, call)
        await in_thread(_finish, database, call, error, clock())
        return error is None

    return sum(await asyncio.gather(*(make(call) for call in claimed)))


async def _error_of(callers: Mapping[str, Caller], call: Call) -> str | None:
    caller = callers.get(call.kind)
    if caller is None:
        return f"no way to make a call of the kind {call.kind}"
    try:
        return await caller(call)
    except Exception as error:  # noqa: BLE001 - one call that cannot be made must not stop the others
        return f"{type(error).__name__}: {error}"


def _claim(database: Database, now: datetime) -> list[Call]:
    return database.transact(lambda tx: claim_calls(tx, now, BATCH, HIDE_FOR))


def _finish(database: Database, call: Call, error: str | None, now: datetime) -> None:
    if error is None:
        database.transact(lambda tx: finish_call(tx, call.id, now))
        return
    again = now + FIRST_PAUSE * 2 ** (call.tries - 1) if call.tries < TRIES else None
    database.transact(lambda tx: fail_call(tx, call.id, error, again))

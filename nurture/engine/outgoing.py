"""Webhook calls and alerts to a team: what a step asked for besides mail. At least once, never inside a turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from nurture.storage.database import Database
from nurture.storage.outbox import Call, claim_calls, fail_call, finish_call

HIDE_FOR = timedelta(minutes=5)
TRIES = 8
FIRST_PAUSE = timedelta(minutes=1)
BATCH = 50


class Caller(Protocol):
    """Makes one call. Returns None when it was taken, else what went wrong."""

    async def __call__(self, call: Call) -> str | None: ...


InThread = Callable[..., Awaitable[object]]


async def call_out(
    database: Database, callers: Mapping[str, Caller], in_thread: InThread, clock: Callable[[], datetime]
) -> int:
    """Make the calls that are due, one after the other; how many were taken. `callers` by kind of call."""
    claimed = await in_thread(_claim, database, clock())
    assert isinstance(claimed, list)
    taken = 0
    for call in claimed:
        caller = callers.get(call.kind)
        error = await caller(call) if caller is not None else f"no way to make a call of the kind {call.kind}"
        taken += error is None
        await in_thread(_finish, database, call, error, clock())
    return taken


def _claim(database: Database, now: datetime) -> list[Call]:
    return database.transact(lambda tx: claim_calls(tx, now, BATCH, HIDE_FOR))


def _finish(database: Database, call: Call, error: str | None, now: datetime) -> None:
    if error is None:
        database.transact(lambda tx: finish_call(tx, call.id, now))
        return
    again = now + FIRST_PAUSE * 2 ** (call.tries - 1) if call.tries < TRIES else None
    database.transact(lambda tx: fail_call(tx, call.id, error, again))

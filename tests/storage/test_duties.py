"""Marks: facts about the database, written by many daemons at once."""

from __future__ import annotations

import threading
from typing import Any

from nurture.storage.duties import mark, marked

World = Any


def test_two_daemons_that_leave_the_same_mark_at_once_both_succeed(world: World) -> None:
    """The second waits for the first, and finds the row there when it goes on."""
    went: list[Exception | None] = []

    def second() -> None:
        try:
            world.database.transact(lambda tx: mark(tx, "alive", {"by": "second"}, world.now))
        except Exception as error:
            went.append(error)
        else:
            went.append(None)

    with world.database.write() as tx:
        mark(tx, "alive", {"by": "first"}, world.now)
        other = threading.Thread(target=second)
        other.start()
        other.join(0.3)
        assert other.is_alive(), "it did not wait"
    other.join(20)
    assert went == [None]
    with world.database.read() as tx:
        assert marked(tx, "alive") == {"by": "second"}


def test_a_mark_that_is_none_is_gone(world: World) -> None:
    world.database.transact(lambda tx: mark(tx, "alive", {"by": "one"}, world.now))
    world.database.transact(lambda tx: mark(tx, "alive", None, world.now))
    with world.database.read() as tx:
        assert marked(tx, "alive") is None

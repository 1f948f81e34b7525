"""Houses with a site on a real server, on either database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from nurture.engine.keys import Scope, create_key
from nurture.storage.database import Database
from nurture.storage.tables import events
from nurture.testing.house import House, sources
from nurture.testing.site import Served, serving

ONE_MAIL = """\
start: {event: Signed Up}
steps:
  - {id: hello, send: hello}
"""


@pytest.fixture
def build(database: Database, tmp_path: Path) -> Callable[..., House]:
    """`build(campaign, ..., project=, ...)`: a house in which these campaigns are applied."""

    def make(*campaigns: str, files: Any = None, settings: Any = None, **options: Any) -> House:
        made = files or sources(*(campaigns or (ONE_MAIL,)), **options)
        house = House(database, tmp_path, made, **(settings or {}))
        house.apply()
        return house

    return make


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    return build()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """`serve(house, faces)`: its site, until the test ends."""
    with ExitStack() as stack:
        yield lambda house, *arguments, **options: stack.enter_context(serving(house.app, *arguments, **options))


@pytest.fixture
def site(house: House, serve: Callable[..., Served]) -> Served:
    """Of `house`, with every face."""
    return serve(house)


@pytest.fixture
def key(house: House) -> Callable[..., str]:
    """`key("events", "read")`: a key with these scopes."""
    return lambda *scopes: create_key(house.database, "test", {Scope(scope) for scope in scopes}, house.now)


@pytest.fixture
def stored(house: House) -> Callable[[], list[tuple[Any, ...]]]:
    """Every event that is stored: (contact id, name, at, properties), in order."""

    def read() -> list[tuple[Any, ...]]:
        with house.database.read() as tx:
            query = select(events.c.contact_id, events.c.name, events.c.at, events.c.properties).order_by(events.c.id)
            return [tuple(row) for row in tx.execute(query)]

    return read

"""A house for each test, on either database, with a scripted relay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nurture.storage.database import Database
from nurture.testing.house import House, sources
from nurture.testing.smtp import ScriptedServer

ONE_MAIL = """\
start: {event: Signed Up}
steps:
  - {id: hello, send: hello}
"""


@pytest.fixture
def build(database: Database, tmp_path: Path) -> Callable[..., House]:
    """`build(campaign, ..., server=, project=, ...)`: a house in which these campaigns are applied."""

    def make(*campaigns: str, server: Any = None, relay: Any = None, files: Any = None, **options: Any) -> House:
        settings = {
            name: options.pop(name)
            for name in list(options)
            if name in {"per_domain", "allow_list", "webhook_networks", "environment"}
        }
        made = files or sources(*(campaigns or (ONE_MAIL,)), **options)
        house = House(database, tmp_path, made, server, relay=relay, **settings)
        house.apply()
        return house

    return make


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    """`scripted(RCPT=say("550 ..."))`: a running server."""
    running: list[ScriptedServer] = []

    def start(**script: Any) -> ScriptedServer:
        server = ScriptedServer(script)
        running.append(server.__enter__())
        return server

    yield start
    for server in running:
        server.__exit__()

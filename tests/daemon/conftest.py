"""Shops that real daemons work for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nurture.testing.processes import Shop
from nurture.testing.smtp import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def open_shop(tmp_path: Path, server: ScriptedServer) -> Iterator[Callable[..., Shop]]:
    shops: list[Shop] = []

    def make(database_url: str, options: str = "") -> Shop:
        shops.append(Shop(tmp_path, database_url, server, options))
        return shops[-1]

    yield make
    for shop in shops:
        shop.close()


@pytest.fixture
def shop(open_shop: Callable[..., Shop], database_url: str) -> Shop:
    """On either database, with one campaign of one mail."""
    made = open_shop(database_url)
    made.apply()
    return made


@pytest.fixture
def file_shop(open_shop: Callable[..., Shop], tmp_path: Path, _sqlite_template: Path) -> Shop:
    """On SQLite."""
    shutil.copy(_sqlite_template, tmp_path / "nurture.db")
    made = open_shop(f"sqlite:///{tmp_path / 'nurture.db'}")
    made.apply()
    return made

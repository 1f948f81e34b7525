"""What of a laboratory is quick enough for every run of the tests."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pytest


def cases(names: Iterable[str], quick: Mapping[str, Collection[str]]) -> list[Any]:
    """(database_url, name) for either database. Those not in `quick`, by database, belong to the laboratory."""
    return [
        pytest.param(kind, name, id=f"{kind}-{name}", marks=[] if name in quick[kind] else [pytest.mark.lab])
        for name in names
        for kind in ("sqlite", "postgres")
    ]

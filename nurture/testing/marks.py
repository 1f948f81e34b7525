"""Which of the two databases a slow test uses in `make test`; in `make lab` it uses the other one."""

from __future__ import annotations

import pytest

FIRST_ON_SQLITE = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.lab)], indirect=True
)
FIRST_ON_POSTGRES = pytest.mark.parametrize(
    "database_url", ["postgres", pytest.param("sqlite", marks=pytest.mark.lab)], indirect=True
)

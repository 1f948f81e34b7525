"""What the laboratories share: daemons that are forked, and programs beside Python."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nurture.testing.forks import Forks
from nurture.testing.forks import forks as forks_of_this_process

PACKAGES = Path(__file__).parents[2] / ".ci" / "lab-packages"


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """The path of a foreign program. In the laboratory a missing one is a failure that says what to install."""

    def find(name: str) -> str:
        path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
        listed = dict(line.split() for line in PACKAGES.read_text().splitlines() if not line.startswith("#"))
        assert path is not None, f"{name} is not installed: apt-get install {listed[name]}"
        return path

    return find


@pytest.fixture(scope="session")
def forks() -> Forks:
    """Daemons at a tenth of the cost."""
    return forks_of_this_process()

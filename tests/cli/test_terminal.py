"""Questions, asked where somebody can answer them."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from tests.cli.conftest import Shop


def on_a_terminal(shop: Shop, *args: str, typed: str) -> tuple[int, str]:
    """Run nurture with a terminal for a keyboard; its exit code and everything it printed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nurture", "--project", str(shop.folder), *args],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        os.write(ours, typed.encode())
        told, _ = process.communicate(timeout=60)
    finally:
        os.close(ours)
    return process.returncode, told


def test_a_yes_goes_ahead(applied: Shop) -> None:
    code, told = on_a_terminal(applied, "campaigns", "pause", "welcome", typed="y\n")
    assert code == 0
    assert "Hold all mail of welcome? [y/N]: " in told
    assert applied.json("status")["data"]["paused"] == ["welcome"]


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_anything_else_changes_nothing(applied: Shop, typed: str) -> None:
    code, told = on_a_terminal(applied, "campaigns", "pause", "welcome", typed=typed)
    assert code == 1
    assert "Nothing was changed." in told
    assert applied.json("status")["data"]["paused"] == []

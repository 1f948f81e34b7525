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


def test_a_yes_goes_ahead(shop: Shop) -> None:
    code, told = on_a_terminal(shop, "init", typed="y\n")
    assert code == 0
    assert ". is not empty. Add nurture's files to it, overwriting none? [y/N]: " in told
    assert (shop.folder / ".nurture").is_dir()


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_anything_else_changes_nothing(shop: Shop, typed: str) -> None:
    code, told = on_a_terminal(shop, "init", typed=typed)
    assert code == 1
    assert "Nothing was changed." in told
    assert not (shop.folder / ".nurture").exists()

"""What docs/events.md tells people to type works as written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nurture.storage.contacts import export, find
from nurture.testing.doc_examples import examples
from nurture.testing.processes import Shop, until


@pytest.fixture
def nurture_on_path(tmp_path: Path) -> str:
    """A folder with `nurture` in it, for the shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "nurture"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m nurture "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_the_lines_of_the_page_about_events_do_what_it_says(file_shop: Shop, nurture_on_path: str) -> None:
    daemon = file_shop.start("--http", "127.0.0.1:0")
    until(lambda: bool(daemon.events("listening")), 40, daemon.text)
    url = daemon.events("listening")[0]["at"]
    blocks = [one.text for one in examples("sh") if one.page == "docs/events.md" and one.kind == "events"]
    script = "set -e\n" + "\n".join(blocks).replace("http://127.0.0.1:8025", url).replace(
        "curl -sS", "curl -sS --fail-with-body"
    )

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=file_shop.folder,
        env={**file_shop.environ, "PATH": nurture_on_path},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing is in quarantine" in done.stdout
    with file_shop.app.database.read() as tx:
        ana = find(tx, "ana@example.com")
        assert ana is not None
        assert (ana.external_id, ana.attributes, ana.zone) == (
            "u-17",
            {"first_name": "Ana", "plan": "pro"},
            "Europe/Helsinki",
        )
        told = export(tx, ana.id)
    assert told is not None
    orders = [each["properties"]["order_id"] for each in told["events"] if each["name"] == "Order Completed"]
    assert orders == ["A-1", "A-2", "A-3"]
    assert daemon.end() == 0

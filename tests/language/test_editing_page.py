"""docs/editing.md: what a plan prints for each row of its table is what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nurture.language.edits import changes
from nurture.testing.worlds import programme

PAGE = Path(__file__).parents[2] / "docs" / "editing.md"
TOUR = """\
campaign: tour
start: {event: Signed Up}
steps:
  - {id: hello, send: hello}
  - wait: 2 days
  - {id: story, send: story}
  - {id: offer, send: offer}
"""
EDITS = {
    "wait longer or shorter": TOUR.replace("2 days", "3 days"),
    "step added": TOUR + "  - {id: extra, send: extra}\n",
    "step removed": TOUR.replace("  - {id: story, send: story}\n", ""),
    "step renamed with `was`": TOUR.replace("id: story", "id: tale, was: story"),
    "steps in another order": TOUR.replace("story", "x").replace("offer", "story").replace("x", "offer"),
    "template or subject": TOUR.replace("send: story}", "send: story, subject: Hello}"),
    "`start`": TOUR.replace("Signed Up", "Visited"),
    "campaign archived": TOUR + "status: archived\n",
}


def rows() -> dict[str, list[str]]:
    """Edit -> what its last cell says the plan prints, one for each pair of backticks."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 5 and cells[0] not in {"edit", "---"}:
            found[cells[0]] = re.findall(r"`([^`]+)`", cells[4])
    return found


def test_every_row_is_tried() -> None:
    assert rows().keys() == EDITS.keys()


@pytest.mark.parametrize("edit", EDITS)
def test_the_plan_prints_what_the_page_says(edit: str) -> None:
    old = programme(TOUR)
    printed = [change.text for change in changes(old, programme(EDITS[edit], previous=old))]
    assert printed == rows()[edit]

"""Files and templates together, as `nurture validate` looks at them."""

from __future__ import annotations

from pathlib import Path

from nurture.engine.check import check
from nurture.language.source import read_project


def test_the_whole_programme_is_without_a_problem():
    checked = check(read_project(Path(__file__).resolve().parents[2]))
    assert checked.templates_checked
    assert [f"{found.file}:{found.line} {found.code} {found.message}" for found in checked.problems] == []

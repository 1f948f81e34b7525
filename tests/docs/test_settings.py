"""The settings that are told are those that there are, and the dependencies too."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from nurture.settings import PREFIX, Settings, load
from nurture.testing.doc_examples import ROOT, page

NAMES = {PREFIX + name.upper() for name in Settings.model_fields}


def example() -> str:
    return (ROOT / ".env.example").read_text(encoding="utf-8")


def test_the_example_names_every_setting_and_no_other() -> None:
    assert set(re.findall(rf"^(?:# )?({PREFIX}\w+)=", example(), re.MULTILINE)) == NAMES


def test_the_example_can_be_used_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(example(), encoding="utf-8")

    assert load(file, {}) == Settings()


def test_the_example_shows_values_that_are_taken(tmp_path: Path) -> None:
    file, key = tmp_path / ".env", tmp_path / "dkim.pem"
    key.write_text("", encoding="utf-8")
    shown = re.sub(r"^# (NURTURE_\w+=.)", r"\1", example(), flags=re.MULTILINE).replace(
        "/etc/nurture/dkim.pem", str(key)
    )
    file.write_text(shown, encoding="utf-8")

    assert load(file, {}).dkim_selector == "nurture1"


@pytest.mark.parametrize("name", ["README.md", "docs/operations.md", "docs/guarantees.md", "docs/language.md"])
def test_no_page_names_a_setting_that_does_not_exist(name: str) -> None:
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", page(name))) <= NAMES


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    product, development = page("docs/dependencies.md").split("## For development only")
    extras = [one for group in project["project"]["optional-dependencies"].values() for one in group]

    def names(wanted: list[str]) -> set[str]:
        return {re.split(r"[\[<>=~; ]", one)[0] for one in wanted}

    assert {name for name in names([*project["project"]["dependencies"], *extras]) if name not in product} == set()
    told = {name.replace("pytest-", "") for name in names(project["dependency-groups"]["dev"])} - {"psycopg", "uvloop"}
    assert {name for name in told if name not in development} == set()

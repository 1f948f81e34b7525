"""What the documentation takes from the code is up to date, and nothing is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nurture.cli.main import COMMANDS
from nurture.rendering.data_contract import OURS
from nurture.rendering.filters import FILTERS
from nurture.testing import docs
from nurture.testing.doc_examples import ROOT, page


@pytest.mark.parametrize("name", docs.DOCUMENTS)
def test_generated_parts_are_up_to_date(name: str) -> None:
    assert docs.filled(page(name)) == page(name), "run .venv/bin/python -m nurture.testing.docs"


def test_a_stale_part_would_be_noticed() -> None:
    stale = page("docs/language.md").replace("`meanwhile`", "`meantime`")

    assert docs.filled(stale) != stale


def test_every_list_is_in_some_document() -> None:
    written = {region for name in docs.DOCUMENTS for region in docs.regions(page(name))}

    assert written == {("keys", model) for model in docs.models()} | {
        (name, "") for name in docs.GENERATORS if name != "keys"
    }


def test_every_code_that_is_raised_has_a_meaning_and_no_other() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "nurture").rglob("*.py") if is_product(path))

    assert set(re.findall(r'"(N\d{3})"', code)) == set(docs.codes())


def is_product(path: Path) -> bool:
    return "testing" not in path.parts


def test_words_are_kept_for_nothing_that_is_gone() -> None:
    from nurture.domain.enrolment import LeftBy
    from nurture.domain.ledger import Reason
    from nurture.language.expression_functions import FUNCTIONS
    from nurture.testing import doc_words

    assert set(doc_words.FUNCTIONS) == set(FUNCTIONS)
    assert set(doc_words.FILTERS) == {name for name in FILTERS if not name.endswith("__")}
    assert set(doc_words.REASONS) == {reason.value for reason in Reason}
    assert set(doc_words.ENDINGS) == {ending.value for ending in LeftBy}


@pytest.mark.parametrize("name", sorted(OURS - {"asset_url"}))
def test_every_name_a_template_can_use_is_told(name: str) -> None:
    assert re.search(rf"`{name}\b", page("docs/language.md"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert f"`nurture {name}`" in page("README.md")

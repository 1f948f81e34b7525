"""No text of the pages is missing in any language, and none says less than the English one."""

from __future__ import annotations

import ast
import re
from importlib.resources import files
from pathlib import Path

import pytest

from nurture.web.pages.languages import TRANSLATED, accepted, best_language, catalogue

WEB = Path(str(files("nurture.web")))
TEXT = re.compile(r"""\b_\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")


def texts() -> set[str]:
    sources = [*WEB.glob("templates/pages/*.html"), *WEB.glob("pages/*.py")]
    return {ast.literal_eval(found) for path in sources for found in TEXT.findall(path.read_text())}


def test_there_are_texts() -> None:
    assert len(texts()) > 10


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_and_nothing_else_is(language: str) -> None:
    assert set(catalogue(language)) == texts()


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_what_is_filled_in(language: str) -> None:
    for english, told in catalogue(language).items():
        assert sorted(re.findall(r"{\w+}", told)) == sorted(re.findall(r"{\w+}", english)), told


def test_the_best_language_is_the_first_one_we_speak() -> None:
    assert best_language(None, "pt-BR", "sv_FI", "de") == "sv"
    assert best_language("xx") == "en"
    assert accepted("de;q=0.3, fi, en;q=x, sv;q=0") == ["fi", "de"]
    assert best_language(*accepted(None)) == "en"

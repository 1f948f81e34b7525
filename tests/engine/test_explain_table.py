"""Explain: the whole printed answer, in each of many situations."""

from __future__ import annotations

import pytest

from tests.engine.explained import PAGE, SITUATIONS, WIDTH, filled, golden

GOLDEN = golden()


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_answer_is_word_for_word(name: str) -> None:
    assert SITUATIONS[name].told() == GOLDEN[name]


def test_every_answer_that_is_kept_is_asked_for() -> None:
    assert GOLDEN.keys() == SITUATIONS.keys()


def test_answers_fit_a_terminal() -> None:
    assert [line for text in GOLDEN.values() for line in text.splitlines() if len(line) > WIDTH] == []


def test_the_page_shows_what_is_answered() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "<!-- situation: " in page
    assert filled(page, GOLDEN) == page

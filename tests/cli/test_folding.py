"""Long lines: folded for a terminal, whole for a pipe."""

from __future__ import annotations

import click

from nurture.cli.folding import folded

LINE = "    waits until Mon 23 Nov 09:00, since mail goes between 9 and 18"


def test_a_line_is_folded_between_words_and_an_instant_stays_whole() -> None:
    assert list(folded(LINE, 30)) == [
        "    waits until",
        "      Mon 23 Nov 09:00, since",
        "      mail goes between 9 and",
        "      18",
    ]
    assert all(len(click.unstyle(part)) <= 30 for part in folded(click.style(LINE, bold=True), 30))


def test_for_a_pipe_lines_stay_whole() -> None:
    assert list(folded(LINE, None)) == [LINE]

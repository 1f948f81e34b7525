"""The table of what proves the promises names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from nurture.testing.doc_examples import page

TESTS = Path(__file__).parents[1]


def test_every_test_that_is_named_as_a_proof_is_there() -> None:
    named = re.findall(r"`(\w+)/(\w+): (\w+)`", page("docs/guarantees.md"))
    assert len(named) > 90
    for room, file, name in named:
        assert f"def test_{name}(" in (TESTS / room / f"test_{file}.py").read_text(encoding="utf-8"), name

"""Caps in a file of their own, to see what others than the project's would change."""

from __future__ import annotations

from nurture.domain.programme import Cap
from nurture.language.behaviour_file import CapsFile
from nurture.language.problems import Problem, in_order
from nurture.language.project import compile_caps
from nurture.language.reading import read_model, read_text


def read_caps(name: str, text: str) -> tuple[tuple[Cap, ...] | None, tuple[Problem, ...]]:
    """The caps, None if the file has errors; and what is to be said about it."""
    file = read_text(name, text)
    rule = read_model(file, CapsFile)
    caps = compile_caps(rule.caps, file) if rule is not None else None
    problems = in_order(file.problems)
    return (None if any(each.is_error for each in problems) else caps), problems

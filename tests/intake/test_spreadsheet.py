"""Exports are opened in spreadsheets, which run what looks like a formula."""

from __future__ import annotations

import csv
import io

import pytest

from nurture.intake.spreadsheet import safe_cell, write_csv


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =cmd|' /C calc'!A0", "\r=1", "＝1"])
def test_a_text_that_could_be_a_formula_becomes_text(text: str) -> None:
    assert safe_cell(text).startswith("'")


@pytest.mark.parametrize(
    ("value", "cell"),
    [(None, ""), (True, "true"), (-5, "-5"), (2.5, "2.5"), ("a=b", "a=b"), ("a@example.com", "a@example.com")],
)  # fmt: skip
def test_other_values_stay_what_they_are(value: object, cell: str) -> None:
    assert safe_cell(value) == cell


def test_rows_come_back_as_they_were_written() -> None:
    file = io.StringIO(newline="")
    assert write_csv(file, ["a", "b"], [["x\ny", 'q"'], ["=1", None]]) == 2
    file.seek(0)
    assert list(csv.reader(file)) == [["a", "b"], ["x\ny", 'q"'], ["'=1", ""]]

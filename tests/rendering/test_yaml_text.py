from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.yaml_text import Mark, YamlProblem, load


def data(text: str) -> object:
    return load(text, "x.yaml")[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10:30", "10:30"),
        ("09:00", "09:00"),
        ("no", "no"),
        ("NO", "NO"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("0123", "0123"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2026-02-30", "2026-02-30"),
        ("12", 12),
        ("-4", -4),
        ("2.50", 2.5),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("E0", "E0"),
        ("-e5", "-e5"),
        (".e1", ".e1"),
        ("~", None),
        ("", None),
        (".inf", ".inf"),
        ("123456789012345678901", "123456789012345678901"),
        ('"12"', "12"),
    ],
)
def test_plain_words_are_what_they_look_like(text: str, value: object):
    found = data(f"key: {text}\n")
    assert found == {"key": value}
    assert type(found["key"]) is type(value)  # type: ignore[index]


def test_keys_are_always_text():
    assert data("on: 1\nNO: 2\n2026: 3\ntrue: 4\n") == {"on": 1, "NO": 2, "2026": 3, "true": 4}


def test_an_empty_file_is_none():
    assert data("") is None
    assert data("# only words\n") is None


def test_every_value_and_key_knows_its_place():
    _, marks = load('a: 1\nsteps:\n  - id: x\n    if: "b == 1"\n', "x.yaml")
    assert marks.value(("steps", 0, "if")) == Mark(4, 9, '"')
    assert marks.key(("steps", 0, "if")) == Mark(4, 5, "")
    assert marks.value(("a",)) == Mark(1, 4, "")


def test_what_is_missing_is_placed_where_it_should_have_been():
    _, marks = load("steps:\n  - id: x\n", "x.yaml")
    assert marks.value(("steps", 0, "send")) == marks.value(("steps", 0)) == Mark(2, 5)


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3", "'a' stands here twice, first in line 1", 3, 1),
        ("a: &x 1", "anchors", 1, 4),
        ("a: *x", "aliases", 1, 4),
        ("a: !!python/object:os.system 1", "tags", 1, 4),
        ("a:\n  <<: {b: 1}", "merge keys", 2, 3),
        ("a: 1\n---\nb: 2", "second document", 2, 1),
        ("%YAML 1.1\n---\na: 1", "directives", 2, 1),
        ("a: {{ x }}", "cannot be a key", 1, 5),
        ("a: b: c", "mapping values are not allowed", 1, 5),
        ("\ta: 1", "cannot start any token", 1, 1),
        ("a: @x", "cannot start any token", 1, 4),
        ("a: \x00", "control character U+0000", 1, 4),
        ("a: 1\nb: \ud800", "control character U+D800", 2, 4),
        ('a: "\\0"', "stands for no character", 1, 4),
        (": x", "key is missing", 1, 1),
        ("a: 1e999", "too large", 1, 4),
        ("[" * 30, "nested more than 20 deep", 1, 21),
    ],
)
def test_what_we_do_not_read_is_refused_with_its_place(text: str, message: str, line: int, column: int):
    with pytest.raises(YamlProblem, match=re.escape(message)) as caught:
        load(text, "x.yaml")
    assert str(caught.value).startswith("x.yaml")
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize("text", ["a: {{ x }}", "a: b: c", "\ta: 1", "a: @x", "a: [1", "a: 1\na: 2", "a: 'x"])
def test_common_mistakes_get_a_hint(text: str):
    with pytest.raises(YamlProblem) as caught:
        load(text, "x.yaml")
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["[" * 500_000, "{" * 500_000, "- " * 400_000, "? " * 400_000, "a: [" + "1," * 400_000, "x" * (1 << 20) + "x"],
)
def test_hostile_files_are_refused_quickly(text: str):
    with pytest.raises(YamlProblem):
        load(text, "x.yaml")


@given(st.text(max_size=60))
def test_no_text_fails_in_any_other_way(text: str):
    problem = None
    try:
        load(text, "x.yaml")
    except YamlProblem as error:
        problem = error
    assert problem is None or (problem.line >= 1 and problem.column >= 1)

"""Whatever is done to the files, compiling them ends with a programme or with problems that have places."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture.language.compile import compile_project
from nurture.language.printing import as_github, as_json, as_sarif, as_text

FILES = [
    "campaigns/_project.yaml",
    "campaigns/_segments.yaml",
    "campaigns/abandoned-cart.yaml",
    "campaigns/order-thanks.yaml",
    "campaigns/people/ana.yaml",
    "campaigns/tests/buying-stops.yaml",
    "email_templates/brand.yaml",
    "email_templates/cart/reminder.html",
]
VALUES = [
    "null", "true", "1", "-3", "1.5", "[]", "{}", "''", "[a, {b: c}]", "{a: {b: [c]}}", "2 days", '"x"', "~", "*a",
    "é", "\t", "- - -", ": :", "if", "{{ x }}", "[1, null]", "'", "😀",
]  # fmt: skip

edits = st.lists(
    st.tuples(
        st.sampled_from(FILES),
        st.sampled_from(["drop", "copy", "value", "indent", "dedent", "insert", "cut"]),
        st.integers(0, 10_000),
        st.integers(0, 10_000),
        st.sampled_from(VALUES),
    ),
    min_size=1,
    max_size=4,
)


def _edited(text: str, kind: str, one: int, other: int, value: str) -> str:
    lines = text.split("\n")
    at = one % len(lines)
    line = lines[at]
    match kind:
        case "drop":
            del lines[at]
        case "copy":
            lines.insert(at, lines[other % len(lines)])
        case "value":
            key, colon, _ = line.partition(": ")
            lines[at] = (key + colon if colon else line) + value
        case "indent":
            lines[at] = "  " + line
        case "dedent":
            lines[at] = line[2:]
        case "insert":
            place = other % (len(line) + 1)
            lines[at] = line[:place] + value + line[place:]
        case _:
            del lines[at : at + other % 6]
    return "\n".join(lines)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=edits)
def test_compiling_never_raises_and_never_half_loads(project: dict[str, str], edits: list[tuple[Any, ...]]) -> None:
    sources = dict(project)
    for file, kind, one, other, value in edits:
        sources[file] = _edited(sources[file], kind, one, other, value)
    compiled = compile_project(sources)
    assert (compiled.programme is None) == bool(compiled.errors)
    for problem in compiled.problems:
        assert 1 <= problem.line <= sources.get(problem.file, "").count("\n") + 1
        assert problem.column >= 1
    for show in (as_github, as_json):
        assert isinstance(show(compiled.problems), str)
    assert as_text(compiled.problems, files=len(sources))
    assert as_sarif(compiled.problems, "0")

"""The schema that editors use says the same as the compiler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nurture.language.json_schema import schema
from nurture.language.schema import FILE_KINDS
from nurture.yaml_text import load

FILES = {
    "project": "campaigns/_project.yaml",
    "segments": "campaigns/_segments.yaml",
    "campaign": "campaigns/abandoned-cart.yaml",
    "person": "campaigns/people/ana.yaml",
    "test": "campaigns/tests/buying-stops.yaml",
}


def _faults(value: Any, rule: dict[str, Any], root: dict[str, Any], at: str = "") -> Iterator[str]:
    """The part of JSON Schema that ours uses: just enough to hold files against it."""
    if "$ref" in rule:
        yield from _faults(value, root["$defs"][rule["$ref"].rpartition("/")[2]], root, at)
        return
    for word in ("anyOf", "oneOf"):
        if word in rule:
            fits = [choice for choice in rule[word] if not list(_faults(value, choice, root, at))]
            if not fits or (word == "oneOf" and len(fits) != 1):
                yield f"{at}: {len(fits)} of {word} fit"
            return
    if "const" in rule and value != rule["const"]:
        yield f"{at}: not {rule['const']}"
    if "enum" in rule and value not in rule["enum"]:
        yield f"{at}: not in {rule['enum']}"
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
    wanted = rule.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if wanted and not any(isinstance(value, kinds[kind]) for kind in wanted):
        yield f"{at}: not {wanted}"
    if isinstance(value, dict):
        yield from _object_faults(value, rule, root, at)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(item, rule.get("items", {}), root, f"{at}/{index}")


def _object_faults(value: dict[str, Any], rule: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    for name in rule.get("required", ()):
        if name not in value:
            yield f"{at}: {name} is missing"
    for key, item in value.items():
        known = rule.get("properties", {})
        inner = known.get(
            key, rule.get("additionalProperties", next(iter(rule.get("patternProperties", {}).values()), {}))
        )
        if inner is False:
            yield f"{at}: unknown {key}"
        elif isinstance(inner, dict):
            yield from _faults(item, inner, root, f"{at}/{key}")


@pytest.mark.parametrize("kind", FILES)
def test_files_without_mistakes_fit_the_schema(project: dict[str, str], kind: str) -> None:
    data, _ = load(project[FILES[kind]], kind)
    assert list(_faults(data, schema(kind), schema(kind))) == []


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("campaign", "status: live", "status: lvie"),
        ("campaign", "title: Remind", "titel: Remind"),
        ("campaign", "    send: cart/reminder", "    sned: cart/reminder"),
        ("campaign", "version: 1", "version: 2"),
        ("project", "max: 1, per", "mx: 1, per"),
        ("test", "expect:", "expects:"),
    ],
)
def test_files_with_mistakes_do_not_fit_it(project: dict[str, str], kind: str, old: str, new: str) -> None:
    text = project[FILES[kind]]
    assert old in text
    data, _ = load(text.replace(old, new, 1), kind)
    assert list(_faults(data, schema(kind), schema(kind)))


@pytest.mark.parametrize("kind", FILE_KINDS)
def test_every_key_is_explained(kind: str) -> None:
    made = schema(kind)
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for model in (made, *made.get("$defs", {}).values()):
        for name, rule in model.get("properties", {}).items():
            assert rule.get("description"), f"{model.get('description')}: {name}"


def test_a_key_cannot_be_left_without_a_value_in_the_schema_either() -> None:
    def nulls(node: Any) -> Iterator[Any]:
        if isinstance(node, dict):
            if node.get("type") == "null":
                yield node
            for value in node.values():
                yield from nulls(value)
        elif isinstance(node, list):
            for value in node:
                yield from nulls(value)

    assert [kind for kind in FILE_KINDS if list(nulls(schema(kind)))] == []


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(KeyError):
        schema("campaigns")

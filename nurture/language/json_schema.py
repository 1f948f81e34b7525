"""The JSON Schema (2020-12) of every kind of file, for editors."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from nurture.language.schema import FILE_KINDS


def schema(kind: str) -> dict[str, Any]:
    """The schema of `campaign`, `project`, `segments`, `person` or `test` files. Raises KeyError for another kind."""
    made = FILE_KINDS[kind].model_json_schema(schema_generator=_Generator)
    return {"$schema": _Generator.schema_dialect, "$id": f"nurture/{kind}.schema.json", **made}


class _Generator(GenerateJsonSchema):
    """Leaves out pydantic's titles, which editors show in place of the key, and nulls, which are refused."""

    def generate(self, schema: Any, mode: JsonSchemaMode = "validation") -> dict[str, Any]:
        made = super().generate(schema, mode)
        _tidy(made)
        return made


def _without_null(node: dict[str, Any]) -> None:
    """A key that may be left out may not be written without a value."""
    choices = node.get("anyOf")
    if not isinstance(choices, list) or {"type": "null"} not in choices:
        return
    rest = [choice for choice in choices if choice != {"type": "null"}]
    if len(rest) == 1:
        del node["anyOf"]
        node.update({key: value for key, value in rest[0].items() if key not in node})
    else:
        node["anyOf"] = rest


def _tidy(node: Any) -> None:
    if isinstance(node, dict):
        if isinstance(node.get("title"), str) and (
            "type" in node or "anyOf" in node or "$ref" in node or "const" in node
        ):
            del node["title"]
        if node.get("default", 0) is None:
            del node["default"]
        _without_null(node)
        for value in node.values():
            _tidy(value)
    elif isinstance(node, list):
        for value in node:
            _tidy(value)

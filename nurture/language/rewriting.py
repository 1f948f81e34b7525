"""Story files written anew: only what they expect changes; comments, order and the rest stay as they were."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

KEPT = object()  # as a value: what stands there stays
WIDE = 10_000  # no line is folded that was not


def expecting(text: str, got: Mapping[str, Any]) -> str:
    """The story file `text` with `got` as its expectations: keys of `expect` to lists, mappings or plain values.

    Keys that `got` has not are taken out, those with KEPT stay.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = WIDE
    yaml.indent(mapping=2, sequence=4, offset=2)
    story = yaml.load(text)
    expect = story["expect"]
    for name in [name for name in expect if name not in got]:
        del expect[name]
    for name, value in got.items():
        if value is not KEPT and (name not in expect or expect[name] != value):
            expect[name] = _like(expect.get(name), value)
    out = StringIO()
    yaml.dump(story, out)
    return out.getvalue()


def _like(before: Any, value: Any) -> Any:
    """The value in the form, block or flow, of what stood there; flow where nothing did."""
    if not isinstance(value, list | tuple | dict):
        return value
    made = CommentedMap(value) if isinstance(value, dict) else CommentedSeq(value)
    in_blocks = isinstance(before, CommentedMap | CommentedSeq) and before.fa.flow_style() is False and value
    if not in_blocks:
        made.fa.set_flow_style()
    return made

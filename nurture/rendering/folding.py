"""Expressions that hold for everybody (the brand, the postal address) become static text when a template is compiled.

So a style sheet with `{{ brand.green }}` is a plain style sheet when it is inlined, and no mail pays for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import meta, nodes
from markupsafe import escape

from nurture.errors import NurtureError
from nurture.rendering.environment import BadValue, Program, Sandbox, printable
from nurture.rendering.filters import NEEDS_CONTACT, FilterError
from nurture.rendering.functions import FUNCTIONS, PERSONAL
from nurture.rendering.places import Place, Where, placed
from nurture.rendering.problems import CompileError
from nurture.rendering.segments import Kind, Segment

_FOLDER = Sandbox(finalize=printable, functions=FUNCTIONS)


def folded(segments: Sequence[Segment], constants: Mapping[str, Any]) -> list[tuple[Segment, Place]]:
    """The segments with constants filled in, each with its place. Raises CompileError."""
    bound = _bound_names(segments)
    usable = {name: value for name, value in constants.items() if name not in bound}
    known: dict[str, str | None] = {}
    out: list[Segment] = []
    for segment, place in placed(segments):
        if segment.kind is Kind.PRINT:
            if segment.source not in known:
                known[segment.source] = _constant(segment, usable)
            value = known[segment.source]
            if value is not None:
                text = value if place.where is Where.STYLE else str(escape(value))
                out.append(replace(segment, kind=Kind.TEXT, source=text))
                continue
        out.append(segment)
    return placed(_merged(out))


def _merged(segments: Sequence[Segment]) -> list[Segment]:
    """Neighbouring texts as one, so that a tag's place is judged by everything before it."""
    out: list[Segment] = []
    for segment in segments:
        if out and segment.kind is Kind.TEXT and out[-1].kind is Kind.TEXT:
            out[-1] = replace(out[-1], source=out[-1].source + segment.source)
        else:
            out.append(segment)
    return out


def _bound_names(segments: Sequence[Segment]) -> set[str]:
    """Names the template sets itself: those are not the constants of the same name."""
    names: set[str] = set()
    for segment in segments:
        if segment.word in {"set", "for", "with"}:
            closing = "" if segment.word == "set" else f"{{% end{segment.word} %}}"
            try:
                tree = _FOLDER.parse(segment.tag() + closing)
            except jinja2.TemplateSyntaxError:
                continue  # the compiler will say it better
            names |= {node.name for node in tree.find_all(nodes.Name) if node.ctx in {"store", "param"}}
    return names


def _constant(segment: Segment, constants: Mapping[str, Any]) -> str | None:
    """The text an expression gives for everybody, None if it depends on the person."""
    names = _asked_for(segment.tag())
    if names is None or not names <= constants.keys() | FUNCTIONS.keys():
        return None
    try:
        return _program(segment.tag()).run(dict(constants))
    except (jinja2.TemplateError, BadValue, FilterError, NurtureError) as error:
        hint = "set it in email_templates/brand.yaml" if "brand" in segment.source else None
        raise CompileError(f"{segment.tag()}: {error}", segment.file, segment.line, hint) from None


# Layouts and parts stand in every template, so that the same few tags are met a thousand times.


@lru_cache(maxsize=4096)
def _asked_for(tag: str) -> frozenset[str] | None:
    """The names a tag uses; None if it cannot be read, or asks for what is the person's."""
    try:
        tree = _FOLDER.parse(tag)
        names = meta.find_undeclared_variables(tree)
    except jinja2.TemplateSyntaxError:
        return None  # the compiler will say it better
    if any(node.name in NEEDS_CONTACT for node in tree.find_all(nodes.Filter)):
        return None
    if any(node.name in PERSONAL for node in tree.find_all(nodes.Name)):
        return None
    return frozenset(names)


@lru_cache(maxsize=4096)
def _program(tag: str) -> Program:
    return _FOLDER.compiled(tag, "a constant")

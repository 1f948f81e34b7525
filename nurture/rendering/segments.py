"""A template as a sequence of static texts and Jinja tags, each with the place it came from.

All steps between reading and compiling work on segments: whitespace control (`{%-`) is resolved and comments are gone,
so that segments can be moved, masked and encoded without changing what the template means.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache

import jinja2

from nurture.rendering.problems import CompileError, liquid_hint


class Kind(Enum):
    TEXT = "text"
    PRINT = "print"
    DO = "do"


@dataclass(frozen=True, slots=True)
class Segment:
    """`source` is the text, or the inside of the tag without its braces. `line` is 1-based in `file`."""

    kind: Kind
    source: str
    file: str
    line: int

    @property
    def word(self) -> str:
        """The first word of a statement: `if`, `endif`, `include`, ...; empty for everything else."""
        return self.source.split(None, 1)[0].split("(")[0] if self.kind is Kind.DO and self.source else ""

    def tag(self) -> str:
        """The segment as Jinja source again."""
        if self.kind is Kind.PRINT:
            return "{{ " + self.source + " }}"
        if self.kind is Kind.DO:
            return "{% " + self.source + " %}"
        return escaped(self.source)

    def with_source(self, source: str) -> Segment:
        return replace(self, source=source)


Token = tuple[str, str]
"""(type, text) as Jinja's own lexer names them: name, operator, string, integer, float, whitespace."""

_LEXER = jinja2.Environment(autoescape=True, keep_trailing_newline=True)
_SIGNS = re.compile(r"\{[{%#]")


def escaped(text: str) -> str:
    """Static text that Jinja will print as it is."""
    return _SIGNS.sub(lambda sign: '{{ "' + sign[0] + '" }}', text) if "{" in text else text


def lex(source: str, file: str, first_line: int = 1) -> list[Segment]:
    """The segments of a Jinja source. Raises CompileError."""
    return list(_lexed(source, file, first_line))


# Layouts and parts are read for every template that has them.


@lru_cache(maxsize=512)
def _lexed(source: str, file: str, first_line: int) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    inside: list[str] = []
    begun = 0
    try:
        for line, kind, value in _LEXER.lex(source, file):
            if kind == "data":
                _append_text(segments, value, file, first_line + line - 1)
            elif kind in {"variable_begin", "block_begin"}:
                inside, begun = [], first_line + line - 1
            elif kind in {"variable_end", "block_end"}:
                tag = Kind.PRINT if kind == "variable_end" else Kind.DO
                segments.append(Segment(tag, "".join(inside).strip(), file, begun))
            elif kind not in {"raw_begin", "raw_end", "comment_begin", "comment", "comment_end"}:
                inside.append(value)
    except jinja2.TemplateSyntaxError as error:
        raise CompileError(error.message or "not a template", file, first_line + error.lineno - 1) from None
    for segment in segments:
        if segment.kind is not Kind.TEXT and not segment.source:
            raise CompileError(f"an empty tag: {segment.tag()}", file, segment.line, "delete it")
    return tuple(segments)


def _append_text(segments: list[Segment], text: str, file: str, line: int) -> None:
    if text:
        segments.append(Segment(Kind.TEXT, text, file, line))


def tokens(segment: Segment) -> list[Token]:
    """The tokens inside a tag, white space included, so that joining their texts gives the source back."""
    whole = segment.tag()
    try:
        return list(_tokens(whole))
    except jinja2.TemplateSyntaxError as error:
        raise CompileError(error.message or "bad tag", segment.file, segment.line, liquid_hint(whole)) from None


@lru_cache(maxsize=4096)
def _tokens(tag: str) -> tuple[Token, ...]:
    inner = [(kind, value) for _, kind, value in _LEXER.lex(tag)][1:-1]
    while inner and inner[0][0] == "whitespace":
        inner.pop(0)
    while inner and inner[-1][0] == "whitespace":
        inner.pop()
    return tuple(inner)


def significant(segment: Segment) -> list[Token]:
    """The tokens inside a tag without white space."""
    return [token for token in tokens(segment) if token[0] != "whitespace"]


def join(segments: Sequence[Segment]) -> str:
    """Jinja source of the segments."""
    return "".join([segment.tag() for segment in segments])


def split_arguments(inner: Sequence[Token]) -> list[list[Token]]:
    """The tokens between two parentheses, split at commas of the outermost level."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in inner:
        if token[0] == "operator" and token[1] in "([{":
            depth += 1
        elif token[0] == "operator" and token[1] in ")]}":
            depth -= 1
        if depth == 0 and token == ("operator", ","):
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if any(kind != "whitespace" for kind, _ in part)]


def text_of(parts: Sequence[Token]) -> str:
    """Source of some tokens."""
    return "".join([value for _, value in parts]).strip()

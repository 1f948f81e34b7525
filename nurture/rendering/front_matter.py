"""The block between `---` lines at the top of a template: subject, preheader, layout, needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from nurture.rendering.problems import CompileError, did_you_mean
from nurture.yaml_text import Marks, YamlProblem, load

KEYS = ("subject", "preheader", "layout", "needs", "title", "description", "meta")
ROOTS = ("contact", "start", "event", "offer")

_FENCE = re.compile(r"---[ \t]*(?:\r\n|\n)")
_CLOSE = re.compile(r"^---[ \t]*(?:\r\n|\n|\Z)", re.MULTILINE)
_NEEDS_BLOCK = re.compile(r"^needs:.*?(?=^[^\s\]-]|\Z)", re.MULTILINE | re.DOTALL)
_BARE_LIST_NAME = re.compile(r"""(?<![\w."'\]])(?=[\w.]*\[\])[A-Za-z_]\w*(?:\[\])?(?:\.\w+(?:\[\])?)*\??(?!["'])""")
_NEED = re.compile(r"[A-Za-z_]\w*(\[\])?(\.[A-Za-z_]\w*(\[\])?)*\??\Z")


@dataclass(frozen=True, slots=True)
class Need:
    """`path` is ('start', 'items', '[]', 'name'); '[]' is every item of a list. Optional: may be missing."""

    path: tuple[str, ...]
    optional: bool = False
    line: int = 1

    def __str__(self) -> str:
        return ".".join(self.path).replace(".[]", "[]") + ("?" if self.optional else "")


@dataclass(slots=True)
class Wanted:
    """All that is needed below one name, so that one walk over the data answers for everything at once."""

    parts: dict[str, Wanted] = field(default_factory=dict)
    items: Wanted | None = None

    @classmethod
    def of(cls, needs: Iterable[Need]) -> Wanted:
        root = cls()
        for need in needs:
            node = root
            for name in () if need.optional else need.path:
                if name == "[]":
                    node.items = node.items or cls()
                    node = node.items
                else:
                    node = node.parts.setdefault(name, cls())
        return root

    def is_in(self, value: Any) -> bool:
        """Whether plain data has it all, nothing blank. False for what is out of the ordinary, too."""
        if self.items is not None:
            return type(value) is list and bool(value) and all(map(self.items.is_in, value))
        if not self.parts:
            return value is not None and (type(value) is not str or bool(value.strip()))
        if type(value) is not dict:
            return False
        for name, part in self.parts.items():  # for every mail, so without a generator
            inner = value.get(name)
            if type(inner) is str and not part.parts and part.items is None:
                if not inner or inner.isspace():
                    return False
            elif not part.is_in(inner):
                return False
        return True


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """`body` begins at 1-based line `body_line` of the file; `lines` says where each key stands."""

    body: str
    body_line: int = 1
    subject: str | None = None
    preheader: str | None = None
    layout: str | None = None
    needs: tuple[Need, ...] = ()
    lines: tuple[tuple[str, int], ...] = ()

    def line_of(self, key: str) -> int:
        """The line of a key; 1 if it is not there."""
        return dict(self.lines).get(key, 1)


@lru_cache(maxsize=512)
def split(text: str, file: str) -> FrontMatter:
    """Front matter and body of a template's text. Raises CompileError."""
    text = text.removeprefix("\ufeff")
    opening = _FENCE.match(text)
    if opening is None:
        return FrontMatter(body=text)
    closing = _CLOSE.search(text, opening.end())
    if closing is None:
        raise CompileError("the front matter is not closed", file, 1, "end it with a line of three dashes: ---")
    try:
        # the opening fence becomes an empty line, so that lines in messages are lines of the file
        data, marks = load("\n" + _readable(text[opening.end() : closing.start()]), file)
    except YamlProblem as problem:
        raise CompileError(str(problem), file, problem.line, problem.hint) from None
    body_line = text.count("\n", 0, closing.end()) + 1
    return _checked(data if data is not None else {}, marks, file, text[closing.end() :], body_line)


def _readable(block: str) -> str:
    """`start.items[].name` reads well and is not YAML inside a [list]: quote such names for the author."""
    return _NEEDS_BLOCK.sub(lambda found: _BARE_LIST_NAME.sub(r'"\g<0>"', found[0]), block)


def _checked(data: Any, marks: Marks, file: str, body: str, body_line: int) -> FrontMatter:
    if not isinstance(data, dict):
        raise CompileError("front matter is a list of `name: value` lines", file, 2, 'begin with: subject: "..."')
    for key in data:
        if key not in KEYS:
            hint = did_you_mean(key, list(KEYS)) or f"known: {', '.join(KEYS)}"
            raise CompileError(f"unknown key `{key}` in the front matter", file, marks.key((key,)).line, hint)
    for key in ("subject", "preheader", "layout"):
        value = data.get(key)
        if value is not None and not isinstance(value, str):
            shown = "a text" if isinstance(value, (int, float, bool)) else 'a text: put "{{ ... }}" between quotes'
            raise CompileError(f"`{key}` must be {shown}", file, marks.key((key,)).line, "put it between quotes")
    return FrontMatter(
        body=body,
        body_line=body_line,
        subject=data.get("subject"),
        preheader=data.get("preheader"),
        layout=data.get("layout"),
        needs=_needs(data.get("needs"), marks, file),
        lines=tuple((key, marks.key((key,)).line) for key in data),
    )


def _needs(listed: Any, marks: Marks, file: str) -> tuple[Need, ...]:
    if listed is None:
        return ()
    if not isinstance(listed, list):
        hint = "write needs: [contact.first_name?, start.items[].name]"
        raise CompileError("`needs` must be a list of names", file, marks.key(("needs",)).line, hint)
    needs = []
    for index, item in enumerate(listed):
        line = marks.value(("needs", index)).line
        if not isinstance(item, str) or not _NEED.match(item):
            hint = "names look like contact.first_name? or start.items[].name; ? comes last"
            raise CompileError(f"{item!r} is not a name of data", file, line, hint)
        path = tuple(item.rstrip("?").replace("[]", ".[]").split("."))
        if path[0] not in ROOTS:
            hint = did_you_mean(path[0], list(ROOTS)) or f"data begins with one of {', '.join(ROOTS)}"
            raise CompileError(f"{item!r} is not a name of data", file, line, hint)
        needs.append(Need(path, item.endswith("?"), line))
    return tuple(needs)

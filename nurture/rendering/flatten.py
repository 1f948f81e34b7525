"""One template, its layout and its parts as one flat sequence of segments: what is left to do per person.

After this only texts, `{{ }}` and the statements if, for, set and with remain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from nurture.rendering.front_matter import FrontMatter
from nurture.rendering.library import Library
from nurture.rendering.macros import Scope, block_end, expand, read_call, read_macro, refuse_loose_macros
from nurture.rendering.problems import CompileError, did_you_mean, liquid_hint
from nurture.rendering.segments import Kind, Segment, Token, lex, significant

MAX_DEPTH = 12
MAX_SEGMENTS = 20_000
KEPT = frozenset({"if", "elif", "else", "endif", "for", "endfor", "set", "with", "endwith"})
RESOLVED = frozenset({"include", "import", "from", "macro", "call", "block", "extends"})
OPENERS = frozenset({"if", "for", "with"})

_SKELETON = """<!DOCTYPE html>
<html lang="{{ lang }}" dir="{{ dir }}"><head><meta charset="utf-8"><title>{{ subject }}</title></head><body>
{{ content }}
</body></html>
"""


@dataclass(slots=True)
class Flattener:
    """Resolves one template. `used` collects the text of every file it is made of, for its hash."""

    library: Library
    used: dict[str, str] = field(default_factory=dict)
    serial: int = 0
    count: int = 0

    def document(self, front: FrontMatter, file: str, body: list[Segment]) -> list[Segment]:
        """A whole HTML document: the body in its layout; a fragment without one gets the barest skeleton."""
        scope = Scope()
        merged = self._in_layout(front, file, body, 0)
        if front.layout is None and not any("<html" in part.source.lower() for part in merged):
            merged = _filled(lex(_SKELETON, file), {}, body=merged)
        plain = [segment for segment in merged if segment.word not in {"block", "endblock"}]
        return list(self._resolved(plain, scope, None, 0))

    def text(self, front: FrontMatter, file: str) -> list[Segment]:
        """A plain text template, which has no layout."""
        return list(self._resolved(lex(front.body, file, front.body_line), Scope(), None, 0))

    # --- layouts ------------------------------------------------------------------------------------------------------

    def _in_layout(self, front: FrontMatter, file: str, body: list[Segment], depth: int) -> list[Segment]:
        if depth > MAX_DEPTH:
            raise CompileError("layouts use each other in a circle", file, 1)
        path, body = self._layout_of(front, file, body)
        if path is None:
            return body
        layout = self._read(path, file, front.line_of("layout"))
        outer = self._in_layout(layout, path, lex(layout.body, path, layout.body_line), depth + 1)
        if any(segment.word == "block" for segment in body):
            blocks, loose = _child_blocks(body)
            if loose or "content" in blocks:
                blocks["content"] = loose + blocks.get("content", [])
            return _filled(outer, blocks, body=None)
        return _filled(outer, {"content": body}, body=body)

    def _layout_of(self, front: FrontMatter, file: str, body: list[Segment]) -> tuple[str | None, list[Segment]]:
        for index, segment in enumerate(body):
            if segment.word == "extends":
                found = significant(segment)
                if front.layout is not None or len(found) != 2 or found[1][0] != "string":
                    hint = 'name one layout: `layout: card` in the front matter, or {% extends "_layouts/card.html" %}'
                    raise CompileError("this layout cannot be known before sending", file, segment.line, hint)
                return _unquoted(found[1]), body[:index] + body[index + 1 :]
        if front.layout is None:
            return None, body
        return self.library.layout_file(front.layout, file, front.line_of("layout")), body

    def _read(self, path: str, file: str, line: int) -> FrontMatter:
        self.used[path] = self.library.text(path, file, line)
        return self.library.parsed(path, file, line)

    # --- parts --------------------------------------------------------------------------------------------------------

    def _resolved(
        self, segments: Sequence[Segment], scope: Scope, caller: list[Segment] | None, depth: int
    ) -> Iterator[Segment]:
        if depth > MAX_DEPTH:
            file, line = (segments[0].file, segments[0].line) if segments else ("", None)
            raise CompileError("parts use each other in a circle", file, line)
        index = 0
        while index < len(segments):
            segment = segments[index]
            index += 1
            self._count(segment)
            word = segment.word
            if word == "macro":
                macro, index = read_macro(segments, index - 1, scope)
                scope.macros[macro.name] = macro
            elif word == "call":
                end = block_end(segments, index - 1, "call")
                content = list(self._resolved(segments[index:end], scope, caller, depth + 1))
                yield from self._called(segment, significant(segment)[1:], scope, content, depth)
                index = end + 1
            elif word == "include":
                yield from self._included(segment, scope, depth)
            elif word in {"import", "from"}:
                yield from self._imported(segment, scope, depth)
            elif segment.kind is Kind.PRINT:
                yield from self._printed(segment, scope, caller, depth)
            else:
                _refuse_others(segment)
                refuse_loose_macros(segment, scope)
                yield segment

    def _count(self, segment: Segment) -> None:
        self.count += 1
        if self.count > MAX_SEGMENTS:
            raise CompileError("the parts of this template unfold without end", segment.file, segment.line)

    def _printed(self, segment: Segment, scope: Scope, caller: list[Segment] | None, depth: int) -> Iterator[Segment]:
        found = significant(segment)
        call = read_call(found)
        if call is not None and not call.space and call.name == "caller" and caller is not None:
            yield from caller
        elif call is not None and (call.space in scope.files or scope.find(call) is not None):
            yield from self._called(segment, found, scope, None, depth)
        else:
            refuse_loose_macros(segment, scope)
            yield segment

    def _called(
        self, segment: Segment, found: Sequence[Token], scope: Scope, content: list[Segment] | None, depth: int
    ) -> Iterator[Segment]:
        call = read_call(found)
        macro = scope.find(call) if call else None
        if call is None or macro is None:
            name = call.name if call else segment.source
            known = sorted(scope.files[call.space].macros if call and call.space in scope.files else scope.macros)
            hint = did_you_mean(name, known) or f"parts here: {', '.join(known) or 'none; import them first'}"
            raise CompileError(f"there is no part {name!r}", segment.file, segment.line, hint)
        self.serial += 1
        body, opening = expand(macro, call, segment, self.serial)
        if opening:
            yield segment_of(segment, opening)
        yield from self._resolved(body, macro.scope, content, depth + 1)
        if opening:
            yield segment_of(segment, "endwith")

    def _included(self, segment: Segment, scope: Scope, depth: int) -> Iterator[Segment]:
        found = significant(segment)
        if len(found) < 2 or found[1][0] != "string" or _rest(found[2:]) not in {"", "with context"}:
            hint = 'write {% include "_parts/footer.html" %}'
            raise CompileError(f"cannot include this: {segment.tag()}", segment.file, segment.line, hint)
        path = _unquoted(found[1])
        front = self._read(path, segment.file, segment.line)
        yield from self._resolved(lex(front.body, path, front.body_line), scope, None, depth + 1)

    def _imported(self, segment: Segment, scope: Scope, depth: int) -> Iterator[Segment]:
        found = [token for token in significant(segment) if token[1] not in {"with", "without", "context"}]
        if len(found) < 4 or found[1][0] != "string":
            hint = 'write {% from "_parts/button.html" import button %}'
            raise CompileError(f"cannot import this: {segment.tag()}", segment.file, segment.line, hint)
        path = _unquoted(found[1])
        front = self._read(path, segment.file, segment.line)
        inner = Scope()
        for part in self._resolved(lex(front.body, path, front.body_line), inner, None, depth + 1):
            if part.word == "set":
                yield part
        if found[0][1] == "import" and found[2] == ("name", "as"):
            scope.files[found[3][1]] = inner
            return
        names = [token[1] for token in found[3:] if token != ("operator", ",")]
        while names:
            name = names.pop(0)
            if name not in inner.macros:
                hint = did_you_mean(name, sorted(inner.macros)) or f"it has {', '.join(sorted(inner.macros)) or 'none'}"
                raise CompileError(f"{path} has no part `{name}`", segment.file, segment.line, hint)
            alias = name
            if names[:1] == ["as"]:
                alias, names = names[1], names[2:]
            scope.macros[alias] = inner.macros[name]


def segment_of(place: Segment, statement: str) -> Segment:
    """A statement that stands where `place` stands."""
    return Segment(Kind.DO, statement, place.file, place.line)


def check_balance(segments: Sequence[Segment], file: str) -> None:
    """Every if, for and with is closed, in order. Raises CompileError."""
    stack: list[Segment] = []
    for segment in segments:
        word = segment.word
        if word in OPENERS:
            stack.append(segment)
        elif word.startswith("end") or word in {"else", "elif"}:
            wanted = word.removeprefix("end") if word.startswith("end") else None
            if not stack or (wanted is not None and stack[-1].word != wanted):
                raise CompileError(f"{segment.tag()} closes nothing", segment.file, segment.line)
            if wanted is not None:
                stack.pop()
    if stack:
        opened = stack[-1]
        hint = f"add {{% end{opened.word} %}}"
        raise CompileError(f"{opened.tag()} is not closed", opened.file or file, opened.line, hint)


def _filled(segments: list[Segment], blocks: dict[str, list[Segment]], body: list[Segment] | None) -> list[Segment]:
    """A layout with its blocks, and its `{{ content }}`, filled. The block tags stay, for whoever extends this one."""
    out: list[Segment] = []
    index = 0
    while index < len(segments):
        segment = segments[index]
        index += 1
        if segment.word == "block":
            end = block_end(segments, index - 1, "block")
            own = _filled(segments[index:end], blocks, body)
            new = blocks.get(_block_name(segment))
            out += [segment, *(own if new is None else _with_super(new, own)), segments[end]]
            index = end + 1
        elif body is not None and segment.kind is Kind.PRINT and segment.source in {"content", "content | safe"}:
            out += body
        else:
            out.append(segment)
    return out


def _child_blocks(body: list[Segment]) -> tuple[dict[str, list[Segment]], list[Segment]]:
    blocks: dict[str, list[Segment]] = {}
    loose: list[Segment] = []
    index = 0
    while index < len(body):
        segment = body[index]
        index += 1
        if segment.word == "block":
            end = block_end(body, index - 1, "block")
            blocks[_block_name(segment)] = body[index:end]
            index = end + 1
        elif segment.source.strip():
            loose.append(segment)
    return blocks, loose


def _with_super(new: list[Segment], own: list[Segment]) -> list[Segment]:
    out: list[Segment] = []
    for segment in new:
        if segment.kind is Kind.PRINT and segment.source.replace(" ", "") == "super()":
            out += own
        else:
            out.append(segment)
    return out


def _block_name(segment: Segment) -> str:
    found = significant(segment)
    if len(found) < 2:
        raise CompileError("a block needs a name", segment.file, segment.line, "{% block content %}")
    return found[1][1]


def _refuse_others(segment: Segment) -> None:
    if segment.kind is not Kind.DO:
        return
    word = segment.word
    if word not in KEPT:
        hint = liquid_hint(segment.tag()) or "templates know if, for, set, with, include and import"
        raise CompileError(f"{{% {word} %}} is not read here", segment.file, segment.line, hint)
    found = significant(segment)
    if word == "set" and ("operator", "=") not in found:
        hint = "write the text where it is used, or make it a part"
        raise CompileError("{% set %} of a whole block is not read here", segment.file, segment.line, hint)
    if word == "for" and ("name", "recursive") in found:
        raise CompileError("recursive loops are not read here", segment.file, segment.line)


def _rest(found: Sequence[Token]) -> str:
    return " ".join(value for _, value in found)


def _unquoted(token: Token) -> str:
    return token[1][1:-1]

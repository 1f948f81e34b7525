"""Parts: macros are expanded where they are called.

An expanded part stands in its place in the document, so that the style sheet sees it there and it costs no call when
mails are rendered. Parameters become `{% with %}`; constants are put in directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nurture.rendering.problems import CompileError, did_you_mean
from nurture.rendering.segments import Kind, Segment, Token, join, significant, split_arguments, text_of, tokens


@dataclass(slots=True)
class Scope:
    """What a file can call: its own and imported macros, and files imported under a name."""

    macros: dict[str, Macro] = field(default_factory=dict)
    files: dict[str, Scope] = field(default_factory=dict)

    def find(self, call: Call) -> Macro | None:
        """The macro a call means; None if the name is not a macro's."""
        scope = self.files.get(call.space) if call.space else self
        return scope.macros.get(call.name) if scope is not None else None


@dataclass(frozen=True, slots=True)
class Macro:
    """`scope` is that of the file it was written in: its body is expanded there."""

    name: str
    parameters: tuple[tuple[str, tuple[Token, ...] | None], ...]
    body: tuple[Segment, ...]
    scope: Scope
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Call:
    """`{{ name(...) }}` or `{{ space.name(...) }}`; each argument is (keyword or '', its tokens)."""

    space: str
    name: str
    arguments: tuple[tuple[str, tuple[Token, ...]], ...]


def read_macro(segments: Sequence[Segment], start: int, scope: Scope) -> tuple[Macro, int]:
    """The macro whose `{% macro %}` stands at `start`, and the index after its `{% endmacro %}`."""
    head = segments[start]
    found = significant(head)
    if len(found) < 4 or found[2] != ("operator", "(") or found[-1] != ("operator", ")"):
        hint = "{% macro button(url, label) %}"
        raise CompileError("a macro needs a name and parentheses", head.file, head.line, hint)
    parameters: list[tuple[str, tuple[Token, ...] | None]] = []
    for part in split_arguments([token for token in tokens(head) if token[0] != "whitespace"][3:-1]):
        if part[0][0] != "name" or (len(part) > 1 and part[1] != ("operator", "=")):
            raise CompileError(f"{text_of(part)!r} is not a parameter", head.file, head.line, "*args are not read here")
        parameters.append((part[0][1], tuple(part[2:]) if len(part) > 1 else None))
    end = block_end(segments, start, "macro")
    body = tuple(segments[start + 1 : end])
    return Macro(found[1][1], tuple(parameters), body, scope, head.file, head.line), end + 1


def block_end(segments: Sequence[Segment], start: int, word: str) -> int:
    """Index of the `{% end<word> %}` that closes the block opened at `start`."""
    depth = 0
    for index in range(start, len(segments)):
        if segments[index].word == word:
            depth += 1
        elif segments[index].word == "end" + word:
            depth -= 1
            if depth == 0:
                return index
    head = segments[start]
    raise CompileError(f"{head.tag()} is not closed", head.file, head.line, f"add {{% end{word} %}}")


def read_call(found: Sequence[Token]) -> Call | None:
    """The call that the tokens (without white space) consist of, and of nothing else."""
    space = ""
    if len(found) >= 5 and found[0][0] == "name" and found[1] == ("operator", ".") and found[2][0] == "name":
        space, found = found[0][1], found[2:]
    if len(found) < 3 or found[0][0] != "name" or found[1] != ("operator", "(") or found[-1] != ("operator", ")"):
        return None
    if not _closes_at_end(found[1:]):
        return None
    arguments = []
    for part in split_arguments(found[2:-1]):
        keyword = part[0][1] if len(part) > 2 and part[0][0] == "name" and part[1] == ("operator", "=") else ""
        arguments.append((keyword, tuple(part[2:] if keyword else part)))
    return Call(space, found[0][1], tuple(arguments))


def _closes_at_end(found: Sequence[Token]) -> bool:
    depth = 0
    for index, (kind, value) in enumerate(found):
        if kind == "operator" and value in "([{":
            depth += 1
        elif kind == "operator" and value in ")]}":
            depth -= 1
            if depth == 0:
                return index == len(found) - 1
    return False


def expand(macro: Macro, call: Call, at: Segment, serial: int) -> tuple[list[Segment], str | None]:
    """The macro's body with the call's values, and the `with` statement that must enclose it (None if it needs none).

    Parameters are renamed with `serial`, so that the text of the caller keeps its own names.
    """
    values = _bind(macro, call, at)
    names: dict[str, str] = {}
    assigned: list[str] = []
    for name, value in values.items():
        if len(value) == 1 and _is_constant(value[0]):
            names[name] = value[0][1]
        else:
            names[name] = f"{name}__{serial}"
            assigned.append(f"{names[name]}=({_spaced(value)})")
    return [_renamed(segment, names) for segment in macro.body], f"with {', '.join(assigned)}" if assigned else None


def _spaced(value: Sequence[Token]) -> str:
    """Tokens as source again: words must not run together."""
    out = ""
    for kind, text in value:
        glued = kind == "operator" and text not in {"~", "+", "-", "*", "/", "==", "!=", "<", ">", "<=", ">=", "|"}
        out += text if glued or out.endswith((".", "(", "[")) else f" {text}"
    return out.strip()


def _is_constant(token: Token) -> bool:
    return token[0] in {"string", "integer", "float"} or token[1] in {"true", "false", "none", "True", "False", "None"}


def _bind(macro: Macro, call: Call, at: Segment) -> dict[str, tuple[Token, ...]]:
    known = [name for name, _ in macro.parameters]
    values: dict[str, tuple[Token, ...]] = {}
    for position, (keyword, value) in enumerate(call.arguments):
        if not keyword and position >= len(known):
            hint = f"it is written in {macro.file}, line {macro.line}"
            raise CompileError(f"{macro.name}() takes {len(known)} values", at.file, at.line, hint)
        name = keyword or known[position]
        if name not in known:
            hint = did_you_mean(name, known) or f"it takes {', '.join(known) or 'nothing'}"
            raise CompileError(f"{macro.name}() has no `{name}`", at.file, at.line, hint)
        if name in values:
            raise CompileError(f"{macro.name}() gets `{name}` twice", at.file, at.line)
        values[name] = value
    for name, default in macro.parameters:
        if name not in values:
            if default is None:
                hint = f"it is written in {macro.file}, line {macro.line}"
                raise CompileError(f"{macro.name}() needs `{name}`", at.file, at.line, hint)
            values[name] = default
    return values


def _renamed(segment: Segment, names: dict[str, str]) -> Segment:
    if segment.kind is Kind.TEXT or not names:
        return segment
    found = tokens(segment)
    out: list[str] = []
    solid = [token for token in found if token[0] != "whitespace"]
    place = 0
    for kind, value in found:
        if kind == "whitespace":
            out.append(value)
            continue
        before = solid[place - 1] if place else ("", "")
        after = solid[place + 1] if place + 1 < len(solid) else ("", "")
        is_attribute = before == ("operator", ".")
        is_keyword = after == ("operator", "=") and segment.word not in {"set", "with"}
        is_filter = before == ("operator", "|")
        bound = kind == "name" and not is_attribute and not is_keyword and not is_filter
        out.append(names.get(value, value) if bound else value)
        place += 1
    return replace(segment, source="".join(out))


def refuse_loose_macros(segment: Segment, scope: Scope) -> None:
    """A macro may only stand alone in a tag: inside an expression its HTML would be escaped or encoded twice."""
    if segment.kind is Kind.TEXT or not (scope.macros or scope.files):
        return
    found = significant(segment)
    for index, (kind, value) in enumerate(found):
        after = found[index + 1] if index + 1 < len(found) else ("", "")
        if kind == "name" and value in scope.macros and after == ("operator", "("):
            hint = f"write it alone: {{{{ {value}(...) }}}}"
            message = f"the part {value}() stands inside an expression: {join([segment])}"
            raise CompileError(message, segment.file, segment.line, hint)

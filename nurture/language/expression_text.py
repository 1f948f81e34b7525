"""From text to Python's own syntax tree: bounds, and the mistakes people bring from other languages."""

from __future__ import annotations

import ast
import keyword
import re
import warnings

from nurture.errors import ExpressionError

LONGEST = 2000
DEEPEST = 40

_STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_MISTAKES: tuple[tuple[re.Pattern[str], str, str | None], ...] = (
    (re.compile(r"&&"), "`&&` is not a word of this language", "write `and`"),
    (re.compile(r"\|\|"), "`||` is not a word of this language", "write `or`"),
    (re.compile(r"[=!]=="), "three signs are one too many", "write `==` or `!=`"),
    (re.compile(r"<>"), "`<>` is not a word of this language", "write `!=`"),
    (re.compile(r"=[<>]"), "the signs are the wrong way round", "write `<=` or `>=`"),
    (re.compile(r"!(?!=)"), "`!` is not a word of this language", "write `not`"),
    (re.compile(r"\?"), "`?` is not a word of this language", "use `exists(x)` to ask whether something is known"),
    (re.compile(r"(?<![=!<>:])=(?!=)"), "a single `=` does not compare", "write `==`"),
    (re.compile(r"\b(AND|OR|NOT|IN|IS)\b"), "the words of the language are small", "write `and`, `or`, `not`, `in`"),
)  # fmt: skip
_RESERVED = re.compile(r"\.\s*(" + "|".join(sorted(keyword.kwlist)) + r")\b")
_UNFINISHED = re.compile(r"([=<>+\-*/.,(\[]|\b(and|or|not|in|is))\s*$")
_CURLY = re.compile("[\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb]")


def syntax_of(text: str) -> tuple[ast.expr, str]:
    """The syntax tree of one expression, and the text it was read from, in which every column is that of `text`.

    Raises ExpressionError with the column of the fault.
    """
    if len(text) > LONGEST:
        raise ExpressionError(
            f"the expression has {len(text)} characters; {LONGEST} is the limit", 0, "name parts of it as segments"
        )
    flat = re.sub(r"\s", " ", text)
    if not flat.strip():
        raise ExpressionError("the expression is empty", 0, "for instance: orders(last='365 days') >= 2")
    masked = _masked(flat)
    _refuse_before_parsing(masked)
    start = len(flat) - len(flat.lstrip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = ast.parse(flat[start:], mode="eval").body
    except SyntaxError as error:
        raise _explained(error, masked, start) from None
    except (ValueError, MemoryError, RecursionError):
        raise ExpressionError("the expression is too deeply nested or holds strange characters", 0) from None
    _refuse_depth(tree)
    _move(tree, flat, start)
    return tree, flat


def _masked(flat: str) -> str:
    """The text with everything between quotes blotted out, so that signs in it mean nothing."""
    masked = _STRING.sub(lambda match: match[0][0] + "x" * (len(match[0]) - 2) + match[0][0], flat)
    for match in re.finditer(r"['\"]", re.sub(r"'x*'|\"x*\"", lambda found: " " * len(found[0]), masked)):
        raise ExpressionError("a quote is opened and never closed", match.start(), f"close it with {match[0]}")
    return masked


def _refuse_before_parsing(masked: str) -> None:
    """What Python would take in silence, and what it would explain badly."""
    if (at := masked.find("#")) >= 0:
        raise ExpressionError("a comment cannot stand inside an expression", at, "move it to a line of its own")
    if match := _CURLY.search(masked):
        raise ExpressionError(f"{match[0]} is a printer's quote", match.start(), "write straight quotes: 'text'")
    if match := re.search(r"('x*'|\"x*\")\s*(?=['\"])", masked):
        raise ExpressionError("two texts stand side by side", match.end(), "is a comma missing between them?")
    if match := _RESERVED.search(masked):
        word = match[1]
        raise ExpressionError(f"`.{word}` cannot be written with a dot", match.start(1), f"write ['{word}'] instead")


def _explained(error: SyntaxError, masked: str, start: int) -> ExpressionError:
    for pattern, message, hint in _MISTAKES:
        for match in pattern.finditer(masked):
            if pattern.pattern.startswith("(?<!") and _names_an_argument(masked, match.start()):
                continue
            return ExpressionError(message, match.start(), hint)
    if _UNFINISHED.search(masked):
        return ExpressionError("the expression ends too soon", len(masked.rstrip()), "something must follow")
    column = min(max((error.offset or 1) - 1 + start, 0), max(len(masked.rstrip()) - 1, 0))
    if "was never closed" in (error.msg or ""):
        return ExpressionError("something is opened here and never closed", column, None)
    return ExpressionError(f"the expression cannot be read here: {error.msg}", column, None)


def _names_an_argument(masked: str, at: int) -> bool:
    """Whether the `=` at this place is that of `last=` or `where=`."""
    return re.search(r"[(,]\s*(last|where)\s*$", masked[:at]) is not None


def _refuse_depth(tree: ast.expr) -> None:
    waiting: list[tuple[ast.AST, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > DEEPEST:
            raise ExpressionError(
                f"the expression is nested more than {DEEPEST} deep", 0, "name parts of it as segments"
            )
        waiting.extend((child, depth + 1) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
        if isinstance(node, ast.Call):
            waiting.extend((argument.value, depth + 1) for argument in node.keywords)


def _move(tree: ast.expr, flat: str, start: int) -> None:
    """Columns as Python gives them are bytes from where it began to read; make them characters of the whole text."""
    encoded = flat[start:].encode()
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.keyword):
            node.col_offset = start + len(encoded[: node.col_offset].decode(errors="ignore"))

"""The sandbox templates run in: dictionaries, texts, numbers and a white list; nothing else can be reached.

Templates are written by trusted people in a repository, one leaked key away from hostile ones; the data is hostile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from nurture.rendering import filters

MAX_OUTPUT = 1 << 20
_CHUNK = 64  # pieces between two looks at the size; a piece is a value or a static text, both bounded
MAX_ROUNDS = 20_000
MAX_TEXT = filters.MAX_TEXT

_TESTS = (
    "defined", "undefined", "none", "even", "odd", "divisibleby", "string", "number", "in", "true", "false",
    "eq", "ne", "lt", "le", "gt", "ge", "equalto", "==", "!=", "<", "<=", ">", ">=",
)  # fmt: skip
_LOOP = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "cycle"})


class Missing(jinja2.StrictUndefined):
    """Data that is not there. It may be asked about and given a default; printing it or computing with it is an error.

    Parts of it are missing too, so that `start.cart.total | default(0)` needs no cart.
    """

    __slots__ = ()

    @property
    def path(self) -> str:
        """The name as the template writes it, as far as it is known."""
        return str(self._undefined_name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(name=f"{self._undefined_name}.{name}")

    def __bool__(self) -> bool:  # type: ignore[override]
        return False  # `{% if start.note %}` is how templates ask

    def __getitem__(self, key: object) -> Missing:  # type: ignore[override]
        return Missing(name=f"{self._undefined_name}[{key!r}]")

    @property
    def _undefined_message(self) -> str:
        return f"`{self._undefined_name}` is missing; if that may be, write `{self._undefined_name} | default('...')`"


class BadValue(Exception):  # noqa: N818  # carried to the renderer, which turns it into a TemplateError
    """A value that no mail should show."""


class _Printing(CodeGenerator):
    """What is printed is text once it went through `finalize`: Jinja would make text of it once more."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:  # noqa: ARG002 - a hook
        self.write("(")
        if finalize.src is not None:
            self.write(finalize.src)


class Sandbox(ImmutableSandboxedEnvironment):
    """Dictionaries first; no attribute of any other value but the loop's; no calls but our functions'."""

    code_generator_class = _Printing

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self, *, finalize: Callable[[Any], Any], functions: dict[str, Any], newline: str = "\n") -> None:
        super().__init__(
            autoescape=False,  # `finalize` escapes, and encodes, in one step
            finalize=finalize,
            newline_sequence=newline,
            undefined=Missing,
            keep_trailing_newline=True,
            cache_size=0,
        )
        self.globals.clear()
        self.globals.update(functions)
        self.allowed = frozenset(map(id, functions.values()))
        self.filters = {**filters.FILTERS, "counted__": _counted}
        self.tests = {name: self.tests[name] for name in _TESTS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: an entry of a dictionary, or something of `loop`."""
        if type(obj) is dict:
            try:
                return obj[attribute]
            except KeyError:
                return Missing(name=attribute)
        return self._other(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`: an entry of a dictionary, or an item of a list."""
        if isinstance(obj, (dict, list, tuple, str)):
            try:
                return obj[argument]
            except (KeyError, IndexError, TypeError):
                return Missing(name=f"[{argument!r}]")
        return self._other(obj, argument)

    def _other(self, obj: Any, attribute: Any) -> Any:
        if isinstance(obj, Missing):
            return Missing(name=f"{obj.path}.{attribute}")
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return Missing(name=str(attribute))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002  # Jinja's signature
        """Only what `loop` offers."""
        return isinstance(obj, LoopContext) and attr in _LOOP

    def is_safe_callable(self, obj: Any) -> bool:
        """Only the white list, and `loop.cycle`."""
        return id(obj) in self.allowed or isinstance(getattr(obj, "__self__", None), LoopContext)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers only, and never with results that fill the memory."""
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if isinstance(left, Missing) or isinstance(right, Missing):
            return super().call_binop(context, operator, left, right)  # tells which name is missing
        if operator == "**" or not numbers:
            hint = "; join texts with ~" if operator == "+" else ""
            raise BadValue(f"`{operator}` is for numbers here{hint}")
        if abs(left) > 1e15 or abs(right) > 1e15:
            raise BadValue(f"a number is too large for `{operator}`")
        return super().call_binop(context, operator, left, right)

    def compiled(self, source: str, name: str) -> Program:
        """A template ready to run. Raises jinja2.TemplateSyntaxError."""
        tree = _Bounds().visit(self.parse(source, name, name))
        code = self.compile(tree, name, f"<template {name}>")
        return Program(self.template_class.from_code(self, code, self.globals), name)


class _Bounds(NodeTransformer):
    """Puts a limit around what can grow: loops and joined texts."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  # the visitor's naming
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "counted__", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "joined__", [], [], None, None, lineno=node.lineno)


class Program:
    """A compiled template: data in, text out, within bounds."""

    __slots__ = ("_globals", "_names", "_run", "_template")

    def __init__(self, template: jinja2.Template, name: str) -> None:
        self._template = template
        self._run = template.root_render_func
        self._globals = dict(template.globals)
        self._names = name

    def run(self, context: dict[str, Any]) -> str:
        """The rendered text. Raises what the template raised, and BadValue beyond 1 MiB."""
        data = {**self._globals, **context, "rounds__": [MAX_ROUNDS]}
        template_context = self._template.new_context(data, shared=True)  # it would copy them once more
        return "".join(_bounded(self._run(template_context)))

    def line_of(self, error: BaseException) -> int | None:
        """The line of the compiled source in which an exception came up."""
        line = None
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == f"<template {self._names}>":
                line = self._template.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return line


def _bounded(pieces: Iterator[str]) -> list[str]:
    out: list[str] = []
    size = 0
    while chunk := "".join(islice(pieces, _CHUNK)):
        size += len(chunk)
        if size > MAX_OUTPUT:
            raise BadValue("the mail is larger than 1 MiB")
        out.append(chunk)
    return out


@pass_context
def _counted(context: Any, items: Any) -> Any:
    """Every `for` goes through here: all loops of one mail together may run so many rounds."""
    if items is None:
        raise BadValue("a loop runs over nothing: a list was expected")
    if isinstance(items, (str, int, float)):
        raise BadValue(f"a loop runs over {items!r:.40}: a list was expected")
    if isinstance(items, Missing):
        return iter(items)
    listed = items if isinstance(items, (list, tuple, dict)) else list(items)
    rounds = context.resolve("rounds__")
    rounds[0] -= len(listed) + 1
    if rounds[0] < 0:
        raise BadValue(f"the loops run more than {MAX_ROUNDS} rounds")
    return listed


def printable(value: Any) -> str:
    """The finalize of all environments: what no mail should show is an error."""
    kind = type(value)
    if kind is str or kind is Markup:
        return value  # type: ignore[no-any-return]
    if kind is int or kind is float:
        return str(value)
    return checked_text(value)


def checked_text(value: Any) -> str:
    """A value of any kind as text. Raises BadValue, and what Missing raises."""
    if value is None:
        raise BadValue("a value is empty (none); give it a `| default('...')`")
    if isinstance(value, (list, tuple, Mapping)):
        raise BadValue("a list cannot be printed; use {% for %} or `| join(', ')`")
    text = str(value)  # Missing raises here
    if not isinstance(value, (str, int, float, Decimal, date)):
        raise BadValue(f"a {type(value).__name__} cannot be printed")
    if len(text) > MAX_TEXT:
        raise BadValue("a value is longer than 100,000 characters")
    return text


def escaped_html(value: Any) -> str:
    """HTML-escaped text of a value."""
    return str(escape(printable(value)))

"""YAML text to plain data, strictly, with the place of every value.

The ground floor under campaign files and front matter. YAML 1.2 in the subset people write by hand: mappings, lists and
scalars. Anchors, aliases, tags, merge keys, several documents, duplicate keys, deep nesting and huge files are refused:
each is either a mistake or an attack. Keys are always text, so `on`, `NO` and `2026` are what they look like. Plain
scalars become None, bool, int, float or text by the core schema; dates, clock times, hexadecimals, numbers with leading
zeros and numbers of more than 18 digits stay text, because turning them into something else surprises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from nurture.errors import NurtureError

MAX_BYTES = 1 << 20
NOT_UTF8 = "\ufffd"  # what reading a file makes of bytes that are no text
MAX_DEPTH = 20
MAX_NODES = 20_000

Path = tuple[str | int, ...]

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"[-+]?(?=\.?[0-9])(0|[1-9][0-9]{0,17})?(\.[0-9]*)?([eE][-+]?[0-9]{1,3})?\Z")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}

_HINTS = (
    ("mapping values are not allowed", "put a text that has ': ' in it between quotes, and check the indentation"),
    ("'\\t'", "indent with spaces, not with tabs"),
    ("cannot start any token", "put a text that begins with this sign between quotes"),
    ("expected ',' or '}'", "put a text that begins with '{' between quotes, or close the brace"),
    ("expected ',' or ']'", "put a text that begins with '[' between quotes, or close the bracket"),
    ("expected <block end>", "lines of one mapping or list must begin in the same column"),
    ("could not find expected ':'", "write `name: value`, with a space after the colon"),
    ("quoted scalar", "close the quotes"),
)


class YamlProblem(NurtureError):  # noqa: N818  # glossary: a problem is a finding with a place and a hint
    """A text is not the YAML we read. `line` and `column` are 1-based."""

    def __init__(self, message: str, line: int = 1, column: int = 1, hint: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a key or value begins: `line` and `column` are 1-based.

    `style` is how a scalar is written: '' plain, ' or " quoted (its text begins one column later), | or > as a block
    (its text begins on a later line); None for mappings and lists.
    """

    line: int
    column: int
    style: str | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """Places of all values and keys by path, for example ('steps', 0, 'send')."""

    values: Mapping[Path, Mark]
    keys: Mapping[Path, Mark]

    def value(self, path: Sequence[str | int]) -> Mark:
        """Where the value at `path` begins; what encloses it if there is no such value (a missing key)."""
        return self._nearest(self.values, tuple(path))

    def key(self, path: Sequence[str | int]) -> Mark:
        """Where the key of `path` begins; for items of lists and missing keys, where the value or its parent begins."""
        exact = self.keys.get(tuple(path))
        return exact if exact is not None else self.value(path)

    @staticmethod
    def _nearest(places: Mapping[Path, Mark], path: Path) -> Mark:
        while path and path not in places:
            path = path[:-1]
        return places.get(path, Mark(1, 1))


def load(text: str, name: str) -> tuple[Any, Marks]:
    """Plain data (dict, list, str, int, float, bool, None) of a YAML text, and where everything stands.

    `name` is the file named in messages. An empty text is None.
    Raises YamlProblem.
    """
    _refuse_hostile(text, name)
    return _Builder(name).build(_events(text, name))


def _refuse_hostile(text: str, name: str) -> None:
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise YamlProblem(f"{name} is larger than 1 MiB", hint="split it into several files")
    for offset, char in enumerate(text):
        if char == NOT_UTF8:
            line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
            raise YamlProblem(f"{name} has bytes that are not UTF-8", line, column, "save the file as UTF-8")
        if (char < " " and char not in "\t\n\r") or char == "\x7f" or "\ud800" <= char <= "\udfff":
            line = text.count("\n", 0, offset) + 1
            column = offset - text.rfind("\n", 0, offset)
            raise YamlProblem(
                f"{name} has the control character U+{ord(char):04X}", line, column, "delete it, or save as UTF-8 text"
            )


def _events(text: str, name: str) -> Iterator[Event]:
    yaml = YAML(typ="rt", pure=True)
    yaml.version = "1.2"
    try:
        yield from yaml.parse(text.removeprefix("\ufeff"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        story = " ".join(part for part in (error.context, error.problem) if part)
        hint = next((hint for sign, hint in _HINTS if sign in story), None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise YamlProblem(f"{name} is not valid YAML: {story}", line, column, hint) from None
    except (YAMLError, YAMLStreamError) as error:
        raise YamlProblem(f"{name} is not valid YAML: {str(error).splitlines()[0]}") from None
    except (ValueError, IndexError, AttributeError, AssertionError, RecursionError) as error:
        # The scanner's own accidents on garbage must look like any other fault of the file.
        raise YamlProblem(f"{name} is not valid YAML ({type(error).__name__})") from None


class _Builder:
    """Builds data from events with an explicit stack, so that nothing recurses on input."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root: Any = None
        self.stack: list[dict[str, Any] | list[Any]] = []
        self.path: list[str | int] = []
        self.pending_key = False  # the next node of a mapping is the value of the key that ends `path`
        self.values: dict[Path, Mark] = {}
        self.keys: dict[Path, Mark] = {}
        self.documents = 0
        self.nodes = 0

    def build(self, events: Iterator[Event]) -> tuple[Any, Marks]:
        for event in events:
            if isinstance(event, ScalarEvent):
                self._scalar(event)
            elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
                self._open(event)
            elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
                self.stack.pop()
                self._close()
            elif isinstance(event, AliasEvent):
                raise self._problem(event, f"aliases (*{event.anchor}) are not read here", "write the value out again")
            elif isinstance(event, DocumentStartEvent):
                self._document(event)
        return self.root, Marks(self.values, self.keys)

    def _document(self, event: DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            raise self._problem(event, "a second document begins here", "one file holds one document; delete `---`")
        if event.tags or str(event.version or "1.2") not in {"1.2", "(1, 2)", "[1, 2]"}:
            raise self._problem(event, "YAML directives are not read here", "delete the lines that begin with %")

    def _problem(self, event: Event, message: str, hint: str | None = None) -> YamlProblem:
        mark = event.start_mark
        return YamlProblem(f"{self.name}: {message}", mark.line + 1, mark.column + 1, hint)

    def _guard(self, event: Any) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._problem(event, f"more than {MAX_NODES} values", "split it into several files")
        if event.anchor is not None:
            raise self._problem(
                event, f"anchors (&{event.anchor}) are not read here", "write the value where it is used"
            )
        if event.ctag is not None:
            raise self._problem(event, f"tags ({event.ctag}) are not read here", "begin the text with a quote")

    def _awaits_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1], dict) and not self.pending_key

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        self._guard(event)
        if self._awaits_key():
            hint = "put a text that begins with '{' or '[' between quotes"
            raise self._problem(event, "a mapping or list cannot be a key", hint)
        if len(self.stack) >= MAX_DEPTH:
            raise self._problem(event, f"nested more than {MAX_DEPTH} deep", "flatten it")
        value: dict[str, Any] | list[Any] = {} if isinstance(event, MappingStartEvent) else []
        self._place(value)
        self.values[tuple(self.path)] = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        self.stack.append(value)
        self.pending_key = False

    def _scalar(self, event: ScalarEvent) -> None:
        self._guard(event)
        mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1, str(event.style or ""))
        text = str(event.value)
        if mark.style == '"' and any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text):
            raise self._problem(event, "an escape here stands for no character", "write the character itself")
        if self._awaits_key():
            self._key(event, text, mark)
            return
        value = text if mark.style else self._plain(event, text)
        self._place(value)
        self.values[tuple(self.path)] = mark
        self._close()

    def _key(self, event: ScalarEvent, key: str, mark: Mark) -> None:
        mapping = self.stack[-1]
        assert isinstance(mapping, dict)
        if key == "":
            raise self._problem(event, "a key is missing before the colon", "write `name: value`")
        if key == "<<":
            raise self._problem(event, "merge keys (<<) are not read here", "write the values out again")
        self.path.append(key)
        if key in mapping:
            first = self.keys[tuple(self.path)].line
            raise self._problem(event, f"the key {key!r} stands here twice, first in line {first}", "keep one of them")
        self.keys[tuple(self.path)] = mark
        self.pending_key = True

    def _plain(self, event: ScalarEvent, text: str) -> Any:
        if text in _NULLS:
            return None
        if text in _BOOLS:
            return _BOOLS[text]
        if _INT.match(text):
            return int(text)
        if _FLOAT.match(text):
            number = float(text)
            if not math.isfinite(number):
                raise self._problem(event, f"the number {text} is too large")
            return number
        return text

    def _place(self, value: Any) -> None:
        """Hang a value where it belongs; afterwards `path` names it."""
        if not self.stack:
            self.root = value
            return
        parent = self.stack[-1]
        if isinstance(parent, list):
            self.path.append(len(parent))
            parent.append(value)
        else:
            key = self.path[-1]
            assert isinstance(key, str)
            parent[key] = value

    def _close(self) -> None:
        """A value is complete: its key or index leaves the path."""
        self.pending_key = False
        if self.path:
            self.path.pop()

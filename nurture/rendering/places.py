"""Where in an HTML document each Jinja tag stands: that decides how it may be masked, and how its value is guarded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from nurture.rendering.problems import CompileError
from nurture.rendering.segments import Kind, Segment

URL_ATTRIBUTES = frozenset({"href", "src", "action", "formaction", "background", "poster", "xlink:href", "srcset"})
CONSTANT_ATTRIBUTES = frozenset({"class", "id"})


class Where(Enum):
    TEXT = "text"
    RAW = "raw"  # the text of <title>
    TAG = "tag"  # inside a tag, between attributes
    VALUE = "value"  # inside a quoted attribute value
    STYLE = "style"  # inside <style>
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Place:
    """`attribute` is set for VALUE; `starts` tells that no static text stands before the tag in the value."""

    where: Where
    attribute: str = ""
    starts: bool = False
    in_comment: bool = False
    ignored_style: bool = False


_TAG_PART = re.compile(r"([^\s=\"'<>/]+)\s*=\s*([\"'])|([^\s=\"'<>/]+)\s*=\s*\Z|(>)")
_CONDITION = re.compile(r"\[if\b[^\]]*\]>(?!\s*<!-->|\s*-->)", re.IGNORECASE)
_RAW_END = {"style": re.compile(r"</style", re.IGNORECASE), "title": re.compile(r"</title", re.IGNORECASE)}


class Scanner:
    """A small HTML state machine, fed with the static texts in order. MSO conditional comments are looked into."""

    def __init__(self) -> None:
        self.where = Where.TEXT
        self.element = ""
        self.attribute = ""
        self.quote = ""
        self.value = ""
        self.in_comment = False
        self.ignored = False
        self.unquoted = False

    def place(self) -> Place:
        """Where the next thing stands."""
        attribute = self.attribute if self.where is Where.VALUE else ""
        starts = self.where is Where.VALUE and not self.value.strip()
        return Place(self.where, attribute, starts, self.in_comment, self.where is Where.STYLE and self.ignored)

    def feed(self, text: str) -> None:
        """Read static text."""
        at = 0
        self.unquoted = False
        steps = {
            Where.TEXT: self._text,
            Where.TAG: self._tag,
            Where.VALUE: self._value,
            Where.STYLE: self._raw,
            Where.RAW: self._raw,
            Where.COMMENT: self._comment,
        }
        while at < len(text):
            at = steps[self.where](text, at)

    def _text(self, text: str, at: int) -> int:
        found = text.find("<", at)
        if found < 0:
            return len(text)
        if text.startswith("<!--", found):
            condition = _CONDITION.match(text, found + 4)
            if condition:
                self.in_comment = True
                return condition.end()
            self.where = Where.COMMENT
            return found + 4
        if text.startswith("<![", found):  # <![endif]--> and <![endif]-->'s bare form
            end = text.find(">", found)
            self.in_comment = False
            return end + 1 if end >= 0 else len(text)
        name = re.compile(r"</?([A-Za-z!][\w:-]*)").match(text, found)
        if name is None:
            return found + 1
        closing = text[found + 1] == "/"
        self.where, self.element, self.ignored = Where.TAG, "" if closing else name[1].lower(), False
        return name.end()

    def _tag(self, text: str, at: int) -> int:
        found = _TAG_PART.search(text, at)
        ends = found.start() if found else len(text)
        if "data-premailer" in text[at : ends + 20]:
            self.ignored = True
        if found is None:
            return len(text)
        if found[4]:
            rest = self.element
            self.where = {"style": Where.STYLE, "title": Where.RAW}.get(rest, Where.TEXT)
        elif found[3]:
            self.unquoted = True
        else:
            self.where, self.attribute, self.quote, self.value = Where.VALUE, found[1].lower(), found[2], ""
        return found.end()

    def _value(self, text: str, at: int) -> int:
        found = text.find(self.quote, at)
        if found < 0:
            self.value += text[at:]
            return len(text)
        self.where = Where.TAG
        return found + 1

    def _raw(self, text: str, at: int) -> int:
        found = _RAW_END["style" if self.where is Where.STYLE else "title"].search(text, at)
        if found is None:
            return len(text)
        self.where, self.element = Where.TAG, ""
        return found.end()

    def _comment(self, text: str, at: int) -> int:
        found = text.find("-->", at)
        if found < 0:
            return len(text)
        self.where = Where.TEXT
        return found + 3


def placed(segments: Iterable[Segment]) -> list[tuple[Segment, Place]]:
    """Each segment with where it begins. Raises CompileError where a value could break out of its place."""
    scanner = Scanner()
    out: list[tuple[Segment, Place]] = []
    for segment in segments:
        place = scanner.place()
        if segment.kind is Kind.TEXT:
            scanner.feed(segment.source)
        elif segment.kind is Kind.PRINT:
            _refuse_unsafe(segment, place, scanner)
        out.append((segment, place))
    return out


def _refuse_unsafe(segment: Segment, place: Place, scanner: Scanner) -> None:
    if place.where is Where.TAG:
        hint = 'put it between quotes: href="{{ ... }}"' if scanner.unquoted else "write the attribute out"
        raise CompileError(f"{segment.tag()} stands bare inside a tag", segment.file, segment.line, hint)
    if place.where is Where.VALUE and place.attribute.startswith("on"):
        hint = "mail programs run no scripts"
        raise CompileError(f"{segment.tag()} stands in a script attribute", segment.file, segment.line, hint)


def guarded(segment: Segment, place: Place) -> Segment:
    """The expression with the guard its place asks for."""
    if segment.kind is Kind.PRINT:
        if place.where is Where.VALUE and place.attribute in URL_ATTRIBUTES and place.starts:
            return segment.with_source(f"({segment.source}) | safe_url__")
        if place.where is Where.STYLE or (place.where is Where.VALUE and place.attribute == "style"):
            return segment.with_source(f"({segment.source}) | safe_css__")
    return segment


def not_compilable(found: list[tuple[Segment, Place]]) -> str | None:
    """Why the style sheet cannot be applied before the data is known; None if it can."""
    for segment, place in found:
        if segment.kind is Kind.TEXT:
            continue
        if place.where is Where.TAG:
            return f"{_at(segment)} switches attributes"
        if place.where is Where.VALUE and place.attribute in CONSTANT_ATTRIBUTES:
            return f"{_at(segment)} stands in an attribute ({place.attribute}) which the style sheet is matched by"
        if segment.kind is Kind.DO and place.where is Where.VALUE and place.attribute == "style":
            return f"{_at(segment)} is a statement inside a style attribute"
        if place.where is Where.STYLE and not place.ignored_style and segment.kind is Kind.DO:
            return f"{_at(segment)} is a statement inside <style>"
    return None


def _at(segment: Segment) -> str:
    return f"{segment.tag()} ({segment.file}, line {segment.line})"

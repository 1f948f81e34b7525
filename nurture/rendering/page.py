"""A flat template as one text that knows its lines, and what checks find in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from nurture.rendering.problems import Severity
from nurture.rendering.segments import Kind, Segment
from nurture.rendering.template import Template


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong in a template, and where: `file` below email_templates, `line` 1-based."""

    code: str
    severity: Severity
    file: str
    line: int
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The flat document as one text (tags as U+0000), with the file and line of every part."""

    text: str
    offsets: tuple[int, ...]
    segments: tuple[Segment, ...]
    file: str

    @classmethod
    def of(cls, document: list[Segment], template: Template) -> Page:
        text: list[str] = []
        offsets: list[int] = []
        at = 0
        for segment in document:
            written = segment.source if segment.kind is Kind.TEXT else "\x00"
            offsets.append(at)
            text.append(written)
            at += len(written)
        return cls("".join(text), tuple(offsets), tuple(document), template.file)

    def place(self, offset: int) -> tuple[str, int]:
        """(file, line) of a character."""
        if not self.segments:
            return self.file, 1
        index = bisect_right(self.offsets, offset) - 1
        segment = self.segments[index]
        lines = self.text.count("\n", self.offsets[index], offset) if segment.kind is Kind.TEXT else 0
        return segment.file, segment.line + lines

    def find(self, pattern: str, fallback: str) -> tuple[str, int]:
        """(file, line) of the first match; the first line of `fallback` if it stands in a tag or in nothing we read."""
        found = re.search(pattern, self.text, re.IGNORECASE)
        return self.place(found.start()) if found else (fallback, 1)

    def find_tag(self, text: str, fallback: str) -> tuple[str, int]:
        """(file, line) of a text that stands in the source, tags included."""
        for segment in self.segments:
            at = segment.source.find(text)
            if at >= 0:
                return segment.file, segment.line + segment.source.count("\n", 0, at)
        return fallback, 1

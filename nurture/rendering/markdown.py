"""Markdown bodies: CommonMark with tables, raw HTML allowed (templates are trusted), Jinja tags left alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt

from nurture.rendering.segments import Kind, Segment


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True, "typographer": False}).enable(["table", "strikethrough"])


def to_html(segments: Sequence[Segment]) -> list[Segment]:
    """HTML segments of Markdown segments. A statement alone on its line stands between paragraphs."""
    whole = "".join([segment.source for segment in segments])
    prefix = next(f"zm{n}q" for n in range(len(whole) + 2) if f"zm{n}q" not in whole)
    out: list[str] = []
    tags: list[Segment] = []
    for segment in segments:
        if segment.kind is Kind.TEXT:
            out.append(segment.source)
            continue
        token = f"{prefix}{len(tags):05d}z"
        out.append(f"<!--{token}-->" if segment.kind is Kind.DO else token)
        tags.append(segment)
    rendered = _parser().render("".join(out))
    return _restored(rendered, prefix, tags, segments[0].file if segments else "")


def _restored(rendered: str, prefix: str, tags: list[Segment], file: str) -> list[Segment]:
    pattern = re.compile(rf"(?:<!--|&lt;!--)?{prefix}(\d{{5}})z(?:-->|--&gt;)?")
    out: list[Segment] = []
    at, line = 0, 1
    for found in pattern.finditer(rendered):
        if found.start() > at:
            out.append(Segment(Kind.TEXT, rendered[at : found.start()], file, line))
        tag = tags[int(found[1])]
        out.append(tag)
        at, line = found.end(), tag.line
    if at < len(rendered):
        out.append(Segment(Kind.TEXT, rendered[at:], file, line))
    return out

"""CSS into `style` attributes, once per template: Jinja tags are masked, premailer runs offline, the tags come back.

Statements between elements are masked by comments, everything else by words: what an HTML parser leaves where it is.
Afterwards the document is checked: every statement still there, in order, and each block opened and closed in the same
element. A template for which that cannot hold is rendered first and inlined afterwards, for every mail (`why_not`).
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lxml import html as lxml_html

from nurture.rendering.flatten import OPENERS
from nurture.rendering.places import Place, Where, guarded, not_compilable
from nurture.rendering.problems import CompileError
from nurture.rendering.segments import Kind, Segment

Placed = tuple[Segment, Place]

_COMPILING = threading.Lock()  # cssutils keeps global state: two threads spoil each other's output

_STYLE = re.compile(r"<style\b([^>]*)>(.*?)</style", re.IGNORECASE | re.DOTALL)
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_STRUCTURAL = re.compile(r":(first|last|only|nth|empty)\b[\w-]*|[+~]")


@dataclass(frozen=True, slots=True)
class Mask:
    """The tags taken out of a document, by number, and the shape of the tokens that stand for them."""

    tags: tuple[Segment, ...]
    pattern: re.Pattern[str]

    def split(self, document: str) -> list[str | Segment]:
        """Static text and tags in turn."""
        out: list[str | Segment] = []
        at = 0
        for found in self.pattern.finditer(document):
            if found.start() > at:
                out.append(document[at : found.start()])
            out.append(self.tags[int(found[1] or found[2])])
            at = found.end()
        if at < len(document):
            out.append(document[at:])
        return out


@dataclass(frozen=True, slots=True)
class Inlined:
    """A masked document with its styles inlined. `before` and `after` are tags that stood outside the document."""

    document: str
    mask: Mask
    before: tuple[Segment, ...] = ()
    after: tuple[Segment, ...] = ()


def inline(found: Sequence[Placed], file: str) -> tuple[Inlined | None, str]:
    """The inlined template, or None and why it cannot be inlined before the data is known. Raises CompileError."""
    why_not = not_compilable(list(found)) or _depends_on_neighbours(found)
    if why_not:
        return None, why_not
    before, middle, after = _trimmed(found)
    document, mask = masked(middle)
    result = Inlined(inline_css(document, file), mask, before, after)
    why_not = _moved(result, middle)
    return (None, why_not) if why_not else (result, "")


def inline_css(document: str, file: str) -> str:
    """One HTML document with its style sheet applied. Never fetches anything. Raises CompileError."""
    from nurture.rendering.style_sheets import Inliner  # late: premailer brings requests, and few commands build a mail

    try:
        with _COMPILING:
            inlined = Inliner(
                document,
                strip_important=False,
                allow_network=False,
                allow_loading_external_files=False,
                disable_link_rewrites=True,
                disable_validation=True,
                cssutils_logging_level=logging.CRITICAL,
            ).transform(pretty_print=False)
    except Exception as error:  # noqa: BLE001  # premailer, cssutils and lxml fail in many ways on bad CSS and HTML
        message = f"the style sheet cannot be applied: {error}"
        raise CompileError(message, file, None, "check the <style> blocks") from None
    return str(inlined)


def masked(found: Sequence[Placed]) -> tuple[str, Mask]:
    """The document with a token for every tag, guards put on."""
    whole = "".join([segment.source for segment, _ in found if segment.kind is Kind.TEXT])
    prefix = next(f"zq{n}q" for n in range(len(whole) + 2) if f"zq{n}q" not in whole.lower())
    out: list[str] = []
    tags: list[Segment] = []
    for segment, place in found:
        if segment.kind is Kind.TEXT:
            out.append(segment.source)
            continue
        token = f"{prefix}{len(tags):05d}z"
        tags.append(guarded(segment, place))
        between = segment.kind is Kind.DO and place.where is Where.TEXT and not place.in_comment
        out.append(f"<!--{token}-->" if between else token)
    return "".join(out), Mask(tuple(tags), re.compile(rf"<!--{prefix}(\d{{5}})z-->|{prefix}(\d{{5}})z"))


def _trimmed(found: Sequence[Placed]) -> tuple[tuple[Segment, ...], list[Placed], tuple[Segment, ...]]:
    """Statements before the first and after the last of the document would upset its parser: set them aside."""
    first = next((n for n, (segment, _) in enumerate(found) if not _outside(segment)), len(found))
    last = next((n for n in range(len(found), first, -1) if not _outside(found[n - 1][0])), first)
    return tuple(s for s, _ in found[:first]), list(found[first:last]), tuple(s for s, _ in found[last:])


def _outside(segment: Segment) -> bool:
    return segment.kind is Kind.DO or (segment.kind is Kind.TEXT and not segment.source.strip())


def _depends_on_neighbours(found: Sequence[Placed]) -> str | None:
    """A rule such as `li:first-child` matches other elements once a loop has run."""
    if not any(segment.word in {"if", "for"} and place.where is Where.TEXT for segment, place in found):
        return None
    whole = "".join([segment.source if segment.kind is Kind.TEXT else "x" for segment, _ in found])
    for attributes, css in _STYLE.findall(whole):
        if "data-premailer" in attributes:
            continue
        for selector in base_selectors(css):
            if _STRUCTURAL.search(selector):
                return f"the rule `{selector}` may match other elements once loops and ifs have run"
    return None


def base_selectors(css: str) -> list[str]:
    """The selectors of rules that stand outside @media and the like."""
    return [selector for selector, _ in base_rules(css)]


def base_rules(css: str) -> list[tuple[str, str]]:
    """(selector, declarations) of the rules that stand outside @media and the like."""
    css = _CSS_COMMENT.sub("", css)
    rules: list[tuple[str, str]] = []
    depth, start, selector, opened = 0, 0, "", 0
    for at, char in enumerate(css):
        if char == ";" and depth == 0:
            start = at + 1
        elif char == "{":
            depth += 1
            if depth == 1:
                selector, opened = css[start:at].strip(), at + 1
        elif char == "}" and depth:
            depth -= 1
            if depth == 0:
                if not selector.startswith("@"):
                    rules.append((selector, css[opened:at].strip()))
                start = at + 1
    return rules


def _moved(inlined: Inlined, found: Sequence[Placed]) -> str | None:
    """What the parser did to the statements, if anything."""
    wanted = [n for n, tag in enumerate(inlined.mask.tags) if tag.kind is Kind.DO]
    seen = [int(m[1] or m[2]) for m in inlined.mask.pattern.finditer(inlined.document)]
    tags = inlined.mask.tags
    if [n for n in seen if tags[n].kind is Kind.DO] != wanted:
        return "the HTML around a statement is not well formed, so that it moved"
    places = [place for segment, place in found if segment.kind is not Kind.TEXT]
    kept = {Where.TEXT, Where.RAW, Where.VALUE}
    gone = set(range(len(places))) - set(seen)
    lost = sorted(n for n in gone if places[n].where in kept and places[n].attribute != "style")
    if lost:
        return f"the HTML around {tags[lost[0]].tag()} is not well formed, so that it was lost"
    return _split_blocks(inlined)


def _split_blocks(inlined: Inlined) -> str | None:
    """A block that opens in one element and closes in another would tear elements apart."""
    parents: dict[int, Any] = {}
    root = lxml_html.document_fromstring(inlined.document)
    for node in root.iter():
        if isinstance(node.tag, str):
            for value in node.attrib.values():
                for match in inlined.mask.pattern.finditer(value):
                    parents[int(match[1] or match[2])] = (node, value)
            for text in (node.text or "",):
                _note(parents, inlined.mask, text, node)
        else:
            _note(parents, inlined.mask, f"<!--{node.text or ''}-->", node.getparent())
        _note(parents, inlined.mask, node.tail or "", node.getparent())
    stack: list[int] = []
    for number, tag in enumerate(inlined.mask.tags):
        word = tag.word
        if word in OPENERS:
            stack.append(number)
        elif stack and (word in {"else", "elif"} or word.startswith("end")):
            opened = stack.pop() if word.startswith("end") else stack[-1]
            if parents.get(opened) != parents.get(number):
                place = inlined.mask.tags[opened]
                return f"{place.tag()} ({place.file}, line {place.line}) opens and closes in different elements"
    return None


def _note(parents: dict[int, Any], mask: Mask, text: str, parent: Any) -> None:
    for match in mask.pattern.finditer(text):
        parents[int(match[1] or match[2])] = parent

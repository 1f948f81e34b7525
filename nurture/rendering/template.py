"""A compiled template: everything that does not depend on the person is done.

sources -> one flat sequence of segments -> constants folded -> styles inlined -> text twin -> static text encoded
-> Jinja programs. What is left per mail is one run of each program.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jinja2

from nurture.rendering.encoding import finalizer, piece
from nurture.rendering.environment import Program, Sandbox, escaped_html, printable
from nurture.rendering.flatten import Flattener, check_balance
from nurture.rendering.folding import folded
from nurture.rendering.front_matter import FrontMatter, Need, Wanted
from nurture.rendering.functions import FUNCTIONS
from nurture.rendering.inlining import Inlined, Placed, inline
from nurture.rendering.library import Library
from nurture.rendering.markdown import to_html
from nurture.rendering.places import guarded
from nurture.rendering.problems import CompileError, did_you_mean, liquid_hint
from nurture.rendering.segments import Kind, Segment, escaped, lex
from nurture.rendering.tracking import tracked_parts
from nurture.rendering.twin import text_twin

FORMAT = "1"  # part of every hash: another way of compiling makes other templates

HTML_PARTS = Sandbox(finalize=finalizer(html=True), functions=FUNCTIONS, newline="\r\n")
TEXT_PARTS = Sandbox(finalize=finalizer(html=False), functions=FUNCTIONS, newline="\r\n")
PLAIN = Sandbox(finalize=printable, functions=FUNCTIONS)
HTML = Sandbox(finalize=escaped_html, functions=FUNCTIONS)


@dataclass(frozen=True, slots=True)
class Piece:
    """A program, and which tag stands in which line of its source. Without a tag its text is `constant`."""

    program: Program
    tags: Mapping[int, Segment]
    file: str
    constant: str | None = None

    def place(self, error: BaseException) -> tuple[str, int | None]:
        """(file, line) of the tag in which an exception came up."""
        line = self.program.line_of(error)
        tag = self.tags.get(line) if line is not None else None
        return (tag.file, tag.line) if tag is not None else (self.file, None)


@dataclass(frozen=True, slots=True)
class Template:
    """`subject` and `preheader` are their Jinja sources. `hash` names the content of all files it is made of.

    `slow_because` tells why its styles must be inlined for every single mail; None if they are inlined already.
    `styled` is the HTML with styles inlined and an x for every tag; without styles where they are inlined later.
    `segments` is the flat HTML document (empty for a template that is plain text only), `text_segments` the text.
    """

    name: str
    file: str
    needs: tuple[Need, ...]
    wanted: Wanted
    subject: str | None
    preheader: str | None
    hash: str
    front: FrontMatter
    segments: tuple[Placed, ...]
    text_segments: tuple[Segment, ...]
    subject_piece: Piece | None
    preheader_piece: Piece | None
    html: Piece | None
    text: Piece | None
    slow_because: str | None = None
    html_size: int = 0
    files: Mapping[str, str] = field(default_factory=dict)
    styled: str = ""


@dataclass(slots=True)
class Draft:
    """A template read and flattened, before the expensive part; its hash tells whether that was done before."""

    name: str
    file: str
    front: FrontMatter
    document: list[Segment]
    text: list[Segment] | None
    files: dict[str, str]
    hash: str


def draft(library: Library, name: str, constants: Mapping[str, Any]) -> Draft:
    """Read a template with all its parts. Raises CompileError."""
    file = library.file_of(name)
    front = library.parsed(file, name, 1)
    flattener = Flattener(library)
    flattener.used[file] = library.text(file, name, 1)
    document: list[Segment] = []
    text: list[Segment] | None = None
    if file.endswith(".txt"):
        text = flattener.text(front, file)
    else:
        body = lex(front.body, file, front.body_line)
        document = flattener.document(front, file, to_html(body) if file.endswith(".md") else body)
        if twin := library.twin_of(file):
            flattener.used[twin] = library.text(twin, file, 1)
            text = flattener.text(library.parsed(twin, file, 1), twin)
    for segments in (document, text or []):
        check_balance(segments, file)
    facts = json.dumps([FORMAT, name, flattener.used, constants], sort_keys=True, default=str)
    digest = hashlib.blake2b(facts.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return Draft(name, file, front, document, text, flattener.used, digest)


def compiled(
    source: Draft, constants: Mapping[str, Any], *, slowly: str = "", clicks: bool = False, opens: bool = False
) -> Template:
    """The expensive part. `slowly`: why styles shall be inlined for every mail, though it may be possible before.

    `clicks`, `opens`: the mail of a person who agreed to be tracked, unless its styles are inlined for every mail.

    Raises CompileError.
    """
    found = folded(source.document, constants) if source.document else []
    inlined, why_not = inline(found, source.file) if found and not slowly else (None, slowly if found else "")
    text = source.text
    if text is None and inlined is not None:
        text, why_not = _derived(inlined)
    slow = why_not or None
    html = None
    if inlined is not None and not slow:
        parts = tracked_parts(inlined, clicks=clicks, opens=opens)
        html = piece_of(HTML_PARTS, parts, source.file, piece)
    elif found:
        html = piece_of(HTML, [_bare(guarded(segment, place)) for segment, place in found], source.file, escaped)
    front = source.front
    return Template(
        name=source.name,
        file=source.file,
        needs=front.needs,
        wanted=Wanted.of(front.needs),
        subject=front.subject,
        preheader=front.preheader,
        hash=source.hash,
        front=front,
        segments=tuple(found),
        text_segments=tuple(text or ()),
        subject_piece=line_piece(front.subject, source.file, front.line_of("subject")),
        preheader_piece=line_piece(front.preheader, source.file, front.line_of("preheader")),
        html=html,
        text=piece_of(TEXT_PARTS, [_bare(part) for part in text], source.file, piece) if text is not None else None,
        slow_because=slow,
        html_size=_size(inlined, found),
        files=source.files,
        styled=_styled(inlined, found),
    )


def _styled(inlined: Inlined | None, found: Sequence[Placed]) -> str:
    if inlined is not None:
        return inlined.mask.pattern.sub("x", inlined.document)
    return "".join([segment.source if segment.kind is Kind.TEXT else "x" for segment, _ in found])


def _derived(inlined: Inlined) -> tuple[list[Segment] | None, str]:
    """The text twin as segments; None and why, if it cannot be known before the data is."""
    twin = text_twin(inlined.document, inlined.mask.pattern)
    parts = [
        part if isinstance(part, Segment) else Segment(Kind.TEXT, part, "", 0) for part in inlined.mask.split(twin)
    ]
    whole = [*inlined.before, *parts, *inlined.after]
    try:
        check_balance(whole, "")
    except CompileError as error:
        return None, f"its text twin cannot be derived: {error.bare}"
    sets = [tag for tag in inlined.mask.tags if tag.word == "set"]
    if any(tag not in parts for tag in sets):
        return None, "a value is {% set %} where the text twin does not see it"
    return whole, ""


def _size(inlined: Inlined | None, found: Sequence[Placed]) -> int:
    """Octets of the static HTML, as it goes out where that is known."""
    if inlined is not None:
        return len(inlined.document.encode("utf-8", "replace"))
    return sum(len(segment.source.encode("utf-8", "replace")) for segment, _ in found if segment.kind is Kind.TEXT)


def _bare(segment: Segment) -> str | Segment:
    return segment.source if segment.kind is Kind.TEXT else segment


def line_piece(source: str | None, file: str, line: int) -> Piece | None:
    """The program of a subject or preheader."""
    if source is None:
        return None
    return piece_of(PLAIN, [_bare(segment) for segment in lex(source, file, line)], file, escaped)


def piece_of(sandbox: Sandbox, parts: Sequence[str | Segment], file: str, encode: Callable[[str], str]) -> Piece:
    """A program of static texts and tags. Raises CompileError."""
    out: list[str] = []
    tags: dict[int, Segment] = {}
    line = 1
    for part in parts:
        if isinstance(part, Segment):
            tags.setdefault(line, part)
            written = part.tag()
        else:
            written = encode(part)
        out.append(written)
        line += written.count("\n")
    try:
        program = sandbox.compiled("".join(out), file)
    except jinja2.TemplateSyntaxError as error:
        tag = tags.get(error.lineno)
        raise _explained(error, tag, file, sandbox) from None
    return Piece(program, tags, file, None if tags else program.run({}))


def _explained(error: jinja2.TemplateSyntaxError, tag: Segment | None, file: str, sandbox: Sandbox) -> CompileError:
    message = error.message or "not a template"
    hint = liquid_hint(tag.tag()) if tag is not None else None
    if hint is None and message.startswith("No filter named"):
        known = sorted(name for name in sandbox.filters if not name.endswith("__"))
        name = message.split("'")[1]
        message = f"there is no filter `{name}`"
        hint = did_you_mean(name, known) or f"filters: {', '.join(known)}"
    if tag is None:
        return CompileError(message, file, None, hint)
    return CompileError(f"{message} in {tag.tag()}", tag.file, tag.line, hint)

"""The plain text twin of an HTML mail, derived from its (masked) document.

Links become `text: address`, layout tables are read in order, hidden preheaders and pictures without text are left out.
Statements (comments that `is_statement` recognises) keep their place between the paragraphs.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import html as lxml_html

WIDTH = 78
VALUE_WIDTH = 14  # what a value is taken to need when lines are broken before it is known

_BLOCKS = {
    "p": 2, "h1": 2, "h2": 2, "h3": 2, "h4": 2, "ul": 2, "ol": 2, "table": 2, "blockquote": 2, "pre": 2, "hr": 2,
    "div": 1, "li": 1, "tr": 1, "center": 1, "section": 1, "article": 1, "header": 1, "footer": 1, "body": 1,
    "figure": 1, "address": 1, "main": 1,
}  # fmt: skip
_SKIPPED = frozenset({"head", "style", "script", "title", "noscript", "template"})
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)
_INVISIBLE = re.compile("[\u00ad\u034f\u200b\u200c\u200d\u2060\ufeff]+(?=[\\s\u00a0\u00ad\u034f\u200b\u200c]|$)")
_STOP = re.compile(r"^[.,;:!?](?=\s|$)")
_SPACES = re.compile(r"[ \t\r\n\f\u00a0]+")


class _Page:
    """Lines in the making: words, and how many line ends are due before the next one."""

    def __init__(self, token: re.Pattern[str]) -> None:
        self.token = token
        self.done: list[str] = []
        self.line = ""
        self.due = 0
        self.ended = 2  # line ends written since the last words
        self.prefix = ""
        self.after_address = False

    def brk(self, count: int) -> None:
        """At least so many line ends before what follows."""
        self._flush()
        self.due = max(self.due, count - self.ended)

    def words(self, text: str) -> None:
        """Running text; white space is collapsed."""
        text = _SPACES.sub(" ", text)
        if self.after_address and text:
            text = _STOP.sub("", text)  # mail programs would take it for a part of the address
        self.after_address = self.after_address and not text
        if not self.line:
            text = text.lstrip()
        elif self.line.endswith(" "):
            text = text.removeprefix(" ")
        self.line += text

    def statement(self, token: str) -> None:
        """A statement: inside a line it stays in the line, otherwise the line ends that are due come before it."""
        if self.line.strip() or self.prefix:
            self.line += token
            return
        self._end_lines()
        self.done.append(token)

    def _end_lines(self) -> None:
        if self.due > 0:
            self.done.append("\n" * self.due)
            self.ended += self.due
            self.due = 0

    def _flush(self) -> None:
        line, self.line = self.line.strip(), ""
        self.after_address = False
        if line:
            self._end_lines()
            self.done.append(_wrapped(self.prefix + line, self.token, " " * len(self.prefix)))
            self.ended = 0
        self.prefix = ""

    def text(self) -> str:
        self._flush()
        return "".join(self.done).strip() + ("" if self.ended else "\n")


def _wrapped(line: str, token: re.Pattern[str], indent: str) -> str:
    """Lines of at most WIDTH columns; a value counts as VALUE_WIDTH, a statement as nothing, addresses stay whole."""
    out: list[str] = []
    current, width = "", 0
    for word in line.split(" "):
        size = len(token.sub(lambda found: "" if found[1] else "x" * VALUE_WIDTH, word))
        if current and width + 1 + size > WIDTH:
            out.append(current)
            current, width = indent + word, len(indent) + size
        else:
            current, width = (f"{current} {word}", width + 1 + size) if current else (word, size)
    return "\n".join([*out, current])


_NO_TOKEN = re.compile(r"(?!)")


def visible_text(document: str) -> str:
    """What people see of an HTML mail that is ready to go, as plain text."""
    return text_twin(document, _NO_TOKEN)


def text_twin(document: str, token: re.Pattern[str]) -> str:
    """Text of an HTML document. `token` matches masks: group 1 is set in comments (statements), group 2 in words."""
    walker = _Walker(_Page(token), token)
    root = lxml_html.document_fromstring(document)
    body = root.find("body")
    walker.inside(body if body is not None else root)
    return walker.page.text()


class _Walker:
    """Reads a document in order. Recursion is bounded: the parser builds at most 256 levels."""

    def __init__(self, page: _Page, token: re.Pattern[str]) -> None:
        self.page = page
        self.token = token

    def inside(self, node: Any) -> None:
        """Text and children of a node."""
        self.page.words(_visible(node.text or ""))
        for child in node:
            self.element(child)
            self.page.words(_visible(child.tail or ""))

    def element(self, node: Any) -> None:
        """One node: a statement, something skipped, a block, or running text."""
        if not isinstance(node.tag, str):
            comment = f"<!--{node.text or ''}-->"
            if self.token.fullmatch(comment):
                self.page.statement(comment)
        elif node.tag in _SKIPPED or _is_hidden(node):
            return
        elif node.tag in _BLOCKS:
            self._block(node, _BLOCKS[node.tag])
        elif node.tag in {"td", "th"}:
            self._cell(node)
        elif node.tag == "a":
            self._link(node)
        elif node.tag == "br":
            self.page.brk(1)
        elif node.tag == "img":
            self.page.words(_visible(node.get("alt") or ""))
        else:
            self.inside(node)

    def _block(self, node: Any, gap: int) -> None:
        self.page.brk(gap)
        if node.tag == "li":
            self.page.prefix = _bullet(node)
        elif node.tag == "hr":
            self.page.words("-" * 20)
        self.inside(node)
        self.page.brk(gap)

    def _cell(self, node: Any) -> None:
        """Cells of running text share a line; cells with paragraphs or tables stand for themselves."""
        if any(child.tag in _BLOCKS for child in node.iterdescendants() if isinstance(child.tag, str)):
            self._block(node, 1)
        else:
            self.inside(node)
            self.page.words(" ")

    def _link(self, node: Any) -> None:
        start = self.page.line
        self.inside(node)
        label = self.page.line.removeprefix(start).strip()
        address = (node.get("href") or "").strip()
        shown = address.removeprefix("mailto:").removeprefix("tel:")
        if not address or address.startswith("#") or label in {address, shown, shown.split("?")[0]}:
            return
        self.page.line = self.page.line.rstrip()
        glue = "" if not self.page.line else " " if self.page.line.endswith(":") else ": "
        self.page.line += glue + (shown if address.startswith("mailto:") else address)
        self.page.after_address = True


def _bullet(node: Any) -> str:
    parent = node.getparent()
    if parent is not None and parent.tag == "ol" and all(isinstance(child.tag, str) for child in parent):
        return f"{parent.index(node) + 1}. "
    return "- "


def _is_hidden(node: Any) -> bool:
    return bool(_HIDDEN.search(node.get("style") or "")) or node.get("hidden") is not None


def _visible(text: str) -> str:
    return _INVISIBLE.sub("", text)

"""Proof that a template says the same whether its styles are inlined before the data is filled in or afterwards.

The first is what is sent, as it costs nothing for each mail; the second is what is meant. Both are compared as an HTML
parser sees them: elements, attributes, declarations, texts, in order.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from lxml import html as lxml_html


def difference(sent: str, meant: str) -> str | None:
    """The first thing in which two HTML documents differ, in words; None if they are the same to a mail program."""
    for one, other in zip_longest(_shape(sent), _shape(meant), fillvalue=""):
        if one != other:
            return f"{_shown(one)} instead of {_shown(other)}"
    return None


def _shape(document: str) -> list[Any]:
    found: list[Any] = []
    for node in lxml_html.document_fromstring(document).iter():
        if isinstance(node.tag, str):
            styles = [part.strip().replace(" ", "") for part in (node.get("style") or "").split(";")]
            others = sorted((name, value) for name, value in node.attrib.items() if name != "style")
            found.append((node.tag, others, sorted(filter(None, styles)), " ".join((node.text or "").split())))
        found.append(" ".join((node.tail or "").split()))
    return found


def _shown(part: Any) -> str:
    if isinstance(part, str):
        return f"the text {part[:60]!r}" if part else "no text"
    tag, others, styles, text = part
    told = [f'{name}="{value}"' for name, value in others] + ([f'style="{"; ".join(styles)}"'] if styles else [])
    return f"<{' '.join([tag, *told])}>{text}"[:160]

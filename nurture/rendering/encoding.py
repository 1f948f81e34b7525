"""Quoted-printable (RFC 2045 section 6.7), in a canonical form, for texts and for templates.

Static text is encoded when a template is compiled, values when they are printed; each piece ends in a soft line break,
so that the next begins in column 0. What comes out has lines of at most 76 characters, CRLF only, no runs of white
space, none at the end of a line, and no dot or `From ` at the beginning of one: DKIM's relaxed form of it is itself
(RFC 6376 section 3.4.4), and neither dot-stuffing nor an mbox has anything to change.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import Any

from markupsafe import escape

from nurture.rendering.environment import printable

MAX_INT = 10**18
_MEMO = 4096
_WIDTH = 76
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PLAIN = re.compile(r"(?![.]|From )(?!.*[ ]{2})[ -<>-~]*[!-<>-~]\Z")
_UGLY = re.compile(r"[ \t](?=[ \t])|\t|^\.|^F(?=rom )|\{(?=[{%#])", re.MULTILINE)
_ESCAPES = {" ": "=20", "\t": "=09", ".": "=2E", "F": "=46", "{": "=7B"}


def quoted_printable(text: str) -> str:
    """The canonical encoding of a text of any kind. Line ends become CRLF; control characters are dropped."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _CONTROLS.search(text):
        text = _CONTROLS.sub("", text)
    encoded = binascii.b2a_qp(text.encode("utf-8", "replace"), istext=True).decode("ascii")
    encoded = encoded.replace("=\n", "")  # its soft line breaks: ours come last
    encoded = _UGLY.sub(lambda sign: _ESCAPES[sign[0]], encoded)
    return "\r\n".join([line if len(line) <= _WIDTH else _folded(line) for line in encoded.split("\n")])


def _folded(line: str, width: int = _WIDTH) -> str:
    """A long line with soft line breaks: never inside an escape; what may not begin a line is escaped."""
    out: list[str] = []
    at, lead = 0, ""
    while len(line) - at + len(lead) > width:
        cut = at + width - 1 - len(lead)
        if line[cut - 1] == "=":
            cut -= 1
        elif line[cut - 2] == "=":
            cut -= 2
        out.append(lead + line[at:cut] + "=")
        at, lead = cut, ""
        if line[at] == "." or line.startswith("From ", at):
            at, lead = at + 1, _ESCAPES[line[at]]
    out.append(lead + line[at:])
    return "\r\n".join(out)


def _folded_plain(text: str) -> str:
    """A long text without escapes, closed by a soft line break: cut where it happens to be, if that is allowed."""
    lines = [text[at : at + _WIDTH - 1] for at in range(0, len(text), _WIDTH - 1)]
    if any(line.startswith((".", "From ")) for line in lines):
        return _softly_ended(_folded(text))
    return "=\r\n".join(lines) + "=\r\n"


def piece(text: str) -> str:
    """Encoded text, closed by a soft line break unless it ends in a line end."""
    if not text:
        return ""
    encoded = quoted_printable(text)
    return encoded if encoded.endswith("\r\n") else _softly_ended(encoded)


def _softly_ended(encoded: str) -> str:
    before, end, last = encoded.rpartition("\r\n")
    if len(last) == _WIDTH:  # no room for the sign of the soft line break
        encoded = before + end + _folded(last, _WIDTH - 1)
    return encoded + "=\r\n"


def decoded(encoded: str) -> str:
    """The text that was encoded, with LF line ends."""
    return binascii.a2b_qp(encoded.encode("ascii")).decode("utf-8").replace("\r\n", "\n")


def finalizer(*, html: bool) -> Callable[[Any], str]:
    """What Jinja does with each printed value: check it, escape it for HTML, encode it.

    Names, prices and brand values repeat within and across mails: the last few thousand short ones are remembered.
    """
    memo: dict[str, str] = {}
    look = memo.get

    def encode(value: Any) -> str:
        if type(value) is str:
            known = look(value)
            if known is not None:
                return known
            text = str(escape(value)) if html else value
            if _PLAIN.match(text):
                encoded = text + "=\r\n" if len(text) < _WIDTH else _folded_plain(text)
            else:
                encoded = piece(text)
            if len(value) < 200:
                if len(memo) >= _MEMO:
                    memo.clear()
                memo[value] = encoded
            return encoded
        if type(value) is int:
            return f"{value}=\r\n" if -MAX_INT < value < MAX_INT else piece(str(printable(value)))
        text = str(printable(value))
        return piece(str(escape(text)) if html else text)

    return encode

"""Header fields as octets on the wire: encoded words (RFC 2047), folding (RFC 5322), and nothing else ever.

The email package mangles long List-Unsubscribe fields into encoded words and lets NUL pass; so fields are written here.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from functools import lru_cache

from nurture.rendering.addresses import is_plain_phrase, wire_address

WIDTH = 78
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BLANKS = re.compile(r"\s+")
_WORD_BYTES = 45  # base64 of this many octets, with =?utf-8?b?...?= around it, is 72 characters
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class HeaderError(ValueError):
    """A header value that must not be sent. It is not made harmless silently: it never should have come here."""


def clean(text: str) -> str:
    """Human text for a header: control characters and line ends become blanks, direction overrides go."""
    return _BLANKS.sub(" ", _UNSAFE.sub(" ", _BIDI.sub("", text))).strip()


def checked(name: str, value: str) -> str:
    """A machine value for a header, refused if it holds anything but printable ASCII. Raises HeaderError."""
    if not value.isascii() or not value.isprintable():
        raise HeaderError(f"{name} cannot be {value!r:.80}: only printable ASCII can stand in it")
    return value


def unstructured(name: str, text: str) -> str:
    """A field of human text, such as Subject."""
    text = clean(text)
    if text.isascii() and "=?" not in text and len(name) + 2 + len(text) <= WIDTH:
        return f"{name}: {text}\r\n"
    if text.isascii() and "=?" not in text and max(map(len, text.split(" "))) < WIDTH - len(name) - 2:
        return folded(name, text.split(" "), " ")
    return folded(name, encoded_words(text, WIDTH - len(name) - 2), " ")


def encoded_words(text: str, first_width: int = WIDTH) -> list[str]:
    """RFC 2047 encoded words of a text; no character is split between two."""
    words: list[str] = []
    octets = text.encode()
    room = min(_WORD_BYTES, max((first_width - 12) // 4 * 3, 12))
    while len(octets) > room:
        cut = room
        while octets[cut] & 0xC0 == 0x80:  # in the middle of a character
            cut -= 1
        words.append(_word(octets[:cut]))
        octets, room = octets[cut:], _WORD_BYTES
    return [*words, _word(octets)]


def _word(octets: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(octets).decode()}?="


def folded(name: str, parts: list[str], glue: str) -> str:
    """A field of parts that stay whole; lines break between them where they would be too long."""
    lines = [f"{name}: {parts[0]}"]
    for part in parts[1:]:
        if len(lines[-1]) + len(glue) + len(part) <= WIDTH:
            lines[-1] += glue + part
        else:
            lines[-1] += glue.rstrip(" ")
            lines.append(" " + part)
    return "\r\n".join(lines) + "\r\n"


def mailbox(name: str, display: str | None, address: str) -> str:
    """A field of one address with a display name, such as From. Raises AddressError."""
    wire = str(wire_address(address))
    words = display_words(display or "", WIDTH - len(name) - 2)
    return folded(name, [*words, f"<{wire}>"], " ") if words else f"{name}: {wire}\r\n"


def display_words(display: str, first_width: int = WIDTH) -> list[str]:
    """A display name as the words of a phrase: atoms, one quoted string, or encoded words; empty if there is none."""
    display = clean(display)
    if not display:
        return []
    short = display.isascii() and "=?" not in display and len(display) < 60
    if short and is_plain_phrase(display):
        return display.split(" ")
    if short:
        quoted = display.replace("\\", "\\\\").replace('"', '\\"')
        return [f'"{quoted}"']
    return encoded_words(display, first_width)


@lru_cache(maxsize=64)  # many mails are planned in one moment
def date(instant: datetime) -> str:
    """RFC 5322 date and time, in UTC, whatever the process's locale is."""
    utc = instant.astimezone(UTC)
    time = f"{utc.hour:02d}:{utc.minute:02d}:{utc.second:02d}"
    return f"{_DAYS[utc.weekday()]}, {utc.day:02d} {_MONTHS[utc.month - 1]} {utc.year:04d} {time} +0000"

"""From what the wire said to an `Attempt`: replies parsed strictly, texts cleaned for storage and logs."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from nurture.domain.retry import Attempt, Fault, Phase

MAX_TEXT = 512
MAX_REPLY = 32 * 1024
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?!\S)")
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Stopped(Exception):  # noqa: N818 - the end of an attempt, not an error of the program
    """A conversation ended without a usable reply; the connection is closed. `attempt` says where and how."""

    def __init__(self, phase: Phase, fault: Fault, text: str = "") -> None:
        self.attempt = Attempt(phase, fault=fault, text=clean(text))
        super().__init__(self.attempt.text)


class NoSession(Exception):  # noqa: N818 - as above
    """No connection ready for mail could be had. `attempt` says which stage failed, by a reply or a fault."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.text)
        self.attempt = attempt


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply, its lines joined by one space. `text` is raw: `attempt` cleans it."""

    code: int
    text: str

    @property
    def is_good(self) -> bool:
        return self.code // 100 == 2

    def attempt(self, phase: Phase) -> Attempt:
        return Attempt(phase, self.code, enhanced_of(self.code, self.text), clean(self.text))


class ReplyReader:
    """Cuts a byte stream into replies (RFC 5321 4.2), however it is split or merged on the way."""

    __slots__ = ("_buffer", "_code", "_lines", "_size", "garbage")

    def __init__(self) -> None:
        self.garbage: str | None = None
        self._buffer = b""
        self._lines: list[bytes] = []
        self._code = b""
        self._size = 0

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are complete now. Once something is no reply, or over 32 KiB, `garbage` says what it was."""
        replies: list[Reply] = []
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            reply = self._line(line.rstrip(b"\r"))
            if self.garbage is not None:
                return replies
            if reply is not None:
                replies.append(reply)
        if self._size + len(self._buffer) > MAX_REPLY:
            self.garbage = "a reply of more than 32 KiB"
        return replies

    def _line(self, line: bytes) -> Reply | None:
        self._size += len(line)
        match = _LINE.fullmatch(line)
        if self._size > MAX_REPLY:
            self.garbage = "a reply of more than 32 KiB"
            return None
        if match is None or (self._code and match[1] != self._code):
            self.garbage = f"not an SMTP reply: {decoded(line[:200])}"
            return None
        self._lines.append(match[3] or b"")
        if match[2] == b"-":
            self._code = match[1]
            return None
        text = decoded(b" ".join(one.strip() for one in self._lines))
        self._lines, self._code, self._size = [], b"", 0
        return Reply(int(match[1]), text)


def decoded(text: bytes) -> str:
    """UTF-8 where it is, Latin-1 where it is not: no byte is lost and nothing raises."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def clean(text: str) -> str:
    """At most 512 characters on one line: control, invisible and unpaired characters are written as escapes."""
    if text.isascii() and text.isprintable() and len(text) <= MAX_TEXT:
        return text.strip()
    safe = "".join(_escaped(char) if _is_unsafe(char) else char for char in text[: MAX_TEXT * 2].strip())
    return safe if len(safe) <= MAX_TEXT else safe[: MAX_TEXT - 1] + "…"


def _is_unsafe(char: str) -> bool:
    return not " " <= char <= "~" and unicodedata.category(char) in _UNSAFE


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def enhanced_of(code: int, text: str) -> str | None:
    """The RFC 3463 status at the start of a reply, if it agrees with the code's first digit."""
    match = _ENHANCED.match(text)
    return match[0] if match is not None and match[1] == str(code // 100) else None

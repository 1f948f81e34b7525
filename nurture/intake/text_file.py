"""A text file of unknown origin as bounded lines: which encoding it is in, and no line longer than memory allows."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from nurture.errors import NurtureError

MAX_BYTES = 2 << 30
MAX_LINE = 1 << 20
_CHUNK = 1 << 20

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class UnreadableFile(NurtureError):  # noqa: N818 - names what it is about
    """A file is not text, or too large; the message names the file and what to do."""


def encoding_of(path: Path) -> str:
    """The encoding of a file: by its byte order mark, else UTF-8 if all of it is, else Windows' Latin-1.

    Reads the file once, in pieces. Raises UnreadableFile: binary data, or more than 2 GiB.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise UnreadableFile(f"{path} has {size / (1 << 30):.1f} GiB; split it into files of 2 GiB or less")
    with path.open("rb") as file:
        head = file.read(4)
        for bom, name in _BOMS:
            if head.startswith(bom):
                return name
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        is_utf8 = True
        while piece := file.read(_CHUNK):
            if b"\0" in piece:
                raise UnreadableFile(f"{path} is not a text file (it holds NUL bytes); export it as CSV in UTF-8")
            if is_utf8:
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError:
                    is_utf8 = False
        if is_utf8:
            try:
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                is_utf8 = False
    return "utf-8" if is_utf8 else "cp1252"


def lines(file: TextIO, name: str) -> Iterator[str]:
    """The lines of a file, ends kept. Raises UnreadableFile for one of more than a million characters, or NULs."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise UnreadableFile(f"{name}, line {number} has more than {MAX_LINE:,} characters; is a line end missing?")
        if "\0" in line:
            raise UnreadableFile(f"{name}, line {number} holds a NUL character; export the file again as UTF-8")
        yield line

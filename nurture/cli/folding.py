"""Long lines for terminals: folded between words. For programs that read them, lines stay whole."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator

import click

_INSTANT = re.compile(r"[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]{2}( \d{4})? \d\d:\d\d")  # not to be broken


def terminal_width() -> int | None:
    """The columns of the terminal; None where the answer goes to a file or a program."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def folded(line: str, width: int | None) -> Iterator[str]:
    """Broken between words where it is longer than `width`; what goes on stands two further in."""
    plain = click.unstyle(line)
    if width is None or len(plain) <= width:
        yield line
        return
    indent = " " * (len(plain) - len(plain.lstrip()))
    held = ""
    for number, word in enumerate(_INSTANT.sub(lambda found: found[0].replace(" ", "\0"), line).split(" ")):
        if held.strip() and len(click.unstyle(f"{held} {word}")) > width:
            yield held.replace("\0", " ")
            held = f"{indent}  {word}"
        else:
            held = f"{held} {word}" if number else word
    yield held.replace("\0", " ")

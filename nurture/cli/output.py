"""How the command line speaks: data on stdout, the story on stderr, and never a control character from the data."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

import click

from nurture.cli.session import Session

_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


class Declined(click.ClickException):
    """Asked whether to go on, the person said no."""

    exit_code = 1

    def __init__(self) -> None:
        super().__init__("Nothing was changed.")


class Refused(click.ClickException):
    """The command found problems; they have been told, or the message tells them."""

    exit_code = 1


def current() -> Session:
    """The session of the running command."""
    return click.get_current_context().ensure_object(Session)


def show(text: str = "") -> None:
    """One piece of the answer, on stdout."""
    click.echo(text)


def say(text: str = "") -> None:
    """One line of the story, on stderr; silent with -q."""
    if not current().quiet:
        click.echo(text, err=True)


def answer(data: Any, told: Callable[[], None], problems: Sequence[Mapping[str, Any]] = (), ok: bool = True) -> None:
    """Print `data` as the JSON envelope if that was asked for, else let `told` print it for people."""
    if current().json:
        click.echo(envelope(data, problems, ok))
    else:
        told()


def envelope(data: Any, problems: Sequence[Mapping[str, Any]] = (), ok: bool = True) -> str:
    """The one shape of every JSON answer."""
    value = {"ok": ok, "data": data, "problems": list(problems)}
    return json.dumps(value, default=_plain, ensure_ascii=not _takes_unicode(), indent=2)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    return str(value)


def _takes_unicode() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"


def printable(value: object) -> str:
    """Text from outside, safe for a terminal: control and direction signs become visible, lines become spaces."""
    text = " ".join(str(value).splitlines()) if value is not None else "-"
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    code = ord(char)
    if code < 0x20 or 0x7F <= code < 0xA0 or code in _BIDI or 0xD800 <= code < 0xE000:
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return char


def strong(text: str) -> str:
    return click.style(text, bold=True)


def faint(text: str) -> str:
    return click.style(text, dim=True)


def good(text: str) -> str:
    return click.style(text, fg="green")


def bad(text: str) -> str:
    return click.style(text, fg="red")


def careful(text: str) -> str:
    return click.style(text, fg="yellow")


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], right: frozenset[int] = frozenset()) -> str:
    """Aligned columns, two spaces apart; columns in `right` are flushed right. Cells come out printable."""
    from rich.cells import cell_len

    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(cell_len(row[column]) for row in [list(headers), *cells]) for column in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        padded = []
        for column, cell in enumerate(row):
            space = " " * (widths[column] - cell_len(cell))
            padded.append(space + cell if column in right else cell + space)
        return "  ".join(padded).rstrip()

    return "\n".join([faint(line(headers)), *(line(row) for row in cells)])


def when(instant: datetime | None, zone: str | ZoneInfo = "UTC", year: bool = True) -> str:
    """`Thu 12 Mar 2026 09:30`, in `zone`; a dash for None."""
    if instant is None:
        return "-"
    local = instant.astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M}" if year else f"{local:%a} {local.day} {local:%b %H:%M}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 person`, `1,203 people`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def confirm(question: str, yes: bool) -> None:
    """Ask before something beyond the project folder changes. Raises Declined, or a usage error off a terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"{question} There is no terminal to ask on, so nothing was done; add --yes to go ahead."
        )
    if not click.confirm(question, err=True):
        raise Declined

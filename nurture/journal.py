"""The log: one event a line, text on a terminal, JSON elsewhere. Addresses are hashed, control characters escaped."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

ADDRESS_FIELDS = frozenset({"email", "recipient", "address"})
MAX_TEXT = 500


def open_journal(
    *, log_format: str = "auto", log_addresses: bool = False, key: str = "", stream: TextIO | None = None
) -> structlog.typing.FilteringBoundLogger:
    """A logger of its own: nothing global is configured, so that tests and libraries are left alone.

    `key` keys the hash that stands for an address: the same person has the same hash for as long as the key lives.
    """
    out = stream if stream is not None else sys.stderr
    as_text = log_format == "text" or (log_format == "auto" and out.isatty())
    renderer = _text if as_text else structlog.processors.JSONRenderer(sort_keys=False)
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _clean,
        renderer,
    ]
    if not log_addresses:
        processors.insert(2, _hide_addresses(key))
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", _Patient(out))),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return logger


class _Patient:
    """A log that cannot be written (a full disk, a pipe nobody reads any more) must not cost a mail."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._out.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._out.flush()


def _hide_addresses(key: str) -> Any:
    secret = hashlib.blake2b(key.encode(), digest_size=32).digest()

    def hide(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name in ADDRESS_FIELDS & fields.keys():
            digest = hashlib.blake2b(str(fields[name]).lower().encode(), key=secret, digest_size=6).hexdigest()
            fields[name] = f"#{digest}"
        return fields

    return hide


def _clean(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What relays and people wrote must not be able to forge a line, colour a terminal, or fill the disk."""
    for name, value in fields.items():
        if isinstance(value, str):
            printable = "".join(
                char if char.isprintable() else char.encode("unicode_escape").decode() for char in value
            )
            fields[name] = printable[:MAX_TEXT]
    return fields


def _text(_: Any, __: str, fields: MutableMapping[str, Any]) -> str:
    time, level, event = (str(fields.pop(name, "")) for name in ("timestamp", "level", "event"))
    rest = " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())
    mark = "" if level == "info" else f" {level.upper()}"
    return f"{time[:19]}Z{mark} {event} {rest}".rstrip()


def _quoted(value: Any) -> str:
    text = str(value)
    return f'"{text}"' if not text or " " in text else text

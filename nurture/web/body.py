"""Bodies of requests, read whole and bounded: plain or gzip, JSON read strictly."""

from __future__ import annotations

import json
import zlib
from typing import Any

from starlette.types import Receive, Scope

from nurture.intake.json_text import parse_json
from nurture.web.problem import Refusal


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body, unpacked. Raises Refusal: 413 beyond `most` bytes (unpacked, too), 415, 400."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(400, "The body did not come whole.")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
        if not message.get("more_body", False):
            break
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    encoding = header(scope, b"content-encoding")
    if encoding is None or encoding == b"identity":
        return body
    if encoding.strip().lower() != b"gzip":
        raise Refusal(415, "Of encodings only gzip is understood.")
    return _unpacked(body, most)


def _unpacked(body: bytes, most: int) -> bytes:
    """A bomb never gets larger than `most`."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, most + 1)
    except zlib.error:
        raise Refusal(400, "The body is no gzip.") from None
    if len(unpacked) > most:
        raise _too_large(most)
    if not unpacker.eof:
        raise Refusal(400, "The gzip of the body ends too early.")
    return unpacked


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"The body is larger than {most:,} bytes.")


def read_json(body: bytes) -> Any:
    """JSON data. Raises Refusal (400)."""
    try:
        return parse_json(body)
    except RecursionError:
        raise Refusal(400, "The body is nested too deep.") from None
    except UnicodeDecodeError:
        raise Refusal(400, "The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Refusal(400, f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except ValueError as error:
        raise Refusal(400, f"The body is not JSON: {error}.") from None


def header(scope: Scope, name: bytes) -> bytes | None:
    """A header's first value."""
    return next((value for each, value in scope["headers"] if each == name), None)


def header_text(scope: Scope, name: bytes) -> str | None:
    """The same as text."""
    value = header(scope, name)
    return value.decode("latin-1") if value is not None else None

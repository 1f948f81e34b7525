"""What holds for every request: limits on what comes in, headers on what goes out, errors that tell no secrets."""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nurture.web.problem import Refusal, problem

MAX_BODY = 1 << 20
MAX_HEADERS = 16 << 10
# Pages need no scripts; a face that has its own (from our own files, never inline) sets a policy of its own.
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"interest-cohort=()"),
    (b"cache-control", b"no-store"),
)
_NAMES = frozenset(name for name, _ in HEADERS)


class Guard:
    """Around the whole site. `counts` holds (method, route, status) -> requests, for the metrics.

    The route is the pattern, never the path: paths hold signed tokens, which are secrets of their owners.
    `direct` maps whole paths to applications that are asked without a router, which costs more than they do;
    `limits` those that take larger bodies to how large.
    """

    def __init__(
        self,
        inner: ASGIApp,
        *,
        journal: Any,
        counts: Counter[tuple[str, str, int]],
        direct: Mapping[str, ASGIApp] = MappingProxyType({}),
        limits: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._inner, self._journal, self._counts = inner, journal, counts
        self._direct, self._limits = direct, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # there is none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _protected(message.get("headers", []))
            await send(message)

        try:
            most = self._limits.get(scope["path"], MAX_BODY)
            refusal = _refusal(scope, most)
            if refusal is not None:
                await problem(refusal.status_code, refusal.detail)(scope, receive, answer)
            else:
                inner = self._direct.get(scope["path"], self._inner)
                await inner(scope, _bounded(receive, most), answer)
        except Refusal as error:
            if not status:
                await problem(error.status_code, error.detail, headers=error.headers)(scope, receive, answer)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence: what went wrong is told to the log only
            self._journal.error("request failed", route=_route(scope), error=type(error).__name__, at=_place(error))
            if not status:
                await problem(500, "This is a mistake of ours; the log has it.")(scope, receive, answer)
        finally:
            route = scope["path"] if scope["path"] in self._direct else _route(scope)
            self._counts[scope["method"], route, status] += 1


def _protected(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What a route has set itself stays."""
    given = {name.lower() for name, _ in headers} & _NAMES
    return [*headers, *(HEADERS if not given else (pair for pair in HEADERS if pair[0] not in given))]


def _refusal(scope: Scope, most: int) -> Refusal | None:
    """Why a request is not even looked at."""
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        return Refusal(400, "The address holds a NUL.")
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name == b"content-length" and int(value) > most:
            return Refusal(413, f"The body is larger than {most:,} bytes.")
    return Refusal(431, f"The headers are larger than {MAX_HEADERS:,} bytes.") if size > MAX_HEADERS else None


def _bounded(receive: Receive, most: int) -> Receive:
    """A body without a length is counted as it comes."""
    size = 0

    async def count() -> Message:
        nonlocal size
        message = await receive()
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            if size > most:
                raise Refusal(413, f"The body is larger than {most:,} bytes.")
        return message

    return count


def _place(error: BaseException) -> str:
    """Where it was raised; its message may hold what somebody sent."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "none"))

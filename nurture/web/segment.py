"""Segment's protocol over HTTP, so that its clients work unchanged: /v1/batch, /v1/track ..., the browser's /v1/t ...

Plain ASGI functions: this is where most requests come, and a framework costs more than the database.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nurture.engine.ingest import IncomingEvent
from nurture.engine.keys import Scope as KeyScope
from nurture.engine.keys import allows
from nurture.engine.protocols import SEGMENT, from_call
from nurture.errors import ConfigurationError, StorageError
from nurture.intake.events import SignalError
from nurture.intake.segment import SHORT, read_call
from nurture.web.access import BROWSER_PER_MINUTE, presented_key
from nurture.web.body import header, header_text, read_body, read_json
from nurture.web.problem import Refusal, busy, problem
from nurture.web.reception import Reception, Refused

MAX_CALL, MAX_BATCH = 32 << 10, 500 << 10
_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"cross-origin-resource-policy", b"cross-origin"),
)
_PREFLIGHT = (
    *_CORS,
    (b"access-control-allow-methods", b"POST, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, content-type, x-retry-count, x-strict-mode"),
    (b"access-control-max-age", b"86400"),
)
_DONE = b'{"success":true}'
_DONE_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(_DONE)).encode()),
    *_CORS,
]


def mount(reception: Reception) -> None:
    """Every address of the protocol."""
    direct = reception.site.direct
    for name in ("batch", "import", "b"):
        direct[f"/v1/{name}"] = _Endpoint(reception, None)
    for letter, kind in SHORT.items():
        direct[f"/v1/{kind}"] = direct[f"/v1/{letter}"] = _Endpoint(reception, kind)


class _Endpoint:
    """One address; `kind` None is a batch."""

    def __init__(self, reception: Reception, kind: str | None) -> None:
        self._reception, self._kind = reception, kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": list(_PREFLIGHT)})
            await send({"type": "http.response.body"})
            return
        answer: Response | None
        try:
            if scope["method"] != "POST":
                raise Refusal(405, "Calls are posted.", headers={"Allow": "POST, OPTIONS"})
            answer = await self._answer(scope, receive)
        except Refusal as error:
            answer = problem(error.status_code, error.detail, headers=error.headers, errors=error.errors)
        except (StorageError, ConfigurationError):
            answer = busy()
        if answer is None:
            await send({"type": "http.response.start", "status": 200, "headers": _DONE_HEADERS})
            await send({"type": "http.response.body", "body": _DONE})
            return
        answer.raw_headers.extend(_CORS)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        """None is success. Raises Refusal, StorageError."""
        presented = presented_key(header_text(scope, b"authorization"))
        access = self._reception.access
        if presented is not None:  # before anything is read
            key = await access.key(presented, scope, KeyScope.EVENTS, KeyScope.BROWSER)
        body = await read_body(scope, receive, MAX_BATCH if self._kind is None else MAX_CALL)
        data = read_json(body)
        if not isinstance(data, dict):
            raise Refusal(400, "The body must be a JSON object.")
        if presented is None:
            told = data.get("writeKey")
            key = await access.key(told if isinstance(told, str) else None, scope, KeyScope.EVENTS, KeyScope.BROWSER)
        guest = not allows(key, KeyScope.EVENTS)
        if guest:
            access.take(key, BROWSER_PER_MINUTE)
        calls = data.get("batch") if self._kind is None else [data]
        if not isinstance(calls, list):
            raise Refusal(400, 'A batch is {"batch": [...]}.')
        strict = header(scope, b"x-strict-mode") == b"1"
        sent = data.get("sentAt") if self._kind is None else None
        await self._take(
            calls, sent, guest=guest, strict=strict, may_be_large=len(body) > MAX_CALL, clean=b"\\u" not in body
        )
        return None

    async def _take(
        self, calls: list[Any], sent: Any, *, guest: bool, strict: bool, may_be_large: bool, clean: bool
    ) -> None:
        """`clean`: no character was written by its number.

        Raises Refusal (400) in strict mode, before anything is stored, if a call cannot be read.
        """
        received = self._reception.site.now
        events: list[IncomingEvent] = []
        places: list[int] = []
        refused: list[Refused] = []
        for place, data in enumerate(calls):
            try:
                if may_be_large and _is_large(data):
                    raise SignalError(f"it is larger than {MAX_CALL:,} bytes")
                events.append(from_call(read_call(data, self._kind, received, sent, clean=clean), guest))
                places.append(place)
            except SignalError as error:
                refused.append(Refused(place, str(error), self._kept(data)))
        if strict and refused:
            errors = [{"at": f"batch/{each.place}", "what": each.why} for each in refused[:100]]
            raise Refusal(400, "Some calls cannot be taken; nothing was stored.", errors=errors)
        refused = await self._reception.take(events, places, _Texts(calls, places, self._kept), refused)
        await self._reception.hold(SEGMENT, refused)

    def _kept(self, data: Any) -> str:
        """A call as it is kept in quarantine: with its type, which may stand in the address alone."""
        if self._kind is not None and isinstance(data, dict):
            data = {**{name: value for name, value in data.items() if name != "writeKey"}, "type": self._kind}
        return _text(data)


class _Texts(list[str]):
    """The calls as JSON text, made only for those that are asked for."""

    def __init__(self, calls: list[Any], places: list[int], write: Callable[[Any], str]) -> None:
        super().__init__()
        self._calls, self._places, self._write = calls, places, write

    def __getitem__(self, index: Any) -> Any:
        return self._write(self._calls[self._places[index]])


def _is_large(data: Any) -> bool:
    """Measured closely only where a quick look cannot exclude it: no sign takes more than six octets in JSON."""
    return len(marshal.dumps(data, 2)) > MAX_CALL // 6 and len(_text(data).encode("utf-8", "replace")) > MAX_CALL


def _text(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))

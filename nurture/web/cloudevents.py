"""CloudEvents 1.0 over HTTP: one event as JSON, a batch of them, or binary with `ce-` headers."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from nurture.engine.ingest import IncomingEvent
from nurture.engine.keys import Scope
from nurture.engine.protocols import CLOUDEVENTS, from_cloud_event
from nurture.intake.cloudevents import from_headers, read_cloud_event
from nurture.intake.events import SignalError
from nurture.web.access import presented_key
from nurture.web.body import read_body, read_json
from nurture.web.problem import Refusal
from nurture.web.reception import Reception, Refused

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
MAX_BODY, MAX_EVENT = 500 << 10, 64 << 10  # an event of 64 KiB is what every intermediary must forward


def mount(web: FastAPI, reception: Reception) -> None:
    @web.post(
        "/v1/cloudevents",
        summary="Take events",
        tags=["events"],
        status_code=202,
        response_class=Response,
        responses={400: {"description": "Some cannot be taken; those are in quarantine, the others are stored."}},
    )
    async def take(request: Request) -> Response:
        """CloudEvents 1.0 in structured, batch or binary mode.

        `type` is the event's name, `subject` the person (an address, or your id), `id` with `source` makes a repeat
        harmless, `data` are its properties.
        """
        key = presented_key(request.headers.get("authorization"))
        await reception.access.key(key, request.scope, Scope.EVENTS)
        body = await read_body(request.scope, request.receive, MAX_BODY)
        return await _take(request, body)

    async def _take(request: Request, body: bytes) -> Response:
        events: list[IncomingEvent] = []
        places: list[int] = []
        texts: list[str] = []
        refused: list[Refused] = []
        for place, (data, headers) in enumerate(_parts(request, body)):
            text = json.dumps(data, ensure_ascii=False)
            try:
                if len(text) > MAX_EVENT:
                    raise SignalError(f"it is larger than {MAX_EVENT:,} bytes")
                events.append(from_cloud_event(read_cloud_event(data if headers is None else headers)))
                places.append(place)
                texts.append(text)
            except SignalError as error:
                refused.append(Refused(place, str(error), text))
        refused = await reception.take(events, places, texts, refused)
        await reception.hold(CLOUDEVENTS, refused)
        if refused:
            errors = [{"at": str(each.place), "what": each.why} for each in refused[:100]]
            raise Refusal(400, "Some events cannot be taken; the others are stored.", errors=errors)
        return JSONResponse({"taken": len(events)}, 202)


def _parts(request: Request, body: bytes) -> list[tuple[Any, dict[str, Any] | None]]:
    """Each event as JSON data; in binary mode with its attributes from the headers. Raises Refusal."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == BATCH:
        batch = read_json(body)
        if not isinstance(batch, list):
            raise Refusal(400, "A batch is a JSON array.")
        return [(each, None) for each in batch]
    if media_type == STRUCTURED:
        return [(read_json(body), None)]
    if "ce-specversion" in request.headers:
        data = read_json(body) if body else None
        event = from_headers(request.headers.items(), data)
        return [(event, event)]
    raise Refusal(415, f"Send {STRUCTURED}, {BATCH}, or ce- headers with JSON data.")

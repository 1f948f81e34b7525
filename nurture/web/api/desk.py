"""How every API request is served: its key, its body read strictly, and its answer kept for whoever asks again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Header, Path, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel

from nurture.engine.keys import Scope
from nurture.storage import replies
from nurture.storage.keys import StoredKey
from nurture.storage.replies import Asked
from nurture.web.access import Access, bearer
from nurture.web.body import read_json
from nurture.web.problem import Refusal
from nurture.web.site import Site

MOST_ID = 2**63 - 1

PersonId = Annotated[int, Path(ge=1, le=MOST_ID, description="Our number of the person.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Asking again with the same key gets the same answer, for seven days.",
    ),
]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": what, "content": {"application/problem+json": {}}}
    for status, what in (
        (400, "Not JSON as RFC 8259 has it."),
        (401, "No key that is in force."),
        (403, "The key is not good for this."),
        (422, "Not as this route needs it."),
        (429, "Too many requests; Retry-After says when."),
        (503, "The database is away or busy; Retry-After says when."),
    )
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "There is nobody with this number."}, **PROBLEMS}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"description": "The same Idempotency-Key is being worked on; Retry-After says when."},
}


class StrictRequest(Request):
    """Refuses what JSON parsers disagree about."""

    async def json(self) -> Any:
        return read_json(await self.body())


class StrictRoute(APIRoute):
    """A route whose requests are read strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strictly


class Desk:
    """What the routes of the API share."""

    def __init__(self, site: Site, access: Access) -> None:
        self.site, self._access = site, access

    async def key(self, request: Request, *wanted: Scope) -> StoredKey:
        """Who asks. Raises Refusal."""
        return await bearer(request, self._access, *wanted)

    async def once(
        self,
        request: Request,
        key: StoredKey,
        idempotency_key: str | None,
        asked: BaseModel,
        work: Callable[[], Awaitable[tuple[int, Any]]],
    ) -> Response:
        """The answer of `work` (status and JSON data), or the one it gave before. Raises Refusal."""
        if idempotency_key is None:
            status, data = await work()
            return JSONResponse(data, status)
        told = json.dumps(asked.model_dump(mode="json"), sort_keys=True)
        digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
        this = Asked(key.id, f"{request.method} {request.url.path}", idempotency_key, digest)
        found = await self._transact(lambda tx: replies.begin(tx, this, self.site.now))
        if found is not None:
            return _again(found)
        try:
            status, data = await work()
        except BaseException:
            await self._transact(lambda tx: replies.abandon(tx, this))
            raise
        answer = JSONResponse(data, status)
        text = bytes(answer.body).decode()
        await self._transact(lambda tx: replies.finish(tx, this, status, text))
        return answer

    async def _transact(self, work: Callable[[Any], Any]) -> Any:
        return await self.site.threads.run(self.site.app.database.transact, work)


def _again(found: replies.Reply) -> Response:
    if not found.fits:
        raise Refusal(422, "This Idempotency-Key was used for something else.")
    if found.status is None:
        raise Refusal(409, "The same request is being worked on.", headers={"Retry-After": "2"})
    return Response(found.body, found.status, {"Idempotency-Replayed": "true"}, media_type="application/json")

"""Addresses that are never mailed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from nurture.engine.keys import Scope
from nurture.engine.people import suppress, unsuppress
from nurture.web.api.desk import CONFLICT, PROBLEMS, Desk, IdempotencyKey
from nurture.web.api.models import Lifted, LiftIn, Suppressed, SuppressIn

TAGS: list[Any] = ["suppressions"]


def mount(router: APIRouter, desk: Desk) -> None:
    site = desk.site

    @router.post("/suppressions", summary="Never mail these again", tags=TAGS, responses={**PROBLEMS, **CONFLICT},
                 response_model=Suppressed)  # fmt: skip
    async def put_suppressions(
        request: Request, wanted: SuppressIn, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Known or not. It holds from its commit on, for mails that are already claimed too."""
        key = await desk.key(request, Scope.PEOPLE)

        async def work() -> tuple[int, Any]:
            new = await site.threads.run(suppress, site.app.database, wanted.emails, site.now, "api")
            return 200, Suppressed(new=new).model_dump()

        return await desk.once(request, key, idempotency_key, wanted, work)

    @router.post("/suppressions/lift", summary="Let one be mailed again", tags=TAGS, responses=PROBLEMS)
    async def lift_suppression(request: Request, wanted: LiftIn) -> Lifted:
        """By hand, on your responsibility."""
        await desk.key(request, Scope.ADMIN)
        lifted = await site.threads.run(unsuppress, site.app.database, wanted.email, site.now, "api")
        return Lifted(lifted=lifted)

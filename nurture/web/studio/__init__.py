"""The studio: the mails as they would be, made from the files on disk, for this machine only.

Nothing here writes to a database but `live`, to one of its own; only "send to me" lets a mail out, where
`nurture send-test` would.
"""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import RedirectResponse

from nurture.web.site import Site
from nurture.web.studio import changes, inbox, live, mails, plan, population, programme, simulation
from nurture.web.studio.desk import ROOT, Desk, mark_of


def mount(web: FastAPI, site: Site) -> None:
    """Every page of the studio, under `/studio`."""
    desk = Desk(site)
    router = APIRouter(prefix=ROOT, dependencies=[Depends(desk.admit)], include_in_schema=False)
    for each in (changes, inbox, live, mails, plan, population, programme, simulation):
        each.mount(router, desk)

    @router.get("/mark")
    async def mark() -> dict[str, str]:
        return {"studio": mark_of(site.app.root)}

    web.include_router(router)

    @web.get("/", include_in_schema=False)
    @web.get(ROOT, include_in_schema=False)
    async def begin() -> RedirectResponse:
        return RedirectResponse(f"{ROOT}/programme", 307)

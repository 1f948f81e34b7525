"""The API about people: one module a subject, models of what goes in and out, one way to be asked twice."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse

from nurture.web.access import access_of
from nurture.web.api import people, suppressions
from nurture.web.api.desk import Desk, StrictRoute
from nurture.web.site import Site

PREFIX = "/api/v1"
OPENAPI = "/api/openapi.json"


def mount(web: FastAPI, site: Site) -> None:
    desk = Desk(site, access_of(web, site))
    router = APIRouter(prefix=PREFIX, route_class=StrictRoute)
    people.mount(router, desk)
    suppressions.mount(router, desk)
    web.include_router(router)

    @web.get(OPENAPI, include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(web.openapi())

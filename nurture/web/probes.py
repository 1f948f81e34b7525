"""Is this process well? `/livez`: the loop turns and the database's threads answer."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from nurture.web.site import Site


def mount(web: FastAPI, site: Site) -> None:
    @web.get("/livez", include_in_schema=False)
    async def livez() -> PlainTextResponse:
        await site.threads.run(lambda: None)
        return PlainTextResponse("alive\n")

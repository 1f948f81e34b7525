"""The site: faces of one app, each a module that mounts its routes, behind one guard.

A face is a module with `mount(web, site)`. It reads the clock and the database only through `site`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from nurture import __version__
from nurture.app import App
from nurture.web.html import mount_static
from nurture.web.problem import answer_errors
from nurture.web.security import Guard
from nurture.web.threads import Threads

if TYPE_CHECKING:
    from nurture.web.studio.live import Live


class Face(StrEnum):
    """What a site shows; a server may show some of them only."""

    PROBES = "probes"
    EVENTS = "events"
    FEEDBACK = "feedback"
    API = "api"
    PAGES = "pages"
    STUDIO = "studio"


_MODULES = {
    Face.PROBES: "nurture.web.probes",
    Face.EVENTS: "nurture.web.events",
    Face.FEEDBACK: "nurture.web.provider_reports",
    Face.API: "nurture.web.api",
    Face.PAGES: "nurture.web.pages",
    Face.STUDIO: "nurture.web.studio",
}
EVERY_FACE = frozenset(Face) - {Face.STUDIO}  # that one is for authors, on their own machine: `nurture dev`


@dataclass(slots=True, kw_only=True)
class Site:
    """What every face works with. `wake` tells the pump that somebody is due.

    `live` is what applies every save, in a studio that does.

    Where no pump is in this process there is nobody to tell: a daemon beside it looks at the database every second.
    """

    app: App
    live: Live | None = None
    threads: Threads = field(default_factory=Threads)
    wake: Callable[[], None] = field(default=lambda: None)
    direct: dict[str, ASGIApp] = field(default_factory=dict)
    at_end: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    @property
    def now(self) -> datetime:
        return self.app.clock.now()

    @property
    def journal(self) -> Any:
        return self.app.journal


def create_site(app: App, faces: Collection[Face] = EVERY_FACE, *, wake: Callable[[], None] | None = None) -> FastAPI:
    """An ASGI application; `.state.site` is the Site it works with. Its threads end with its lifespan."""
    site = Site(app=app)
    if wake is not None:
        site.wake = wake

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for end in site.at_end:
            await end()
        site.threads.close()

    web = FastAPI(
        title="nurture",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    web.state.site = site
    answer_errors(web)
    mount_static(web)
    for face in sorted(faces):
        import_module(_MODULES[face]).mount(web, site)
    web.add_middleware(Guard, journal=site.journal, counts=site.requests, direct=site.direct, limits=site.limits)
    return web


def front_of(web: FastAPI) -> ASGIApp:
    """The same site, with a shorter way to the addresses that are asked most: past the framework's own layers."""
    site: Site = web.state.site
    guard = Guard(web, journal=site.journal, counts=site.requests, direct=site.direct, limits=site.limits)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        inner = guard if scope["type"] == "http" and scope["path"] in site.direct else web
        await inner(scope, receive, send)

    return front

"""Pages: our own templates and static files, out of the package. Autoescaped, without inline script or style.

`url_of("site.css")` is an address that changes with the content, so that browsers may keep it for ever.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from nurture.web.problem import Refusal

MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "png": "image/png"}
FOR_EVER = "public, max-age=31536000, immutable"


@cache
def environment() -> Environment:
    """The templates of pages, in `nurture/web/templates`."""
    made = Environment(
        loader=PackageLoader("nurture.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["url_of"] = url_of
    return made


def page(template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """The template rendered, as an answer. Its language and title are part of the context: `lang`, `title`."""
    return HTMLResponse(environment().get_template(template).render(context), status)


@cache
def static_file(name: str) -> bytes:
    """A file of `nurture/web/static`, by a plain name. Raises KeyError for any other."""
    suffix = name.rpartition(".")[2]
    if suffix not in MEDIA_TYPES or "/" in name or name.startswith("."):
        raise KeyError(name)
    found = files("nurture.web").joinpath("static", name)
    if not found.is_file():
        raise KeyError(name)
    return found.read_bytes()


@cache
def url_of(name: str) -> str:
    """Where a static file is served."""
    return f"/static/{hashlib.sha256(static_file(name)).hexdigest()[:12]}/{name}"


def mount_static(web: FastAPI) -> None:
    """Serve the static files."""

    @web.api_route("/static/{digest}/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    async def static(digest: str, name: str) -> Response:
        try:
            content, address = static_file(name), url_of(name)
        except KeyError:
            raise Refusal(404, "There is no such file.") from None
        if address != f"/static/{digest}/{name}":
            raise Refusal(404, "There is no such file.")
        media_type = MEDIA_TYPES[name.rpartition(".")[2]]
        return Response(content, media_type=media_type, headers={"Cache-Control": FOR_EVER})

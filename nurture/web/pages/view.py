"""/v/{token}: the mail in a browser. It runs no script, sends no form, and nobody is told that it was opened."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from nurture.domain.tokens import Purpose
from nurture.engine.view import Viewer
from nurture.web.pages.desk import Desk

# A mail brings its styles inline, and pictures from wherever it has them.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; sandbox allow-popups allow-popups-to-escape-sandbox"
)


def mount(web: FastAPI, desk: Desk) -> None:
    site = desk.site
    viewers: list[Viewer] = []  # made when first asked for: its composer needs the secret

    @web.api_route("/v/{token}", methods=["GET", "HEAD"], include_in_schema=False)
    async def view(request: Request, token: str) -> Response:
        applied = await site.threads.run(site.app.applied)
        bearer = await desk.bearer(Purpose.VIEW, token)
        if bearer is None:
            return desk.unknown(request, applied.programme)
        if not viewers:
            viewers.append(Viewer(site.app.database, site.app.composer))
        rendered = await site.threads.run(viewers[0], bearer, applied)
        contact = bearer.addressee.contact if bearer.addressee is not None else None
        if rendered is None:
            return desk.answer(request, applied.programme, "gone.html", status=410, contact=contact)
        if not rendered.html_part:
            return desk.answer(
                request, applied.programme, "text.html", contact=contact, subject=rendered.subject, text=rendered.text
            )
        return HTMLResponse(rendered.html, headers={"Content-Security-Policy": POLICY})

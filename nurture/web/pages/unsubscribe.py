"""/u/{token}: the way out. One click from the mail program (RFC 8058), or two from the link in the mail.

GET shows the page and changes nothing. POST answers itself, without a redirect, without cookies, to urlencoded and
multipart bodies alike; and where a mail program writes such a body badly, but says what it wants, nobody has to ask
again.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.datastructures import FormData

from nurture.domain.programme import Programme
from nurture.domain.tokens import Purpose
from nurture.engine.recipient import Bearer, can_take_back, take_back, unsubscribe
from nurture.web.pages.desk import FORMS, Desk, field, form_of, kind_of, preferences_path, veiled
from nurture.web.problem import Refusal

ONE_CLICK = ("List-Unsubscribe", "One-Click")
ADDRESS = "/u/{token}"
# The same in a body that no parser takes: a wrong boundary, a charset of its own, a type that is missing.
_SAID = re.compile(rb'(?:^|[&;\s"])List-Unsubscribe(?:\s*=\s*|"?[^&=]{0,300}?\n\r?\n\s*)One-Click(?![\w-])')
_TYPES = frozenset({"", "text/plain", "application/octet-stream", *FORMS})


def mount(web: FastAPI, desk: Desk) -> None:
    @web.api_route(ADDRESS, methods=["GET", "HEAD"], include_in_schema=False)
    async def ask(request: Request, token: str) -> Response:
        programme = await desk.programme()
        bearer = await desk.bearer(Purpose.UNSUBSCRIBE, token)
        if bearer is None:
            return desk.unknown(request, programme)
        return _page(desk, request, programme, bearer, "unsubscribe.html")

    @web.post(ADDRESS, include_in_schema=False)
    async def take(request: Request, token: str) -> Response:
        form = await _form_of(request)
        programme = await desk.programme()
        bearer = await desk.bearer(Purpose.UNSUBSCRIBE, token)
        if bearer is None:
            return desk.unknown(request, programme)
        desk.take(f"u {bearer.contact_id}")
        topic = bearer.topic(programme)
        if form.get(ONE_CLICK[0]) == ONE_CLICK[1]:
            await _stop(desk, bearer, topic, {"by": "one-click"})
            return PlainTextResponse("Unsubscribed.\n")
        choice = field(form, "choice")
        if choice == "undo":
            return await _undo(desk, request, programme, bearer)
        if choice not in {"topic", "all"}:
            raise Refusal(400, "The form does not say what to stop.")
        await _stop(desk, bearer, topic if choice == "topic" else None, {"by": "page"})
        app = desk.site.app
        undo = await desk.site.threads.run(can_take_back, app.database, bearer, desk.site.now)
        stopped = topic if choice == "topic" else None
        return _page(desk, request, programme, bearer, "goodbye.html", stopped=_title(programme, stopped), undo=undo)


async def _form_of(request: Request) -> FormData:
    """Raises Refusal, unless the body asks for one click all the same."""
    body = await request.body()
    try:
        form = await form_of(request)
    except Refusal:
        if kind_of(request) in _TYPES and _SAID.search(body.replace(b"\0", b"")):
            return FormData([ONE_CLICK])
        raise
    if "choice" not in form and _SAID.search(body.replace(b"\0", b"")):
        return FormData([ONE_CLICK])
    return form


async def _stop(desk: Desk, bearer: Bearer, topic: str | None, proof: dict[str, Any]) -> None:
    site = desk.site
    await site.threads.run(unsubscribe, site.app.database, bearer, topic, proof, site.now)
    site.wake()


async def _undo(desk: Desk, request: Request, programme: Programme, bearer: Bearer) -> Response:
    site = desk.site
    done = await site.threads.run(take_back, site.app.database, bearer, {"by": "undo"}, site.now)
    site.wake()
    return _page(desk, request, programme, bearer, "undone.html" if done else "unsubscribe.html")


def _page(
    desk: Desk, request: Request, programme: Programme, bearer: Bearer, template: str, **context: Any
) -> Response:
    contact = bearer.addressee.contact if bearer.addressee is not None else None
    return desk.answer(
        request,
        programme,
        template,
        contact=contact,
        topic=_title(programme, bearer.topic(programme)),
        address=veiled(contact.email) if contact is not None else "",
        preferences=preferences_path(desk, bearer),
        **context,
    )


def _title(programme: Programme, topic: str | None) -> str | None:
    return programme.topics[topic].title if topic is not None else None

"""The inbox: everything that local delivery caught, and each mail as it would have gone out."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Any

from fastapi import APIRouter, Request, Response

from nurture.engine.one_click import OneClick, one_click
from nurture.errors import ConfigurationError
from nurture.web.problem import Refusal
from nurture.web.studio.desk import Desk
from nurture.web.studio.mails import framed
from nurture.web.studio.simulation import heard_of

SHOWN = 200
TOKEN = re.compile(r"<(?:https?://[^>]*/u/|mailto:unsubscribe\+)([\w-]+)[@>?]")


def mount(router: APIRouter, desk: Desk) -> None:
    box = desk.site.app.inbox

    @router.get("/inbox")
    async def entries(request: Request, find: str = "") -> Response:
        files = await desk.files()
        wanted = find.strip()[:200]
        run = desk.site.threads.run
        found = await (run(box.search, wanted, SHOWN) if wanted else run(box.list, SHOWN))
        context: dict[str, Any] = {"entries": found, "find": wanted, "shown": SHOWN, "on": "inbox files"}
        if files.applied is not None:
            context |= {"people": sorted(files.applied.compiled.people), "known": heard_of(files.applied.programme)}
        return desk.answer(request, "inbox.html", files, at="inbox", title="Inbox", **context)

    @router.get("/inbox/{key}")
    async def one(request: Request, key: str) -> Response:
        files = await desk.files()
        message, data = await desk.site.threads.run(_read, desk, key)
        source = data.decode("utf-8", "replace").replace("\r\n", "\n")
        context: dict[str, Any] = {
            "key": key,
            "subject": str(message.get("Subject", "")),
            "sender": str(message.get("From", "")),
            "recipient": str(message.get("Delivered-To", "")),
            "text": _body(message, "plain"),
            "headers": source.partition("\n\n")[0],
            "source": source,
            "stops": await desk.site.threads.run(_stops, desk, message),
        }
        return desk.answer(request, "caught.html", files, at="inbox", title=context["subject"], **context)

    @router.get("/caught/{key}")
    async def frame(key: str, look: str = "light") -> Response:
        message, _ = await desk.site.threads.run(_read, desk, key)
        return framed(_body(message, "html"), _body(message, "plain"), look)


def _read(desk: Desk, key: str) -> tuple[EmailMessage, bytes]:
    box = desk.site.app.inbox
    try:
        return box.message(key), box.read(key)
    except KeyError:
        raise Refusal(404, "There is no such mail in the inbox.") from None


def _stops(desk: Desk, message: EmailMessage) -> OneClick | str:
    """What its one-click unsubscribe would do now, or why it would do nothing."""
    token = TOKEN.search(re.sub(r"\s", "", str(message.get("List-Unsubscribe", ""))))
    if token is None:
        return "It carries no unsubscribe header: mail programs offer no such click. Marketing mail has one."
    database = desk.workshop.database()
    if database is None:
        return "There is no database here to ask."
    app = desk.site.app
    try:
        found = one_click(database, app.keyring, app.applied(), token[1], desk.site.now)
    except ConfigurationError as error:
        return str(error)
    return found or "Nothing here: it was sent as a test, from another database, or to somebody who was erased since."


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""

"""/c/{token}/{label}: a link of a mail, for those who agreed to be tracked; /o/{token}.gif: the picture in it.

Where a link leads is never taken from the request: it is looked up among the links of that very mail, rendered again.
"""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import quote, urlsplit, urlunsplit

from fastapi import FastAPI, Request, Response

from nurture.domain.tokens import Purpose
from nurture.domain.tracking import Hit
from nurture.engine.recipient import Bearer
from nurture.engine.tracking import SETTLE, Tracker
from nurture.engine.view import Viewer
from nurture.errors import ConfigurationError, StorageError
from nurture.rendering.tracking import targets
from nurture.web.pages.desk import Desk
from nurture.web.problem import Refusal
from nurture.web.site import Site

_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_PREFETCH = ("purpose", "sec-purpose", "x-purpose", "x-moz")
_MOST_AGENT, _MOST_LINK = 300, 500
_SAFE = ":/?#[]@!$&'()*+,;=%~"  # RFC 3986: what an address may hold unescaped


def mount(web: FastAPI, desk: Desk) -> None:
    site = desk.site
    trail = _Trail(site)
    viewers: list[Viewer] = []  # made when first asked for: its composer needs the secret

    @web.api_route("/c/{token}/{label}", methods=["GET", "HEAD"], include_in_schema=False)
    async def click(request: Request, token: str, label: str) -> Response:
        applied = await site.threads.run(site.app.applied)
        bearer = await desk.bearer(Purpose.CLICK, token)
        if bearer is None:
            return desk.unknown(request, applied.programme)
        desk.take(f"c {bearer.contact_id} {bearer.seq}")
        if not viewers:
            viewers.append(Viewer(site.app.database, site.app.composer))
        rendered = await site.threads.run(viewers[0], bearer, applied)
        if rendered is None:
            return desk.answer(request, applied.programme, "gone.html", status=410)
        target = targets(rendered.html).get(label)
        if target is None:
            return desk.unknown(request, applied.programme)
        trail.note(request, bearer, label, target)
        return Response(status_code=302, headers={"Location": quote(target, safe=_SAFE)})

    @web.api_route("/o/{token}.gif", methods=["GET", "HEAD"], include_in_schema=False)
    async def picture(request: Request, token: str) -> Response:
        bearer = await desk.bearer(Purpose.OPEN, token)
        if bearer is None:
            raise Refusal(404, "There is nothing here.")
        trail.note(request, bearer, None, "")
        return Response(_GIF, media_type="image/gif", headers={"Cross-Origin-Resource-Policy": "cross-origin"})


class _Trail:
    """Hands requests to the tracker, and calls its rounds while it has any."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._tracker: Tracker | None = None
        self._rounds: asyncio.Task[None] | None = None
        site.at_end.append(self._end)

    def note(self, request: Request, bearer: Bearer, label: str | None, target: str) -> None:
        if bearer.addressee is None:
            return
        if self._tracker is None:
            self._tracker = Tracker(self._site.app.database)
        headers = request.headers
        hit = Hit(
            contact_id=bearer.addressee.contact.id,
            seq=bearer.addressee.seq,
            at=self._site.now,
            label=label,
            target=_bare(target),
            agent=headers.get("user-agent", "")[:_MOST_AGENT],
            is_head=request.method == "HEAD",
            prefetch=any("pre" in headers.get(name, "").lower() for name in _PREFETCH),
        )
        self._tracker.note(hit)
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._settle(self._tracker))

    async def _settle(self, tracker: Tracker) -> None:
        while tracker.has_any:
            await asyncio.sleep(SETTLE)
            await self._record(tracker)

    async def _record(self, tracker: Tracker, *, last: bool = False) -> None:
        site = self._site
        try:
            programme = (await site.threads.run(site.app.applied)).programme
            if await site.threads.run(tracker.round, programme, site.now, last=last):
                site.wake()
        except (StorageError, ConfigurationError, Refusal) as error:
            site.journal.warning("clicks not recorded", why=str(error))

    async def _end(self) -> None:
        if self._rounds is not None:
            self._rounds.cancel()
        if self._tracker is not None:
            await self._record(self._tracker, last=True)


def _bare(target: str) -> str:
    """Without what may name a person."""
    parts = urlsplit(target)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))[:_MOST_LINK] if target else ""

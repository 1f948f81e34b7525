"""How alerts reach a team and webhooks another system."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from nurture.domain.delivery import DeliveryState
from nurture.domain.retry import classify
from nurture.engine.compose import Composer
from nurture.engine.outgoing import Caller
from nurture.engine.revisions import Applied
from nurture.rendering.addresses import AddressError
from nurture.sending.transport import Transport
from nurture.storage.outbox import Call

TIMEOUT = 10.0  # seconds


def callers(
    applied: Callable[[], Applied],
    transport: Callable[[], Transport],
    composer: Composer,
    clock: Callable[[], datetime],
    is_shut: Callable[[], bool],
) -> Mapping[str, Caller]:
    """By kind of call. Each call opens and closes what it needs: they are few. `is_shut`: nothing may leave now."""

    async def gate() -> bool:
        return not await asyncio.to_thread(is_shut)

    async def alert(call: Call) -> str | None:
        programme = applied().programme
        recipient = programme.teams.get(call.name)
        if recipient is None:
            return f'no team "{call.name}" in the applied revision'
        sender = next(iter(programme.senders.values()))
        try:
            mail = composer.alert(sender, recipient, _subject(call), _text(call), call.id, clock())
        except AddressError as error:
            return str(error)
        way = transport()
        try:
            attempt = await way.send(mail, gate)
        finally:
            await way.close()
        return None if classify(attempt).state is DeliveryState.SENT else attempt.text or "the relay did not take it"

    async def webhook(call: Call) -> str | None:
        url = applied().programme.webhooks.get(call.name)
        if url is None:
            return f'no webhook "{call.name}" in the applied revision'
        return await asyncio.to_thread(_post, url, call) if await gate() else "sending is stopped"

    return {"alert": alert, "webhook": webhook}


def _subject(call: Call) -> str:
    return f"[nurture] {call.payload.get('campaign')}: {call.payload.get('text') or call.payload.get('step')}"[:150]


def _text(call: Call) -> str:
    payload = call.payload
    contact: Mapping[str, Any] = payload.get("contact") or {}
    start = json.dumps(payload.get("start") or {}, ensure_ascii=False, indent=2, default=str)
    who = contact.get("email") or contact.get("external_id") or contact.get("id")
    return (
        f"{payload.get('text') or 'A step asks for your attention.'}\n\n"
        f"Person: {who}\nCampaign: {payload.get('campaign')}\nStep: {payload.get('step')}\n"
        f"Since: {call.at:%d %b %Y %H:%M} UTC\n\n"
        f"It began with:\n{start}\n"
    )


def _post(url: str, call: Call) -> str | None:
    """One POST of JSON. The id lets the receiver tell repeats. Redirects are not followed."""
    body = json.dumps(
        {"id": call.id, "at": call.at.isoformat(), "name": call.name, **call.payload}, default=str
    ).encode()
    headers = {"Content-Type": "application/json", "webhook-id": str(call.id), "User-Agent": "nurture"}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - https by schema
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=TIMEOUT) as response:
            return None if 200 <= response.status < 300 else f"answered {response.status}"
    except urllib.error.HTTPError as error:
        return f"answered {error.code}"
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: it could lead anywhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None

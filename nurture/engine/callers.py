"""How alerts reach a team and webhooks another system."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nurture.domain.delivery import DeliveryState
from nurture.domain.event import NOTHING
from nurture.domain.retry import classify
from nurture.engine.compose import Composer
from nurture.engine.outgoing import Caller
from nurture.engine.posting import Network
from nurture.engine.revisions import Applied
from nurture.engine.subscriptions import SecretOf, tell
from nurture.rendering.addresses import AddressError
from nurture.sending.transport import Transport
from nurture.storage.outbox import Call
from nurture.storage.subscriptions import KIND as FACT

TIMEOUT = 10.0  # seconds


def callers(
    applied: Callable[[], Applied],
    transport: Callable[[], Transport],
    composer: Composer,
    clock: Callable[[], datetime],
    is_shut: Callable[[], bool],
    secret_of: SecretOf,
    allowed: Sequence[Network] = (),
    others: Mapping[str, Callable[[Call], str | None]] = NOTHING,
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
        if call.name in others:
            return await asyncio.to_thread(others[call.name], call) if await gate() else "sending is stopped"
        found = applied().programme.webhooks.get(call.name)
        if found is None:
            return f'no webhook "{call.name}" in the applied revision'
        if not await gate():
            return "sending is stopped"
        return await asyncio.to_thread(tell, found, call, clock(), secret_of, allowed)

    return {"alert": alert, "webhook": webhook, FACT: webhook}


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


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: it could lead anywhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None

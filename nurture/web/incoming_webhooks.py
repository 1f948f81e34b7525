"""Webhooks of shops and other systems: /v1/webhooks/NAME, as campaigns/_webhooks.yaml names them.

Nothing of a request is believed, or read as JSON, before its signature over the raw body is.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from nurture.domain.incoming import WebhookSource
from nurture.engine.incoming_webhooks import WEBHOOK, Read, grant, read_webhook
from nurture.intake.events import SignalError
from nurture.intake.webhooks.read import message_of
from nurture.intake.webhooks.signatures import is_genuine
from nurture.web.body import read_body, read_json
from nurture.web.problem import BUSY_SECONDS, Refusal
from nurture.web.reception import Reception, Refused
from nurture.web.security import MAX_BODY


def mount(web: FastAPI, reception: Reception) -> None:
    @web.post("/v1/webhooks/{name}", include_in_schema=False)  # it has no key: shops sign what they send
    async def take(name: str, request: Request) -> JSONResponse:
        """What it means becomes events. What cannot be taken goes to quarantine, and is answered by 200 as well."""
        source = (await reception.programme()).sources.get(name)
        if source is None:
            raise Refusal(404, "There is no such webhook. They stand in campaigns/_webhooks.yaml, which is applied.")
        body = await read_body(request.scope, request.receive, MAX_BODY)
        headers = dict(request.headers.items())
        if _is_greeting(source, headers, body):
            return JSONResponse({"taken": 0})
        _require_genuine(source, headers, body, request)
        return JSONResponse({"taken": await _take(source, headers, body)})

    def _require_genuine(source: WebhookSource, headers: dict[str, str], body: bytes, request: Request) -> None:
        named = reception.site.app.settings.named_secret
        secrets = [secret for secret in map(named, source.secrets) if secret]
        if not secrets:
            reception.site.journal.error("webhook without a secret", webhook=source.name, set=source.secrets[0])
            raise Refusal(503, "This webhook is not set up yet.", headers={"Retry-After": str(BUSY_SECONDS)})
        with reception.access.guarding(request.scope):
            if not is_genuine(source.kind, headers, body, secrets, reception.site.now):
                raise Refusal(401, "The signature is not that of this webhook, or it is too old.")

    async def _take(source: WebhookSource, headers: dict[str, str], body: bytes) -> int:
        label = f"{WEBHOOK}{source.name}"
        text = body.decode("utf-8", "replace")
        try:
            message = message_of(source, headers, read_json(body))
            text = json.dumps({"topic": message.topic, "id": message.id, "data": message.data}, ensure_ascii=False)
            read = read_webhook(source, message)
        except (SignalError, Refusal) as error:
            why = error.detail if isinstance(error, Refusal) else str(error)
            await reception.hold(label, [Refused(0, why, text)])
            return 0
        refused = await _wish(source, read, text) if read.asked else []
        count = len(read.events)
        refused = await reception.take(read.events, range(count), [text] * count, refused)
        await reception.hold(label, refused[:1])  # it is one message, whatever became of its events
        return count - len(refused)

    async def _wish(source: WebhookSource, read: Read, text: str) -> list[Refused]:
        site = reception.site
        assert read.asked is not None
        left = await site.threads.run(grant, site.app.database, source, read.asked, site.now)
        return [Refused(0, left, text)] if left is not None else []


def _is_greeting(source: WebhookSource, headers: dict[str, Any], body: bytes) -> bool:
    """WooCommerce tries an address with an unsigned form before it sends anything."""
    return source.kind == "woocommerce" and "x-wc-webhook-signature" not in headers and body.startswith(b"webhook_id=")

"""Systems that hear of what happens: facts into the outbox, and each as a signed call (Standard Webhooks 1.0)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_network

from nurture.domain.event import NOTHING
from nurture.domain.outward import Webhook
from nurture.domain.programme import Programme
from nurture.engine.posting import Network, post
from nurture.intake.webhooks.signatures import sign
from nurture.storage.database import Database
from nurture.storage.outbox import Call
from nurture.storage.subscriptions import KIND, collect

KINDS = ("webhook", KIND)  # of a step, of a fact
SecretOf = Callable[[str], str | None]


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks that may be called though they are private."""
    return tuple(ip_network(text) for text in texts)


def follow(
    database: Database, programme: Programme, now: datetime, others: Mapping[str, frozenset[str]] = NOTHING
) -> int:
    """Calls for all that has happened since the last time; how many. `others`: who else hears of which facts."""
    wanted = {name: webhook.facts for name, webhook in programme.webhooks.items() if webhook.facts}
    wanted |= others
    total = 0
    while wanted and (made := database.transact(lambda tx: collect(tx, wanted, now))):
        total += made
    return total


def tell(
    webhook: Webhook, call: Call, now: datetime, secret_of: SecretOf, allowed: Sequence[Network] = ()
) -> str | None:
    """Make one call; None once it was taken. Its id is the same at every try, its timestamp and signature are not."""
    if call.kind == "webhook":  # a step's
        content = {"id": call.id, "at": call.at.isoformat(), "name": call.name, **call.payload}
    else:
        content = {**call.payload, "timestamp": call.at.isoformat()}
    body = json.dumps(content, ensure_ascii=False, default=str).encode("utf-8", "replace")
    headers = {"Content-Type": "application/json", "webhook-id": str(call.id)}
    if webhook.secret is not None:
        secret = secret_of(webhook.secret)
        if not secret:
            return f"its secret is not set: {webhook.secret}"
        headers |= sign(secret, str(call.id), now, body)
    return post(webhook.url, body, headers, allowed)

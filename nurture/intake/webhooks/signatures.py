"""Whether a webhook comes from whoever holds the secret: always over the raw body, compared in constant time.

Sources: Shopify "Verify webhook deliveries", WooCommerce `WC_Webhook::generate_signature`, Stripe "Resolve webhook
signature verification errors" (t=, v1=), Standard Webhooks 1.0 (https://www.standardwebhooks.com).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

TOLERANCE = timedelta(minutes=5)


def is_genuine(kind: str, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> bool:
    """Whether one of the secrets made the signature in the headers (lower-case names) of this body."""
    return any(_CHECKS[kind](headers, body, secret, now) for secret in secrets if secret)


def sign(secret: str, message_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """The headers of Standard Webhooks for what we send."""
    stamp = str(int(at.timestamp()))
    mac = hmac.new(_key(secret), f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def _shopify(headers: Mapping[str, str], body: bytes, secret: str, _: datetime) -> bool:
    return _same(headers.get("x-shopify-hmac-sha256"), _base64(secret.encode(), body))


def _woocommerce(headers: Mapping[str, str], body: bytes, secret: str, _: datetime) -> bool:
    return _same(headers.get("x-wc-webhook-signature"), _base64(secret.encode(), body))


def _stripe(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> bool:
    parts = [part.strip().partition("=") for part in headers.get("stripe-signature", "").split(",")]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    if not _is_fresh(stamp, now):
        return False
    wanted = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return any(_same(value, wanted) for name, _, value in parts if name == "v1")


def _generic(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> bool:
    """Standard Webhooks, or `X-Nurture-Signature`: the hex HMAC-SHA256 of the body, for systems that can do no more."""
    given = headers.get("webhook-signature")
    if given is None:
        plain = headers.get("x-nurture-signature", "").removeprefix("sha256=").lower()
        return _same(plain, hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())
    stamp = headers.get("webhook-timestamp", "")
    if not _is_fresh(stamp, now):
        return False
    content = f"{headers.get('webhook-id', '')}.{stamp}.".encode("latin-1", "replace") + body
    wanted = _base64(_key(secret), content)
    return any(_same(each.partition(",")[2], wanted) for each in given.split() if each.startswith("v1,"))


_CHECKS = {"shopify": _shopify, "woocommerce": _woocommerce, "stripe": _stripe, "generic": _generic}


def _base64(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    """A secret of Standard Webhooks is base64 behind `whsec_`; any other text is its own bytes."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def _is_fresh(stamp: str, now: datetime) -> bool:
    """Neither too old nor from a clock far ahead: what is recorded cannot be played again later."""
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    return abs(now.timestamp() - int(stamp)) <= TOLERANCE.total_seconds()


def _same(given: str | None, wanted: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())

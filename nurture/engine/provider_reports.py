"""Reports of mail providers: who sent them, and what follows from them, durable before the answer."""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from http.client import HTTPException
from typing import Any

from nurture.domain.programme import Programme
from nurture.domain.refusals import Refusal, StormRule
from nurture.domain.tokens import Keyring
from nurture.engine.callers import NoRedirect
from nurture.engine.feedback import SOURCE, Effect, Taken, take_one
from nurture.engine.storms import look_for_storms
from nurture.intake.feedback.providers import Provider, Told, read_report
from nurture.intake.feedback.signatures import (
    ForgedError,
    certificate_address,
    check_mailgun,
    check_password,
    check_sendgrid,
    check_sns,
    confirmation_address,
)
from nurture.intake.json_text import parse_json
from nurture.storage.database import Database, Transaction
from nurture.storage.quarantine import Held, keep
from nurture.storage.replies import Asked, begin, finish

Fetch = Callable[[str], bytes]
TIMEOUT, MOST_FETCHED = 5.0, 64 << 10
BATCH = 200  # events of one transaction: others write, too
BY_PASSWORD = frozenset({Provider.POSTMARK, Provider.MAILJET, Provider.SPARKPOST})


class UnreachableError(Exception):
    """Amazon cannot be asked: the report shall come again."""


class ProviderReports:
    """Takes reports; safe to use from several threads. `fetch` gets certificates and confirms subscriptions."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        secrets: Mapping[Provider, str],
        fetch: Fetch | None = None,
        *,
        storm: StormRule,
    ) -> None:
        self._database, self._keyring, self._secrets = database, keyring, secrets
        self._fetch, self._storm = fetch or fetch_from_amazon, storm
        self._certificates: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def is_set(self, provider: Provider) -> bool:
        return provider in self._secrets

    def look(self, provider: Provider, headers: Mapping[str, str]) -> None:
        """What can be said before the body is read. Raises ForgedError."""
        if provider in BY_PASSWORD:
            check_password(self._secrets[provider], headers.get("authorization"))

    def take(
        self, provider: Provider, headers: Mapping[str, str], body: bytes, programme: Programme, now: datetime
    ) -> Counter[str]:
        """Effect -> how many events of this report had it. What cannot be read is kept in quarantine.

        Raises ForgedError, UnreachableError, and ValueError (RecursionError) for a body that is no JSON.
        """
        self.look(provider, headers)
        secret = self._secrets[provider]
        if provider is Provider.SENDGRID:
            check_sendgrid(secret, headers, body, now)
        data = parse_json(body)
        once = None
        if provider is Provider.MAILGUN:
            once = check_mailgun(secret, data.get("signature") if isinstance(data, dict) else None, now)
        elif provider is Provider.SES:
            message = self._trusted(data, secret, now)
            if message["Type"] == "SubscriptionConfirmation":
                self._fetch(confirmation_address(message))
                return Counter({"confirmed": 1})
            data = _inner(message)
        told = read_report(provider, data)
        if once is not None:
            event = json.dumps(data.get("event-data"), sort_keys=True)
            self._database.transact(lambda tx: _once(tx, provider, once, event, now))
        effects: Counter[str] = Counter()
        for at in range(0, len(told), BATCH):  # one that fails in between comes again, and what was done stays done
            work = partial(self._act, told=told[at : at + BATCH], programme=programme, now=now)
            some, refused = self._database.transact(work)
            effects += some
            look_for_storms(self._database, self._storm, refused, now)
        return effects

    def _act(
        self, tx: Transaction, told: Sequence[Told], programme: Programme, now: datetime
    ) -> tuple[Counter[str], list[Refusal]]:
        effects: Counter[str] = Counter()
        held, refused = [], []
        for each in told:
            taken = Taken(Effect.QUARANTINED, each.why)
            if each.notice is not None:
                taken = take_one(tx, self._keyring, programme, each.notice, now)
            if taken.effect is Effect.QUARANTINED:
                held.append(Held(SOURCE, taken.why, each.body))
            if taken.refused is not None:
                refused.append(taken.refused)
            effects[taken.effect.value] += 1
        keep(tx, held, now)
        return effects, refused

    def _trusted(self, data: Any, topics: str, now: datetime) -> Mapping[str, Any]:
        address = certificate_address(data, topics)
        with self._lock:
            certificate = self._certificates.get(address)
        if certificate is None:
            certificate = self._fetch(address)
        check_sns(data, certificate, now)
        with self._lock:
            if len(self._certificates) >= 8:
                self._certificates.clear()
            self._certificates[address] = certificate
        trusted: Mapping[str, Any] = data
        return trusted


def _inner(message: Mapping[str, Any]) -> Any:
    """The notification inside: JSON in JSON. Amazon's greeting to a new topic is text."""
    try:
        return parse_json(str(message.get("Message")))
    except json.JSONDecodeError:
        return {"eventType": "text"}


def _once(tx: Transaction, provider: Provider, token: str, request: str, now: datetime) -> None:
    """Mailgun signs a token, not the body: it is good for the first body it came with. Raises ForgedError."""
    asked = Asked(
        provider.value, "webhook", token[:200], hashlib.sha256(request.encode("utf-8", "replace")).hexdigest()
    )
    known = begin(tx, asked, now)
    if known is not None and not known.fits:
        raise ForgedError("its signature was used before")
    finish(tx, asked, 200, "")


def fetch_from_amazon(address: str) -> bytes:
    """GET an address that was checked before; no redirect, bounded in time and size. Raises UnreachableError."""
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(address, timeout=TIMEOUT) as response:
            found: bytes = response.read(MOST_FETCHED)
    except (OSError, HTTPException, ValueError) as error:
        raise UnreachableError(type(error).__name__) from None
    return found

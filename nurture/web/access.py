"""Who may ask: keys, what they are good for, and how often."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import FastAPI, Request
from starlette.types import Scope as HttpScope

from nurture.engine.keys import Scope, allows, check_key, id_of
from nurture.storage.keys import StoredKey
from nurture.web.problem import Refusal
from nurture.web.site import Site

REMEMBERED_SECONDS = 5.0  # a revoked key is turned away after this at the latest
REMEMBERED = 4096
UNKNOWN = "This needs a key that is in force: Authorization: Bearer nk_..., or as the user name of Basic."
# Requests a minute. Events have no limit for servers: they are counted out by what the database takes.
BROWSER_PER_MINUTE, API_PER_MINUTE, WRONG_PER_MINUTE = 6000, 1200, 30


class Access:
    """Keys by what a request bears, remembered for a few seconds so that not every event asks the database."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: OrderedDict[bytes, tuple[float, StoredKey | None]] = OrderedDict()
        self._rates = Rates()

    async def key(self, presented: str | None, scope: HttpScope, *wanted: Scope) -> StoredKey:
        """The key, if it is good for one of these. Raises Refusal: 401, 403 or 429; all unknown keys look the same."""
        with self.guarding(scope):
            found = await self._find(presented, self._site.app.clock.monotonic()) if presented else None
            if found is None:
                raise Refusal(401, UNKNOWN, headers={"WWW-Authenticate": 'Bearer realm="nurture"'})
        if not any(allows(found, each) for each in wanted):
            raise Refusal(403, f"This key is not good for that; it needs the scope {' or '.join(wanted)}.")
        return found

    @contextmanager
    def guarding(self, scope: HttpScope) -> Iterator[None]:
        """Count a refusal (401) inside against its client. Raises Refusal (429) for one who guesses."""
        now = self._site.app.clock.monotonic()
        client = f"wrong {(scope.get('client') or ('', 0))[0]}"
        self._rates.look(client, WRONG_PER_MINUTE, now)
        try:
            yield
        except Refusal:
            self._rates.take(client, WRONG_PER_MINUTE, now)
            raise

    def take(self, key: StoredKey, per_minute: int) -> None:
        """Count a request of this key. Raises Refusal (429)."""
        self._rates.take(key.id, per_minute, self._site.app.clock.monotonic())

    async def _find(self, presented: str, now: float) -> StoredKey | None:
        if id_of(presented) is None:
            return None
        digest = hashlib.sha256(presented.encode()).digest()
        remembered = self._known.get(digest)
        if remembered is not None and remembered[0] > now:
            return remembered[1]
        found = await self._site.threads.run(check_key, self._site.app.database, presented, self._site.now)
        self._known[digest] = (now + REMEMBERED_SECONDS, found)
        self._known.move_to_end(digest)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rates:
    """Token buckets: a minute's worth at once, and as many a minute again."""

    def __init__(self, most: int = 10_000) -> None:
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._most = most

    def look(self, name: str, per_minute: int, now: float) -> _Bucket:
        """Raises Refusal (429, with the time to wait) when nothing is left."""
        bucket = self._buckets.get(name)
        if bucket is None:
            return _Bucket(per_minute, now)
        bucket.left = min(per_minute, bucket.left + (now - bucket.at) * per_minute / 60)
        bucket.at = now
        if bucket.left < 1:
            wait = max(1, round((1 - bucket.left) * 60 / per_minute + 0.5))
            raise Refusal(
                429, f"Too many requests; {per_minute:,} a minute are taken.", headers={"Retry-After": str(wait)}
            )
        return bucket

    def take(self, name: str, per_minute: int, now: float) -> None:
        """Take one. Raises Refusal (429)."""
        bucket = self.look(name, per_minute, now)
        bucket.left -= 1
        self._buckets[name] = bucket
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)


def presented_key(authorization: str | None) -> str | None:
    """The key in an Authorization header: a bearer token, or the user name of Basic. None if there is none."""
    kind, _, value = (authorization or "").strip().partition(" ")
    if kind.lower() == "bearer":
        return value.strip() or None
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(value.strip(), validate=True).decode().partition(":")[0] or None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def access_of(web: FastAPI, site: Site) -> Access:
    """The one Access of a site: faces share what it remembers."""
    if not hasattr(web.state, "access"):
        web.state.access = Access(site)
    access: Access = web.state.access
    return access


async def bearer(request: Request, access: Access, *wanted: Scope) -> StoredKey:
    """The key of an API request, counted. Raises Refusal."""
    key = await access.key(presented_key(request.headers.get("authorization")), request.scope, *wanted)
    access.take(key, API_PER_MINUTE)
    return key

"""How things stand, for probes and metrics: asked of the database at most every so often, by one request for all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from nurture.engine.standing import Standing, look
from nurture.errors import NurtureError
from nurture.storage.figures import size
from nurture.storage.schema import current, head
from nurture.web.site import Site


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found at `at` by the steady clock. `error` says why the database could not be asked."""

    at: float
    standing: Standing | None
    schema: str | None
    bytes: int
    error: str | None


class Glance:
    """`needed` is the schema this nurture works with."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen: Seen | None = None
        self._lock = asyncio.Lock()
        self.needed = head()

    async def __call__(self, at_most: float) -> Seen:
        """Nothing older than `at_most` seconds."""
        async with self._lock:
            now = self._site.app.clock.monotonic()
            if self._seen is None or now - self._seen.at > at_most:
                self._seen = await self._site.threads.run(self._ask, now)
            return self._seen

    def _ask(self, now: float) -> Seen:
        app = self._site.app
        try:
            schema = current(app.database)
            if schema != self.needed:
                return Seen(now, None, schema, 0, None)
            standing = look(app.database, app.clock.now())
            with app.database.read() as tx:
                return Seen(now, standing, schema, size(tx), None)
        except NurtureError as error:
            return Seen(now, None, None, 0, str(error))

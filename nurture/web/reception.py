"""Where all protocols hand over what they have read.

What is taken is durable before the answer; what is not is kept in quarantine, with its reason.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nurture.domain.programme import Programme
from nurture.engine.incoming_webhooks import ill_formed
from nurture.engine.ingest import IncomingEvent
from nurture.engine.ingest_queue import IngestQueue
from nurture.errors import ConfigurationError
from nurture.storage.quarantine import Held, keep
from nurture.web.access import Access
from nurture.web.site import Site

PROGRAMME_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Refused:
    """One thing that cannot be taken: its place in the request, why, and itself as JSON text."""

    place: int
    why: str
    body: str


class Reception:
    """Where all protocols hand over what they have read."""

    def __init__(self, site: Site, access: Access) -> None:
        self.site, self.access = site, access
        self._programme: tuple[float, Programme] | None = None
        self._queue = IngestQueue(site.app.database, lambda: site.now, site.threads.executor)

    async def take(
        self, events: Sequence[IncomingEvent], places: Sequence[int], bodies: Sequence[str], refused: list[Refused]
    ) -> list[Refused]:
        """Store the events, and whatever is refused, now or before, in quarantine. Raises StorageError.

        `places` and `bodies` are those of `events`; the answer is all that was refused.
        """
        events, places, bodies, refused = await self._well_formed(events, places, bodies, refused)
        if events:
            # without an id a repeat cannot be known; and a second try of ours must not look like a second event
            named = [
                event if event.message_id else replace(event, message_id=f"given-{secrets.token_hex(12)}")
                for event in events
            ]
            taken = await self._queue.submit(named, trusted=True)
            if taken.stored:
                self.site.wake()
            refused = refused + [Refused(places[place], why, bodies[place]) for place, why in taken.rejected]
        return refused

    async def _well_formed(
        self, events: Sequence[IncomingEvent], places: Sequence[int], bodies: Sequence[str], refused: list[Refused]
    ) -> tuple[Sequence[IncomingEvent], Sequence[int], Sequence[str], list[Refused]]:
        """Without those that are not as campaigns/_events.yaml says."""
        try:
            schemas = (await self.programme()).schemas
        except ConfigurationError:  # nothing is applied yet
            schemas = {}
        wrong = {
            number: why
            for number, event in enumerate(events if schemas else ())
            if (why := ill_formed(schemas, event.name, event.properties)) is not None
        }
        if not wrong:
            return events, places, bodies, refused
        refused = refused + [Refused(places[number], why, bodies[number]) for number, why in wrong.items()]
        right = [number for number in range(len(events)) if number not in wrong]
        return [events[n] for n in right], [places[n] for n in right], [bodies[n] for n in right], refused

    async def programme(self) -> Programme:
        """The applied programme, as it was a few seconds ago at most. Raises ConfigurationError, StorageError."""
        now = self.site.app.clock.monotonic()
        if self._programme is None or self._programme[0] <= now:
            applied = await self.site.threads.run(self.site.app.applied)
            self._programme = now + PROGRAMME_SECONDS, applied.programme
        return self._programme[1]

    async def hold(self, source: str, refused: Sequence[Refused]) -> None:
        """Keep what was refused, until somebody looks."""
        if refused:
            held = [Held(source, each.why, each.body) for each in refused]
            database, now = self.site.app.database, self.site.now
            await self.site.threads.run(database.transact, lambda tx: keep(tx, held, now))

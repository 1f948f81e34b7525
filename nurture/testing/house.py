"""A whole house on a clock that is moved by hand: project, database, engine, and a real SMTP server to mail to.

`house.tell("Signed Up")` is an event of Ana's, `house.live_until("+2 days")` goes from one instant at which something
is due to the next, `house.facts()` is what her ledger says then.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from nurture.app import App, Engine
from nurture.clock import SteppedClock
from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Fact, FactKind
from nurture.engine.apply import InFlight, apply, plan
from nurture.engine.ingest import IncomingEvent, Ingested, ingest
from nurture.engine.pump import EVERY_ROLE, Pumped, Role
from nurture.engine.rescue import rescue_abandoned
from nurture.sending.transport import SmtpTransport, Transport
from nurture.settings import load
from nurture.storage.contacts import find
from nurture.storage.database import Database
from nurture.storage.outcomes import Rescued
from nurture.storage.queue import next_instant
from nurture.storage.reports import DeliveryRecord, deliveries_of, enrolments_of, ledger_of
from nurture.testing.outgoing import relay_of
from nurture.testing.smtp import ScriptedServer
from nurture.testing.worlds import LIFECYCLE, PROJECT, instant

SECRET = "a secret key for tests, long enough to be one"
START = instant("2026-03-02 09:00")
ANA = "ana@people.example"
TEMPLATE = """\
---
subject: Hello
preheader: A few words about the garden, once in a while
---
<p>Hello {{ contact.email }}</p>
<p>{{ postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>
"""


def sources(
    *campaigns: str,
    project: str = "",
    lifecycle: str = LIFECYCLE,
    segments: str = "",
    templates: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The files of a small project. What campaigns leave out is filled in; every template they name exists."""
    files = {"campaigns/_project.yaml": PROJECT + lifecycle + project}
    if segments:
        files["campaigns/_segments.yaml"] = f"version: 1\nsegments:\n{segments}"
    defaults = {"version": "1", "campaign": "c", "topic": "tips", "status": "live"}
    for number, text in enumerate(campaigns):
        missing = [f"{k}: {v}\n" for k, v in defaults.items() if not re.search(rf"^{k}:", text, re.MULTILINE)]
        files[f"campaigns/{number}.yaml"] = "".join(missing) + text
        for name in re.findall(r"\bsend: ([\w/-]+)", text):
            files[f"email_templates/{name}.html"] = TEMPLATE
    return {**files, **{f"email_templates/{name}.html": text for name, text in (templates or {}).items()}}


class Journal:
    """Keeps what is logged: (level, event, fields)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))

    @property
    def events(self) -> list[str]:
        return [event for _, event, _ in self.lines]


class House:
    """`relay` options shape the connection to the server, see `relay_of`; without a server mail goes to an inbox."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        files: Mapping[str, str],
        server: ScriptedServer | None = None,
        *,
        start: datetime = START,
        relay: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        self.database, self.folder, self.server = database, folder, server
        self.files = dict(files)
        self.clock = SteppedClock(start)
        self.journal = Journal()
        self._relay = dict(relay or {})
        (folder / "none.env").touch()
        environ = {
            "NURTURE_DATABASE_URL": "sqlite:///unused.db",
            "NURTURE_SECRET_KEY": SECRET,
            "NURTURE_BASE_URL": "https://mail.northwind.example",
            "NURTURE_INBOX": str(folder / "inbox"),
            **{f"NURTURE_{name.upper()}": value for name, value in settings.items()},
            **(environment or {}),
        }
        self.app = self.another_app(environ)
        self._environ = environ

    def another_app(self, environ: Mapping[str, str] | None = None) -> App:
        """The same database under another process, as it were."""
        app = App(load(self.folder / "none.env", environ or self._environ), self.clock, self.folder)
        app.database = self.database
        app.journal = self.journal
        return app

    # --- what comes in

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def apply(
        self,
        files: Mapping[str, str] | None = None,
        *,
        in_flight: InFlight = InFlight.KEEP,
        confirmed: Collection[str] | None = None,
    ) -> int:
        self.files = dict(files) if files is not None else self.files
        planned = plan(self.database, self.files)
        errors = [f"{each.file}:{each.line} {each.message}" for each in planned.compiled.errors]
        assert planned.is_sound, errors or planned.templates
        names = planned.to_confirm if confirmed is None else confirmed
        return apply(self.database, planned, self.now, "test", in_flight=in_flight, confirmed=names)

    def tell(
        self, name: str | None, email: str = ANA, /, happened: datetime | None = None, **properties: Any
    ) -> Ingested:
        """An event, received now."""
        return self.take(IncomingEvent(name=name, email=email, at=happened, properties=properties))

    def take(self, *events: IncomingEvent, trusted: bool = True) -> Ingested:
        return ingest(self.database, events, self.now, trusted=trusted)

    def consenting(self, *emails: str) -> None:
        """People who want mail, and have had their first turn."""
        self.take(*(IncomingEvent(name="Newsletter Subscribed", email=email) for email in emails or (ANA,)))
        self.drain()

    # --- the engine

    def transport(self) -> Transport:
        if self.server is None:
            return self.app.transport()
        return SmtpTransport(relay_of(self.server, **self._relay), self.clock.now)

    @asynccontextmanager
    async def engine(
        self, *, roles: frozenset[Role] = EVERY_ROLE, app: App | None = None, grace: float = 5.0
    ) -> AsyncIterator[Engine]:
        """A running engine; in order at the end."""
        engine = (app or self.app).engine(roles, self.transport())
        try:
            yield engine
        finally:
            await engine.stop(grace)
            engine.shut_down()

    def drain(self, roles: frozenset[Role] = EVERY_ROLE) -> Pumped:
        """Everything that is due now."""

        async def work() -> Pumped:
            async with self.engine(roles=roles) as engine:
                return await engine.pump.drain()

        return asyncio.run(work())

    def advance(self) -> Pumped:
        """Turns only: mails stay planned."""
        return self.drain(frozenset({Role.ADVANCE}))

    def live_until(self, moment: datetime | str) -> None:
        """From one due instant to the next. `+2 days` counts from now."""
        end = self.when(moment)

        async def work() -> None:
            async with self.engine() as engine:
                while True:
                    done = await engine.pump.drain()
                    with self.database.read() as tx:
                        at = next_instant(tx)
                    # What may not go (a paused campaign, a relay that is down) stays due: look again in a while.
                    pause = timedelta(microseconds=1) if done.turns or done.mails else timedelta(minutes=1)
                    if at is None or max(at, self.now + pause) > end:
                        break
                    self.clock.jump_to(max(at, self.now + pause) if at <= self.now else at)
            self.clock.jump_to(end)

        asyncio.run(work())

    def when(self, moment: datetime | str) -> datetime:
        if isinstance(moment, datetime):
            return moment
        found = re.findall(r"(\d+) (day|hour|minute|second)s?", moment)
        if moment.startswith("+") and found:
            return self.now + timedelta(**{f"{unit}s": int(number) for number, unit in found})
        return instant(moment)

    def pass_time(self, moment: datetime | str) -> None:
        """The clock moves on and nobody works."""
        self.clock.jump_to(self.when(moment))

    def rescue(self) -> Rescued:
        return rescue_abandoned(self.database, self.now)

    # --- what came of it

    def id_of(self, email: str = ANA) -> int:
        with self.database.read() as tx:
            contact = find(tx, email)
        assert contact is not None, f"nobody has the address {email}"
        return contact.id

    def mails(self, email: str = ANA) -> list[DeliveryRecord]:
        with self.database.read() as tx:
            return deliveries_of(tx, self.id_of(email))

    def mail(self, email: str = ANA) -> DeliveryRecord:
        (record,) = self.mails(email)
        return record

    def state(self, email: str = ANA) -> DeliveryState:
        """Of her only mail."""
        return self.mail(email).delivery.state

    def facts(self, email: str = ANA, *kinds: FactKind) -> list[Fact]:
        with self.database.read() as tx:
            lines = ledger_of(tx, self.id_of(email), limit=100_000)
        return [line.fact for line in lines if not kinds or line.fact.kind in kinds]

    def told(self, email: str = ANA) -> list[str]:
        """`skipped cap`: kinds and reasons, without what every life begins with."""
        return [
            " ".join(str(part) for part in (fact.kind, fact.reason) if part is not None)
            for fact in self.facts(email)
            if fact.kind not in {FactKind.CONSENT_GRANTED, FactKind.STAGE_MOVED}
        ]

    def left_by(self, email: str = ANA) -> list[str | None]:
        with self.database.read() as tx:
            return [each.left_by for each in enrolments_of(tx, self.id_of(email))]

"""Run the demo: a folder, a database, a server on loopback, and sixty days in less than a minute."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import secrets
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path

from nurture.app import App, Engine
from nurture.clock import SteppedClock
from nurture.demo.people import Customer, Deed, customers, reaction, script
from nurture.domain.contact import Consent
from nurture.domain.ledger import FactKind
from nurture.engine.apply import apply, plan
from nurture.engine.audit import Audit, audit
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.engine.outgoing import Caller, call_out
from nurture.errors import NurtureError
from nurture.sending.catcher import Catcher
from nurture.sending.maildir import InboxTransport
from nurture.settings import load
from nurture.storage.imports import ImportedContact, import_contacts
from nurture.storage.outbox import Call
from nurture.storage.queue import next_instant
from nurture.storage.reports import count_facts, stage_counts
from nurture.storage.schema import upgrade

BEGIN = datetime(2027, 3, 1, 6, 0, tzinfo=UTC)
QUANTUM = timedelta(hours=1)  # nothing in a shop is in such a hurry, and it makes the demo short
MARK = ".nurture-demo"
ENV_FILE = "demo.env"


@dataclass(slots=True)
class Report:
    """What happened, in numbers. `skipped` and `postponed` are by reason, `mails` by campaign."""

    days: int
    people: int
    events: int = 0
    turns: int = 0
    seconds: float = 0.0
    stages: dict[str, int] = field(default_factory=dict)
    enrolments: Counter[str] = field(default_factory=Counter)
    mails: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    postponed: Counter[str] = field(default_factory=Counter)
    held_out: int = 0
    goals: Counter[str] = field(default_factory=Counter)
    webhooks: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    audit: Audit = field(default_factory=Audit)
    kept: int = 0


class Demo:
    """One run. `folder` is emptied first, if an earlier demo made it."""

    def __init__(self, folder: Path, project: Path, *, people: int = 200, days: int = 60, seed: int = 7) -> None:
        self._folder, self._project = folder, project
        self._days, self._seed = days, seed
        self._people = {one.email: one for one in customers(people, seed)}
        self._clock = SteppedClock(BEGIN)
        self._deeds: list[tuple[datetime, int, Deed]] = []
        self._numbers = itertools.count()
        self._report = Report(days, people)

    async def run(self, progress: Callable[[float], None] = lambda _: None) -> Report:
        """Sixty days. `progress` is told the part that is done, 0 to 1."""
        prepare(self._folder)
        began = asyncio.get_running_loop().time()
        inbox = InboxTransport(self._folder / "inbox", self._clock.now)
        async with Catcher(inbox, self._on_mail) as catcher:
            app = self._app(catcher.port)
            try:
                self._set_up(app)
                engine = app.engine()
                try:
                    await self._live(app, engine, progress)
                finally:
                    await engine.stop(5)
                    engine.shut_down()
                self._sum_up(app)
            finally:
                app.close()
        self._report.seconds = asyncio.get_running_loop().time() - began
        return self._report

    def _app(self, port: int) -> App:
        env_file = self._folder / ENV_FILE
        env_file.write_text(_settings(self._folder), encoding="utf-8")
        env_file.chmod(0o600)
        sending = {
            "NURTURE_DELIVERY": "smtp",
            "NURTURE_SMTP_URL": f"smtp://127.0.0.1:{port}",
            "NURTURE_PER_DOMAIN": "20",
        }
        return App(load(env_file, environ=sending), self._clock, self._project)

    def _set_up(self, app: App) -> None:
        upgrade(app.database)
        planned = plan(app.database, app.files())
        apply(app.database, planned, self._clock.now(), "demo", confirmed=planned.to_confirm)
        app.require_ready()
        old = [one for one in self._people.values() if one.is_old]
        lines = [
            ImportedContact(one.email, None, one.traits(), one.zone, one.locale, "retention", Consent.GRANTED)
            for one in old
        ]
        app.database.transact(lambda tx: import_contacts(tx, lines, self._clock.now(), "till receipts"))
        for person in self._people.values():
            for deed in script(person, BEGIN, self._days):
                self._expect(deed)

    async def _live(self, app: App, engine: Engine, progress: Callable[[float], None]) -> None:
        end = BEGIN + timedelta(days=self._days)
        callers = {**app.callers(), "webhook": self._webhook()}
        while (instant := await self._next(app, engine)) is not None and instant <= end:
            self._clock.jump_to(instant)
            now = self._clock.now()
            happened = []
            while self._deeds and self._deeds[0][0] <= now:
                happened.append(_told(heapq.heappop(self._deeds)[2]))
            if happened:
                taken = await engine.in_thread(ingest, app.database, happened, now)
                self._report.events += taken.stored
            done = await engine.pump.drain()
            self._report.turns += done.turns
            self._report.failures += done.failures
            if done.calls:
                await call_out(app.database, callers, engine.in_thread, self._clock.now)
            progress((now - BEGIN) / (end - BEGIN))

    async def _next(self, app: App, engine: Engine) -> datetime | None:
        """The next moment anything happens, rounded up: the clock jumps over everything between."""
        waiting = [self._deeds[0][0]] if self._deeds else []
        due = await engine.in_thread(_next_instant, app)
        if due is not None:
            waiting.append(due)
        if not waiting:
            return None
        steps = (max(min(waiting), BEGIN) - BEGIN) / QUANTUM
        rounded = BEGIN + QUANTUM * (int(steps) + (steps % 1 > 0))
        return max(rounded, self._clock.now() + timedelta(seconds=1))

    def _expect(self, deed: Deed) -> None:
        heapq.heappush(self._deeds, (deed.at, next(self._numbers), deed))

    def _on_mail(self, recipient: str, headers: Message) -> None:
        customer: Customer | None = self._people.get(recipient)
        if customer is None:
            return
        self._report.kept += 1
        campaign, step = str(headers.get("Feedback-ID", "::")).split(":")[:2]
        for deed in reaction(customer, campaign, step, self._clock.now()):
            self._expect(deed)

    def _webhook(self) -> Caller:
        """Nothing leaves this machine: what would be posted is written down."""
        path = self._folder / "webhooks.jsonl"

        async def keep(call: Call) -> str | None:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"name": call.name, **call.payload}, default=str) + "\n")
            self._report.webhooks += 1
            return None

        return keep

    def _sum_up(self, app: App) -> None:
        report = self._report
        with app.database.read() as tx:
            report.stages = stage_counts(tx)
            for (campaign, _, kind, reason), number in count_facts(tx).items():
                match kind:
                    case FactKind.ENROLLED if campaign:
                        report.enrolments[campaign] += number
                    case FactKind.SENT if campaign:
                        report.mails[campaign] += number
                    case FactKind.SKIPPED if reason:
                        report.skipped[reason.value] += number
                    case FactKind.POSTPONED if reason:
                        report.postponed[reason.value] += number
                    case FactKind.GHOSTED:
                        report.held_out += number
                    case FactKind.GOAL_REACHED if campaign:
                        report.goals[campaign] += number
        report.audit = audit(app.database, app.applied().programme, self._clock.now())


def prepare(folder: Path) -> None:
    """An empty folder of our own. Raises NurtureError rather than remove somebody else's files."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARK).is_file():
            raise NurtureError(f"{folder} is not empty and no demo has made it; name another folder with --dir")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def _settings(folder: Path) -> str:
    """To look at the demo afterwards: its database and inbox, and no way out of this machine."""
    return (
        f"NURTURE_DATABASE_URL=sqlite:///{folder / 'nurture.db'}\n"
        f"NURTURE_INBOX={folder / 'inbox'}\n"
        "NURTURE_DELIVERY=inbox\n"
        "NURTURE_BASE_URL=https://mail.northwind.example\n"
        f"NURTURE_SECRET_KEY={secrets.token_urlsafe(32)}\n"
    )


def _next_instant(app: App) -> datetime | None:
    with app.database.read() as tx:
        return next_instant(tx)


def _told(deed: Deed) -> IncomingEvent:
    return IncomingEvent(
        name=deed.event,
        at=deed.at,
        properties=deed.properties,
        email=deed.email,
        traits=deed.traits,
        zone=deed.zone,
        locale=deed.locale,
        source="demo",
    )

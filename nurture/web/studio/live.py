"""The studio that acts: what is saved is applied to a database of its own, and its mails land in an inbox of its own.

Nothing of it leaves this machine, whatever the settings say: mail is caught, calls of webhooks are only logged.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import SecretStr
from watchfiles import awatch

from nurture.app import App
from nurture.domain.campaign import EventStart
from nurture.domain.consent import RESUBSCRIBED
from nurture.domain.contact import Consent
from nurture.engine.apply import apply, plan
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.engine.outgoing import Caller
from nurture.engine.revisions import Applied
from nurture.errors import ConfigurationError, NurtureError
from nurture.intake.addresses import address_problem
from nurture.language.people import Person
from nurture.settings import Delivery
from nurture.storage.outbox import Call
from nurture.storage.schema import upgrade
from nurture.web.html import environment
from nurture.web.pages.desk import field, form_of
from nurture.web.problem import Refusal
from nurture.web.server import Address, WebServer
from nurture.web.site import Face
from nurture.web.studio.changes import SETTLED
from nurture.web.studio.desk import POLICY, ROOT, Desk

FOLDER = Path(".nurture/dev")


class Workbench(App):
    """The app with a database and an inbox for trying things out. Raises ConfigurationError without a secret key."""

    def __init__(self, app: App) -> None:
        folder = app.root / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        own = {
            "database_url": SecretStr(f"sqlite:///{folder / 'nurture.db'}"),
            "inbox": FOLDER / "inbox",
            "delivery": Delivery.INBOX,
            **dict.fromkeys(("feedback_maildir", "feedback_imap", "hubspot_token", "heartbeat_url")),
        }
        super().__init__(app.settings.model_copy(update=own), app.clock, app.root)
        upgrade(self.database)

    def callers(self) -> Mapping[str, Caller]:
        """Alerts are mail, and caught; whoever else would be called is not."""

        async def log(call: Call) -> str | None:
            self.journal.info("not called from here", kind=call.kind, name=call.name)
            return None

        found = super().callers()
        return {kind: found[kind] if kind == "alert" else log for kind in found}


@dataclass(frozen=True, slots=True)
class Standing:
    """What is applied, in words, and what would have to be confirmed for the files to be."""

    told: str
    well: bool = True
    confirm: tuple[str, ...] = ()


class Live:
    """A daemon's companion: serves the studio, and applies every save that is sound."""

    def __init__(self, app: App, port: int, opened: Callable[[str], None]) -> None:
        self._app, self._opened = app, opened
        self._server = WebServer(app, Address("127.0.0.1", port), {Face.STUDIO})
        self._lock = threading.Lock()
        self._watching: asyncio.Task[None] | None = None
        self.standing = Standing("Nothing is applied yet.", well=False)

    def bring_up(self, confirmed: Collection[str] = ()) -> Standing:
        """Apply the files as they are now, if they can be. Used from threads."""
        with self._lock:
            try:
                self.standing = self._applied(confirmed)
            except (NurtureError, ConfigurationError, OSError) as error:
                self.standing = Standing(f"Not applied: {error}", well=False)
            return self.standing

    def _applied(self, confirmed: Collection[str]) -> Standing:
        planned = plan(self._app.database, self._app.files())
        holds = f"Revision {planned.against} holds" if planned.against else "Nothing is applied"
        if not planned.is_sound:
            return Standing(f"{holds}: the files have mistakes.", well=False)
        if not planned.pending:
            return Standing(f"Revision {planned.against} holds: these files.")
        missing = tuple(name for name in planned.to_confirm if name not in confirmed)
        if missing:
            why = f"applying {', '.join(missing)} could mail people twice, or many at once."
            return Standing(f"{holds}: {why}", well=False, confirm=missing)
        number = apply(self._app.database, planned, self._app.clock.now(), "nurture dev", confirmed=confirmed)
        return Standing(f"Revision {number} holds: these files.")

    async def start(self, wake: Callable[[], None]) -> None:
        """Serve, and watch the files."""
        await self._server.start(wake)
        assert self._server.site is not None
        self._server.site.state.site.live = self
        self._watching = asyncio.create_task(self._watch(wake))
        self._opened(str(self._server.address))

    async def stop(self, grace: float) -> None:
        if self._watching is not None:
            self._watching.cancel()
        await self._server.stop(min(grace, 1.0))  # pages that listen for changes would never end by themselves

    async def _watch(self, wake: Callable[[], None]) -> None:
        folders = [self._app.root / name for name in ("campaigns", "email_templates")]
        async for _ in awatch(*(each for each in folders if each.is_dir()), step=20, debounce=SETTLED):
            await asyncio.to_thread(self.bring_up)
            wake()


def mount(router: APIRouter, desk: Desk) -> None:
    """The line that says what is applied, its button, and events for people."""

    def live() -> Live:
        if desk.site.live is None:
            raise Refusal(404, "This studio only looks; nurture dev --live acts.")
        return desk.site.live

    def line(standing: Standing) -> Response:
        told = environment().get_template("studio/applied.html").render(standing=standing, root=ROOT)
        return HTMLResponse(told, headers={"Content-Security-Policy": POLICY})

    @router.get("/applied")
    async def applied() -> Response:
        return line(live().standing)

    @router.post("/applied")
    async def confirm() -> Response:
        standing = await desk.site.threads.run(live().bring_up, live().standing.confirm)
        desk.site.wake()
        return line(standing)

    @router.post("/event")
    async def event(request: Request) -> Response:
        live()
        form = await form_of(request)
        files = await desk.files()
        if files.applied is None:
            raise Refusal(422, "The files have errors; nothing was told.")
        told = await desk.site.threads.run(_tell, desk, files.applied, field(form, "who"), field(form, "event"))
        desk.site.wake()
        answer = HTMLResponse(environment().get_template("studio/sent.html").render(**told))
        answer.headers["Content-Security-Policy"] = POLICY
        return answer


def _tell(desk: Desk, applied: Applied, who: str, event: str) -> dict[str, str]:
    """Something happens to an example person, who then exists here, or to an address."""
    person = applied.compiled.people.get(who)
    email = person.email if person is not None else who
    if problem := address_problem(email):
        return {"failed": f"{who or 'Nobody'} {problem}"}
    if not event:
        return {"failed": "Which event?"}
    yes = IncomingEvent(name=RESUBSCRIBED, email=email, message_id=f"dev-yes-{email}", source="studio")
    agrees = person is None or person.consent is Consent.GRANTED
    told = _happening(applied, person, email, event, desk.site.now.isoformat())
    done = ingest(desk.site.app.database, [*([yes] if agrees else []), told], desk.site.now, trusted=True)
    if done.rejected:
        return {"failed": "; ".join(why for _, why in done.rejected)}
    return {"sent": f"{event} happened to {email}; what follows at once comes to the inbox."}


def _happening(applied: Applied, person: Person | None, email: str, event: str, id_: str) -> IncomingEvent:
    """The event, with the data that the example person begins the campaign with."""
    if person is None:
        return IncomingEvent(name=event, email=email, message_id=f"dev-{email}-{id_}", source="studio")
    campaigns = applied.programme.campaigns.values()
    starts = [one.name for one in campaigns if isinstance(one.start, EventStart) and one.start.event == event]
    data = next((person.starts[name] for name in starts if name in person.starts), person.start)
    return IncomingEvent(
        name=event,
        email=email,
        properties=dict(data),
        traits=dict(person.attributes),
        zone=person.zone,
        locale=person.locale,
        message_id=f"dev-{email}-{id_}",
        source="studio",
    )

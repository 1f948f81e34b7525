"""The composition root: settings in, working parts out. The only place that knows how everything is put together."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nurture.clock import Clock, SystemClock
from nurture.domain.breaker import START_CONCURRENCY, Breaker, BreakerState, Pace
from nurture.domain.refusals import StormRule
from nurture.domain.tokens import Keyring
from nurture.domain.warm_up import WarmUp
from nurture.engine.allowance import Allowance
from nurture.engine.compose import Composer
from nurture.engine.dispatch import Dispatcher
from nurture.engine.outgoing import Caller
from nurture.engine.pump import EVERY_ROLE, Pump, Role
from nurture.engine.revisions import Applied, Newest, assemble
from nurture.engine.sharing import RelaySharing
from nurture.engine.vitals import Vitals
from nurture.journal import open_journal
from nurture.language.source import read_project
from nurture.rendering.dkim import DkimSigner
from nurture.sending.allow_list import AllowList
from nurture.sending.domain_pace import DomainPaces
from nurture.sending.health import SharedHealth
from nurture.sending.maildir import Inbox, InboxTransport
from nurture.sending.relay import Relay
from nurture.sending.transport import SmtpTransport, Transport
from nurture.settings import Delivery, Settings
from nurture.storage.controls import sending_is_shut
from nurture.storage.database import Database
from nurture.storage.duties import require_secret
from nurture.storage.schema import require_current

if TYPE_CHECKING:
    from nurture.engine.hubspot import HubSpot
    from nurture.storage.outbox import Call

_Result = TypeVar("_Result")


class Engine:
    """What works in a running daemon: one database thread, one dispatcher, one pump."""

    def __init__(self, pump: Pump, dispatcher: Dispatcher, executor: ThreadPoolExecutor) -> None:
        self.pump, self.dispatcher, self._executor = pump, dispatcher, executor

    async def in_thread(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """Run something that touches the database in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)

    async def stop(self, grace: float) -> None:
        """Take nothing new; let what is on the wire end, for up to `grace` seconds."""
        await self.pump.stop(grace)

    def shut_down(self) -> None:
        self._executor.shutdown(wait=True)


class App:
    """Parts are made when they are first asked for. `root` is the project's folder."""

    def __init__(self, settings: Settings, clock: Clock | None = None, root: Path | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.root = root or Path()
        self.vitals = Vitals()
        self.relay_trouble: str | None = None  # what the relay said, while it takes no mail

    # --- files

    def files(self) -> Mapping[str, str]:
        """The project's sources on disk."""
        return read_project(self.root)

    def from_files(self) -> Applied:
        """The files on disk, compiled as if they were applied. Raises ConfigurationError if they have errors."""
        return assemble(self.files())

    # --- database

    @cached_property
    def database(self) -> Database:
        url = self.settings.database_url.get_secret_value()
        return Database(url, address_secret=self.settings.secrets()[-1])

    @cached_property
    def newest(self) -> Newest:
        return Newest(self.database)

    def applied(self) -> Applied:
        """The newest revision. Raises ConfigurationError if nothing is applied."""
        return self.newest()

    def require_ready(self) -> None:
        """Everything a daemon needs. Raises ConfigurationError or StorageError, saying what to do."""
        self.keyring  # noqa: B018 - asking for it checks the secret
        require_current(self.database)
        self.database.transact(lambda tx: require_secret(tx, self.clock.now()))
        self.applied()

    # --- mail

    @cached_property
    def keyring(self) -> Keyring:
        return Keyring(self.settings.secrets())

    @cached_property
    def composer(self) -> Composer:
        return Composer(
            self.keyring,
            base_url=self.settings.base_url,
            bounce_domain=self.settings.bounce_domain,
            signer=self.signer(),
        )

    def signer(self) -> DkimSigner | None:
        settings = self.settings
        if settings.dkim_key_file is None or settings.dkim_domain is None or settings.dkim_selector is None:
            return None
        return DkimSigner.from_pem(settings.dkim_domain, settings.dkim_selector, settings.dkim_key_file.read_bytes())

    def transport(self) -> Transport:
        """Where mail goes: the local inbox unless SMTP is asked for, behind the allow-list where there is one."""
        inner: Transport
        if self.settings.delivery is Delivery.SMTP:
            assert self.settings.smtp_url is not None
            inner = SmtpTransport(self._relay, self.clock.now, health=self.health, paces=self.paces)
        else:
            inner = InboxTransport(self.inbox_folder, self.clock.now)
        return AllowList(inner, self.settings.allow_list) if self.settings.allow_list else inner

    @property
    def _relay(self) -> Relay:
        assert self.settings.smtp_url is not None
        return Relay.parse(self.settings.smtp_url.get_secret_value())

    @cached_property
    def paces(self) -> DomainPaces:
        """How many mails at once each mailbox provider takes from this process."""
        most = self.settings.per_domain
        return DomainPaces(Pace(limit=min(START_CONCURRENCY, most), maximum=most))

    @cached_property
    def health(self) -> SharedHealth:
        """Whether the relay takes mail, as far as this process knows."""
        return SharedHealth(self.clock.now, self.owner, self.paces, on_turn=self._relay_turned)

    def relay_sharing(self) -> RelaySharing | None:
        """What tells the other daemons about the relay, and hears from them; None for the local inbox."""
        if self.settings.delivery is not Delivery.SMTP:
            return None
        return RelaySharing(self.database, self.health, str(self._relay), self.clock.now)

    def _relay_turned(self, breaker: Breaker) -> None:
        """Somebody must know: until the relay is well again, mails only wait."""
        if breaker.state is BreakerState.CLOSED:
            self.relay_trouble = None
            self.journal.info("relay takes mail again")
            return
        self.relay_trouble = breaker.why
        self.journal.error("relay takes no mail", why=breaker.why, next_try=breaker.probe_at)

    @property
    def inbox_folder(self) -> Path:
        folder = self.settings.inbox
        return folder if folder.is_absolute() else self.root / folder

    @cached_property
    def inbox(self) -> Inbox:
        return Inbox(self.inbox_folder)

    def callers(self) -> Mapping[str, Caller]:
        """How webhooks are called and teams alerted."""
        from nurture.engine.callers import callers
        from nurture.engine.subscriptions import networks

        secret, allowed = self.settings.named_secret, networks(self.settings.webhook_networks)
        now, others = self.clock.now, self._others()
        return callers(self.applied, self.transport, self.composer, now, self._is_shut, secret, allowed, others)

    @property
    def hubspot(self) -> HubSpot | None:
        """HubSpot's API, where its token is set."""
        from nurture.engine.hubspot import HubSpot

        token = self.settings.hubspot_token
        return HubSpot(self.settings.hubspot_url, token.get_secret_value()) if token is not None else None

    def _others(self) -> Mapping[str, Callable[[Call], str | None]]:
        """Who hears of facts besides webhooks."""
        from nurture.engine.hubspot import HUBSPOT, push

        hubspot = self.hubspot
        if hubspot is None:
            return {}
        return {HUBSPOT: lambda call: push(self.database, self.applied().programme, hubspot, call)}

    def _is_shut(self) -> bool:
        with self.database.read() as tx:
            return sending_is_shut(tx)

    # --- the daemon

    @cached_property
    def journal(self) -> Any:
        settings = self.settings
        key = settings.secret_key.get_secret_value() if settings.secret_key is not None else ""
        return open_journal(log_format=settings.log_format, log_addresses=settings.log_addresses, key=key)

    @cached_property
    def owner(self) -> str:
        """How claims and duties know this process."""
        return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"

    def engine(self, roles: frozenset[Role] = EVERY_ROLE, transport: Transport | None = None) -> Engine:
        """A pump and all that it works with, for the running event loop."""
        executor = ThreadPoolExecutor(1, thread_name_prefix="database")
        by_smtp = self.settings.delivery is Delivery.SMTP
        relay = str(self._relay) if by_smtp else "inbox"
        dispatcher = Dispatcher(
            self.database,
            transport or self.transport(),
            self.composer,
            owner=self.owner,
            clock=self.clock.now,
            executor=executor,
            journal=self.journal,
            per_domain=self.settings.per_domain if by_smtp else None,
            slowed=lambda: self.paces.slowed,
            allowance=self._allowance(relay),
            counts=self.vitals.mails,
            storm=self.storm_rule,
        )
        pump = Pump(
            self.database,
            dispatcher,
            self.newest.within,
            clock=self.clock.now,
            executor=executor,
            journal=self.journal,
            roles=roles,
        )
        return Engine(pump, dispatcher, executor)

    def _allowance(self, relay: str) -> Allowance:
        settings = self.settings
        warm_up = WarmUp(settings.warm_up_since, settings.warm_up_first_day) if settings.warm_up_since else None
        return Allowance(settings.mails_per_minute, relay, per_second=settings.mails_per_second, warm_up=warm_up)

    @property
    def storm_rule(self) -> StormRule:
        """When refusals that are about us are too many."""
        return StormRule(self.settings.storm_percent, self.settings.storm_mails)

    def summary(self) -> dict[str, Any]:
        """What an operator wants to see first, without secrets."""
        applied = self.applied()
        to = "the local inbox"
        if self.settings.delivery is Delivery.SMTP and self.settings.smtp_url is not None:
            to = str(Relay.parse(self.settings.smtp_url.get_secret_value()))
        return {
            "database": self.database.name,
            "delivery": to,
            "revision": applied.number,
            "campaigns": len(applied.programme.campaigns),
        }

    def close(self) -> None:
        """Let go of the database."""
        if "database" in self.__dict__:
            self.database.close()

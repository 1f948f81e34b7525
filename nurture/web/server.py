"""The HTTP server: uvicorn in a loop that is already running, with the limits it lacks, and an orderly end."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nurture.app import App
from nurture.errors import ConfigurationError
from nurture.web.site import EVERY_FACE, Face, create_site, front_of

REQUEST_SECONDS = 30.0  # for a whole request to come in
IDLE_SECONDS = 15
MAX_HEAD = 64 << 10
CONNECTIONS = 2000
BACKLOG = 512
DRAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """`127.0.0.1:8025`, `[::1]:8025`, `:8025`. Port 0 is any free one. Raises ConfigurationError."""
        host, colon, port = text.strip().rpartition(":")
        if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            raise ConfigurationError(f"{text!r} is no address to listen at; write it as 127.0.0.1:8025")
        return cls(host.strip("[]") or "127.0.0.1", int(port))

    @property
    def is_here(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class WebServer:
    """One site at one address. A daemon starts and stops it in its own loop; `serve` runs it alone."""

    def __init__(self, app: App, address: Address, faces: Collection[Face] = EVERY_FACE) -> None:
        """Raises ConfigurationError for an address that others can reach while no proxy is trusted to guard it."""
        if not address.is_here and not app.settings.trusted_proxies:
            raise ConfigurationError(
                f"{address} can be reached from other machines. Listen at 127.0.0.1 behind a proxy that speaks TLS, "
                "or name the proxies whose word about clients is taken: NURTURE_TRUSTED_PROXIES=10.0.0.5"
            )
        if Face.STUDIO in faces and not address.is_here:
            raise ConfigurationError(f"the studio is for this machine only, not for {address}: listen at 127.0.0.1")
        self._app, self._address, self._faces = app, address, faces
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

        self.site: FastAPI | None = None

    @property
    def address(self) -> Address:
        """Where it listens; the port is known once it has started."""
        return self._address

    async def start(self, wake: Callable[[], None] | None = None) -> None:
        """Listen. `wake` is told of everything that makes somebody due. Raises ConfigurationError."""
        listening = self._bind()
        self._address = Address(self._address.host, listening.getsockname()[1])
        self.site = create_site(self._app, self._faces, wake=wake)
        self._server = _Server(_configuration(front_of(self.site), self._app))
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait({up, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        if not self._server.up.is_set():
            up.cancel()
            await self._serving
            raise ConfigurationError(f"no server could be started at {self._address}")
        self._app.journal.info("listening", at=f"http://{self._address}", faces=",".join(sorted(self._faces)))

    async def stop(self, grace: float = DRAIN_SECONDS) -> None:
        """Take no new request; what is being answered may end, for up to `grace` seconds."""
        if self._server is None or self._serving is None:
            return
        self._server.config.timeout_graceful_shutdown = max(1, round(min(grace, DRAIN_SECONDS)))
        self._server.should_exit = True
        await asyncio.wait({self._serving}, timeout=DRAIN_SECONDS + 1)
        self._server.force_exit = True

    def _bind(self) -> socket.socket:
        host, port = self._address.host, self._address.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen at {self._address}: {error.strerror or error}; stop what listens there, or take another"
            ) from None


async def serve(app: App, server: WebServer) -> None:
    """Until SIGTERM or SIGINT: the HTTP side alone, beside daemons that work on the same database."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await server.start()
    try:
        await ended.wait()
    finally:
        app.journal.info("stopping")
        await server.stop()
        app.journal.info("stopped")


class _Server(uvicorn.Server):
    """`up` is set once it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the business of whoever owns the loop."""
        yield


class _Protocol(HttpToolsProtocol):
    """With two limits that uvicorn's own has not: the size of a head, and the time for a request to come in."""

    _head: int | None = 0  # bytes of a head that is not whole yet
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Together(transport, self.loop))  # type: ignore[arg-type]
        self._hurry()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relax()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > MAX_HEAD and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        self._head = 0
        self._hurry()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._relax()
        super().on_message_complete()

    def _hurry(self) -> None:
        self._relax()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_slow)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class _Together:
    """A transport that sends at once what is written in one turn of the loop: head and body of an answer in one packet.

    A call of the system costs more than all else that is done to answer an event.
    """

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()


class _ToJournal(logging.Handler):
    """What uvicorn has to say beyond its daily business, as lines of our log, without what clients sent."""

    def __init__(self, journal: Any) -> None:
        super().__init__(logging.ERROR)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        kind = type(record.exc_info[1]).__name__ if record.exc_info and record.exc_info[1] else ""
        self._journal.error("http server", what=record.getMessage().strip(), error=kind)


def _configuration(web: Any, app: App) -> uvicorn.Config:
    config = uvicorn.Config(
        web,
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(app.settings.trusted_proxies),
        forwarded_allow_ips=list(app.settings.trusted_proxies),
        limit_concurrency=CONNECTIONS,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
    )
    logger = logging.getLogger("uvicorn.error")
    logger.handlers = [_ToJournal(app.journal)]
    logger.propagate = False
    return config

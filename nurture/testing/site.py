"""The site of a house on a real server: uvicorn on a free port, in a thread of its own, asked over real sockets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import httpx

from nurture.app import App
from nurture.web.server import Address, WebServer
from nurture.web.site import EVERY_FACE, Face

PATIENCE = 30.0


class Served:
    """A site that is up. `client` asks it; `woken` counts how often the pump would have been woken."""

    def __init__(self, server: WebServer) -> None:
        self.server = server
        self.woken = 0
        self.url = f"http://{server.address}"
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE)

    @property
    def port(self) -> int:
        return self.server.address.port


@contextmanager
def serving(app: App, faces: Collection[Face] = EVERY_FACE, *, host: str = "127.0.0.1") -> Iterator[Served]:
    """The site of `app` (`house.app`) on a real server until the block ends."""
    ready, failed = threading.Event(), []
    server = WebServer(app, Address(host, 0), faces)
    served: list[Served] = []
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def wake() -> None:
        served[0].woken += 1

    async def serve() -> None:
        await server.start(wake)
        served.append(Served(server))
        over = asyncio.Event()
        ends.append((asyncio.get_running_loop(), over))
        ready.set()
        await over.wait()
        await server.stop(1.0)

    def work() -> None:
        try:
            asyncio.run(serve())  # which also ends what a request has left behind
        except BaseException as error:  # noqa: BLE001 - raised again where the test can see it
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=work, name="site")
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        if failed:
            raise failed[0]
        yield served[0]
    finally:
        if served:
            served[0].client.close()
        for loop, over in ends:
            loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE)

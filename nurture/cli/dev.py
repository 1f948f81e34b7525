"""`nurture dev`: the studio, on this machine, live while files are edited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from nurture.cli.lazy import Command
from nurture.cli.output import faint, say, strong
from nurture.cli.session import Session, pass_session

if TYPE_CHECKING:
    from nurture.web.server import WebServer

GRACE = 1.0  # seconds; pages that listen for changes would never end by themselves


@click.command(cls=Command)
@click.option("--port", type=click.IntRange(0, 65535), default=8026, show_default=True, help="0 takes any free one.")
@click.option("--no-open", is_flag=True, help="Do not open the browser.")
@pass_session
def dev(session: Session, port: int, no_open: bool) -> None:
    """Open the studio: the mails as people see them, live.

    Pages are made from the files of this folder and show every save at once. Only this machine can reach them, and
    nothing is written to the database. It runs until Ctrl-C.
    """
    show_studio(session, port, None if no_open else "")


def show_studio(session: Session, port: int, page: str | None) -> None:
    """Serve the studio until Ctrl-C, and open one of its pages in the browser; None opens none."""
    from nurture.web.server import Address, WebServer
    from nurture.web.site import Face

    server = WebServer(session.app, Address("127.0.0.1", port), frozenset({Face.STUDIO}))
    asyncio.run(_serve(server, page))


async def _serve(server: WebServer, page: str | None) -> None:
    import signal

    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await server.start()
    address = f"http://{server.address}/studio{page or ''}"
    say(strong(f"The studio is at {address}") + faint(" Stop it with Ctrl-C."))
    if page is not None:
        click.launch(address)
    try:
        await ended.wait()
    finally:
        await server.stop(GRACE)

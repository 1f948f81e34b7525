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

PORT = 8026
GRACE = 1.0  # seconds; pages that listen for changes would never end by themselves


@click.command(cls=Command)
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes any free one.")
@click.option("--no-open", is_flag=True, help="Do not open the browser.")
@click.option("--live", is_flag=True, help="Apply every save to a database for trying out, and run its daemon.")
@pass_session
def dev(session: Session, port: int, no_open: bool, live: bool) -> None:
    """Open the studio: the mails as people see them, live.

    Pages are made from the files of this folder and show every save at once. Only this machine can reach them, and
    nothing is written to the database. It runs until Ctrl-C.

    With --live every save that is sound is applied at once, to a database in .nurture/dev, and a daemon works from it:
    events told on the page of the inbox lead to mails that land there. Nothing leaves this machine.
    """
    if live:
        _live(session, port, no_open)
    else:
        show_studio(session, port, None if no_open else "")


def _live(session: Session, port: int, no_open: bool) -> None:
    from nurture.cli.output import Refused
    from nurture.daemon.service import Service
    from nurture.web.studio.live import Live, Workbench

    def opened(address: str) -> None:
        say(strong(f"The studio is at http://{address}/studio") + faint(" Stop it with Ctrl-C."))
        if not no_open:
            click.launch(f"http://{address}/studio")

    bench = Workbench(session.app)
    try:
        live = Live(bench, port, opened)
        live.bring_up()
        if not live.standing.well:
            raise Refused(f"{live.standing.told} nurture validate shows them.")
        bench.require_ready()
        asyncio.run(Service(bench, confirm=True, grace=GRACE, companions=[live]).run())
    finally:
        bench.close()


def show_studio(session: Session, port: int, page: str | None) -> None:
    """Serve the studio until Ctrl-C, and open one of its pages in the browser; None opens none."""
    from nurture.web.server import Address, WebServer
    from nurture.web.site import Face

    server = WebServer(session.app, Address("127.0.0.1", port), frozenset({Face.STUDIO}))
    asyncio.run(_serve(server, page))


def open_page(session: Session, page: str) -> None:
    """Open a page of this folder's studio: of one that runs already, else of one that is served until Ctrl-C."""
    from nurture.web.studio.desk import mark_of

    found = _who_is_at(PORT)
    if found == mark_of(session.app.root):
        address = f"http://127.0.0.1:{PORT}/studio{page}"
        say(strong(f"The studio has it at {address}"))
        click.launch(address)
    else:
        show_studio(session, PORT if found is None else 0, page)


def _who_is_at(port: int) -> str | None:
    """The mark of the studio there; None if nobody listens, "" if it is something else."""
    import json
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/studio/mark")
        told = json.loads(connection.getresponse().read(1000))
        return str(told.get("studio", "")) if isinstance(told, dict) else ""
    except ConnectionRefusedError:
        return None
    except (OSError, HTTPException, ValueError):
        return ""
    finally:
        connection.close()


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

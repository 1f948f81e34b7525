"""`nurture serve`: the HTTP side alone, beside daemons on the same database."""

from __future__ import annotations

import click

from nurture.cli.lazy import Command
from nurture.cli.output import faint, say, strong
from nurture.cli.session import Session, pass_session

DEFAULT = "127.0.0.1:8025"


@click.command(cls=Command)
@click.option("--http", "address", default=DEFAULT, show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option("--faces", metavar="FACES", help="Only these, with commas between; all if not given.")
@pass_session
def serve(session: Session, address: str, faces: str | None) -> None:
    """Serve HTTP without a daemon: events in, people's pages, probes.

    For hosts that only take in what others work on; nurture run --http does both in one process. It runs until SIGTERM
    or Ctrl-C. Other machines reach it through a proxy that speaks TLS.
    """
    from nurture.sending import loop
    from nurture.web.server import Address, WebServer
    from nurture.web.server import serve as serve_until_told
    from nurture.web.site import EVERY_FACE, Face

    names = [name.strip() for name in (faces or "").split(",") if name.strip()]
    unknown = [name for name in names if name not in set(Face)]
    if unknown:
        raise click.UsageError(f"there is no face {unknown[0]!r}; there are {', '.join(sorted(EVERY_FACE))}")
    app = session.app
    _ = session.database
    app.require_ready()
    server = WebServer(app, Address.parse(address), frozenset(Face(name) for name in names) or EVERY_FACE)
    say(strong(f"nurture listens at http://{server.address}") + faint(" Stop it with Ctrl-C."))
    loop.run(serve_until_told(app, server))

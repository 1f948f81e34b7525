"""`nurture deploy`: files that run nurture on a server, as they are shipped."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from nurture.cli.lazy import Command
from nurture.cli.session import Session, pass_session

FILES = {"systemd": "nurture.service", "dockerfile": "Dockerfile", "compose": "compose.yaml"}
PROJECT, PROGRAM, OWNER = "/srv/nurture/shop", "/srv/nurture/.venv/bin/nurture", "User=nurture"


@click.command(cls=Command)
@click.argument("kind", type=click.Choice(sorted(FILES)))
@click.option("--user", default="nurture", show_default=True, help="Whom the daemon runs as, in the systemd unit.")
@pass_session
def deploy(session: Session, kind: str, user: str) -> None:
    """Print a systemd unit, a Dockerfile or a compose file.

    The unit holds the paths of this project and of this installation. Nothing is installed.
    """
    from nurture.shipped import folder

    text = (folder("deploy") / FILES[kind]).read_text(encoding="utf-8")
    if kind == "systemd":
        project = str(session.project.resolve())
        for path in (project, _program()):
            if any(char.isspace() or char in "%\\\"'" for char in path):
                raise click.UsageError(f"{path}: systemd would not take this path as it is; move it to a plain one")
        text = text.replace(PROJECT, project).replace(PROGRAM, _program()).replace(OWNER, f"User={user}")
    click.echo(text, nl=False)


def _program() -> str:
    """The installed command beside this Python, else the one on the path."""
    beside = Path(sys.executable).with_name("nurture")
    return str(beside) if beside.exists() else shutil.which("nurture") or PROGRAM

"""`nurture init`: a folder that validates, previews and runs, without overwriting anything."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from nurture.cli.lazy import Command
from nurture.cli.output import confirm, faint, plural, say, show, strong
from nurture.cli.session import yes_option

GITIGNORE = """\
# Settings with secrets, the database and the local inbox belong to this machine.
.env
*.db
*.db-*
inbox/
.nurture/checked.json
"""

ENV = """\
# Settings of nurture. The environment wins over this file; `nurture doctor` checks them all.

# Signs unsubscribe links and return paths. Keep it: with another one, links in old mails stop working.
NURTURE_SECRET_KEY={secret}

NURTURE_DATABASE_URL=sqlite:///nurture.db

# `inbox` keeps every mail on this machine: read it with `nurture inbox list`. `smtp` sends.
NURTURE_DELIVERY=inbox

# To go live:
# NURTURE_DELIVERY=smtp
# NURTURE_SMTP_URL=smtps://user:password@smtp.example.com:465
# NURTURE_BASE_URL=https://mail.example.com
# While you try it out, only these addresses are ever mailed:
# NURTURE_ALLOW_LIST=you@example.com, *@staging.example.com
"""


@dataclass
class Plan:
    """What stands in the new folder: the files written, and those that were there already."""

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def write(self, root: Path, name: str, content: bytes, mode: int = 0o644) -> None:
        """Create a file. One that exists, or a link of that name, stays as it is."""
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            self.kept.append(name)
            return
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        self.written.append(name)


@click.command(cls=Command)
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=".", metavar="[DIR]")
@yes_option
def init(directory: Path, yes: bool) -> None:
    """Start a project: campaigns, templates, settings.

    Copies the starter programme (a demo shop with its campaigns, mails, example people and tests) into DIR, with
    settings that keep all mail on this machine. Files that are there already are left alone.
    """
    from nurture.language.json_schema import schema
    from nurture.language.schema import FILE_KINDS
    from nurture.shipped import starter

    if directory.is_dir() and any(directory.iterdir()):
        confirm(f"{directory} is not empty. Add nurture's files to it, overwriting none?", yes)
    plan = Plan()
    for name, content in starter().items():
        plan.write(directory, name, with_modeline(name, content))
    for kind in FILE_KINDS:
        plan.write(directory, f".nurture/{kind}.schema.json", as_schema_file(schema(kind)))
    plan.write(directory, ".env", ENV.format(secret=secrets.token_urlsafe(48)).encode(), mode=0o600)
    plan.write(directory, ".gitignore", GITIGNORE.encode())
    show(tree(directory, plan))
    _mind_what_was_kept(directory, plan)
    show()
    show("Next:")
    inside = directory.resolve() == Path.cwd()
    show(f"  {'' if inside else f'cd {shlex.quote(str(directory))} && '}nurture validate")
    show("  nurture db upgrade && nurture apply")


def kind_of(name: str) -> str | None:
    """The kind of schema a file of a project follows, None for files without one."""
    if name == "campaigns/_project.yaml":
        return "project"
    if name == "campaigns/_segments.yaml":
        return "segments"
    if name in {"campaigns/_events.yaml", "campaigns/_webhooks.yaml", "campaigns/behaviour.yaml"}:
        return name.removeprefix("campaigns/").removeprefix("_").removesuffix(".yaml")
    if not name.startswith("campaigns/") or not name.endswith((".yaml", ".yml")):
        return None
    folders = name.split("/")[1:-1]
    return {"people": "person", "tests": "test"}.get(folders[0], "campaign") if folders else "campaign"


def with_modeline(name: str, content: bytes) -> bytes:
    """The file with the line that tells editors its schema, on top."""
    kind = kind_of(name)
    if kind is None or content.startswith(b"# yaml-language-server:"):
        return content
    up = "../" * name.count("/")
    return f"# yaml-language-server: $schema={up}.nurture/{kind}.schema.json\n".encode() + content


def as_schema_file(schema: Mapping[str, object]) -> bytes:
    import json

    return (json.dumps(schema, indent=2, ensure_ascii=False) + "\n").encode()


def tree(directory: Path, plan: Plan) -> str:
    """The new folder with a phrase for each part of it."""
    names = [*plan.written, *plan.kept]

    def count(start: str, suffixes: tuple[str, ...]) -> int:
        inner = (name.removeprefix(start) for name in names if name.startswith(start) and name.endswith(suffixes))
        return sum(not name.startswith(("_", "people/", "tests/", "brand.")) for name in inner)

    campaigns = count("campaigns/", (".yaml",))
    mails = count("email_templates/", (".html", ".md"))
    people = sum(name.startswith("campaigns/people/") for name in names)
    stories = sum(name.startswith("campaigns/tests/") for name in names)
    lines = [
        ("  campaigns/", f"{plural(campaigns, 'campaign')}, one a file: who gets what, and when"),
        ("    _project.yaml", "lifecycle, senders, caps, quiet hours: the rules over all of them"),
        ("    _segments.yaml", "groups of people by name"),
        ("    people/", f"{plural(people, 'example person', 'example people')}, for previews and tests"),
        ("    tests/", f"{plural(stories, 'story', 'stories')} with the mails they must lead to"),
        ("  email_templates/", f"{plural(mails, 'mail')}"),
        ("    _layouts/ _parts/", "what the mails share"),
        ("    brand.yaml", "colours, fonts, address"),
        ("  .nurture/", "schemas: your editor completes and checks campaign files"),
        ("  .env", "settings and the secret key; only you can read it"),
        ("  .gitignore", "keeps secrets, the database and mail out of git"),
    ]
    width = max(len(name) for name, _ in lines) + 2
    title = strong(f"{directory.resolve().name}/")
    return "\n".join([title, *(f"{name.ljust(width)}{faint(phrase)}" for name, phrase in lines)])


def _mind_what_was_kept(directory: Path, plan: Plan) -> None:
    if plan.kept:
        shown = ", ".join(plan.kept[:3]) + (", ..." if len(plan.kept) > 3 else "")
        say(f"{plural(len(plan.kept), 'file was', 'files were')} there already and stayed as they were: {shown}")
    env = directory / ".env"
    if ".env" in plan.kept and not (env.is_file() and b"NURTURE_SECRET_KEY" in env.read_bytes()):
        say(f"{env} has no NURTURE_SECRET_KEY; add a line with 32 random characters or more.")

"""Groups whose commands are imported when they are called, and a calm help page."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from nurture.cli.session import Session

HELP = ("-h", "--help")


class Command(click.Command):
    """A command that works in the project's folder."""

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The same wherever the context comes from: click keeps what it makes for the first one."""
        return list(HELP)

    def invoke(self, ctx: click.Context) -> Any:
        with contextlib.chdir(ctx.ensure_object(Session).project):
            return super().invoke(ctx)


class Group(click.Group):
    """Commands by name, each a `module:attribute` and one line of help.

    The line stands here so that help pages need no import; a test holds it equal to the command's own. `sections` puts
    the commands of a help page in order, under headings.
    """

    command_class = Command

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, tuple[str, str]] | None = None,
        sections: Mapping[str, tuple[str, ...]] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(*args, **extra)
        self.lazy = dict(lazy or {})
        self.sections = dict(sections or {})

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(HELP)

    def list_commands(self, ctx: click.Context) -> list[str]:
        known = [*self.lazy, *(name for name in super().list_commands(ctx) if name not in self.lazy)]
        shown = [name for names in self.sections.values() for name in names]
        return [*shown, *(name for name in known if name not in shown)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean {ctx.command_path} {near[0]}?" if near else f" {ctx.command_path} --help lists them."
            ctx.fail(f"There is no command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections = self.sections or {"Commands": tuple(self.list_commands(ctx))}
        width = max(len(name) for names in sections.values() for name in names)
        for title, names in sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), self._line(ctx, name)) for name in names])

    def _line(self, ctx: click.Context, name: str) -> str:
        if name in self.lazy:
            return self.lazy[name][1]
        command = self.get_command(ctx, name)
        return command.get_short_help_str(200) if command else ""

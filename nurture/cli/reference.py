"""The reference of every command, made of its help: `python -m nurture.cli.reference > docs/cli.md`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from nurture.cli.main import root

INTRODUCTION = """\
# The command line

Every command with its help, made by `python -m nurture.cli.reference > docs/cli.md`; a test holds it up to date.

Answers go to stdout, the story and errors to stderr. Exit codes: 0 fine, 1 problems found, 2 wrong usage, 3 the
environment (settings, database, relay), 130 interrupted. With `--json` a command answers
`{"ok": ..., "data": ..., "problems": [...]}`. What changes something beyond the project folder asks first, or takes
`--yes`; without a terminal to ask on, and without `--yes`, it refuses with exit code 2.
"""


def reference() -> str:
    """The whole reference as Markdown."""
    parts = [INTRODUCTION]
    for depth, ctx in contexts():
        parts.append(f"{'#' * (depth + 2)} {ctx.command_path}\n\n```text\n{help_text(ctx)}\n```\n")
    return "\n".join(parts)


def contexts() -> Iterator[tuple[int, click.Context]]:
    """Every command with its depth: `nurture` is 0, `nurture db` 1, `nurture db upgrade` 2."""
    yield from _below(click.Context(root, info_name="nurture", terminal_width=100, **root.context_settings), 0)


def _below(ctx: click.Context, depth: int) -> Iterator[tuple[int, click.Context]]:
    yield depth, ctx
    if isinstance(ctx.command, click.Group):
        for name in ctx.command.list_commands(ctx):
            command = ctx.command.get_command(ctx, name)
            assert command is not None
            yield from _below(click.Context(command, parent=ctx, info_name=name), depth + 1)


def help_text(ctx: click.Context) -> str:
    """A command's help page without colours."""
    return click.unstyle(ctx.get_help()).rstrip()


if __name__ == "__main__":
    click.echo(reference(), nl=False)

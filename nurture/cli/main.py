"""The `nurture` command: global options, and every error as one clear message with an exit code.

Exit codes: 0 fine, 1 problems found, 2 wrong usage, 3 the environment (settings, database, relay), 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nurture.cli.lazy import Group
from nurture.cli.session import Session
from nurture.errors import ConfigurationError, NurtureError, StorageError

PROBLEMS, USAGE, ENVIRONMENT, INTERRUPTED = 1, 2, 3, 130

COMMANDS = {
    "init": ("nurture.cli.init:init", "Start a project: campaigns, templates, settings."),
    "validate": ("nurture.cli.validate:validate", "Find every mistake in the campaign files and templates."),
    "schema": ("nurture.cli.schema:schema", "Print the JSON Schema of a kind of file, for editors."),
    "dev": ("nurture.cli.dev:dev", "Open the studio: the mails as people see them, live."),
    "simulate": ("nurture.cli.simulate:simulate", "Say what would happen, on a virtual clock."),
    "preview": ("nurture.cli.preview:preview", "Show a mail as a person would get it."),
    "send-test": ("nurture.cli.send_test:send_test", "Send a mail to yourself through the real sender."),
    "test": ("nurture.cli.stories:test", "Play the stories beside the campaigns."),
    "plan": (
        "nurture.cli.apply:plan",
        "Show what applying these files would change, and for whom.",
    ),
    "revisions": ("nurture.cli.revisions:revisions", "See what was applied, when and by whom."),
    "apply": ("nurture.cli.apply:apply", "Make the files of this folder what the daemons do."),
    "run": ("nurture.cli.run:run", "Run the daemon: decide, send, follow up."),
    "serve": ("nurture.cli.serve:serve", "Serve HTTP without a daemon: events in, people's pages, probes."),
    "status": ("nurture.cli.status:status", "Say how things stand: what is due, sent, paused, wrong."),
    "stop-sending": ("nurture.cli.sending:stop_sending", "Stop all sending at once, on every daemon."),
    "start-sending": ("nurture.cli.sending:start_sending", "Let all sending go on after a stop."),
    "inbox": ("nurture.cli.inbox:inbox", "Read the mail that stayed on this machine."),
    "events": ("nurture.cli.events:events", "Tell nurture what somebody did."),
    "feedback": ("nurture.cli.feedback:feedback", "Take in what came back: bounces, complaints, unsubscribes."),
    "import": ("nurture.cli.imports:import_", "Bring in contacts from a CSV file."),
    "contacts": ("nurture.cli.contacts:contacts", "Look people up, export, suppress or erase them."),
    "campaigns": ("nurture.cli.campaigns:campaigns", "See and steer the applied campaigns."),
    "explain": ("nurture.cli.explain:explain", "Why somebody got a mail, or did not, and what comes next."),
    "forms": ("nurture.cli.forms:forms", "Show the sign-up forms, and how to put one into a page."),
    "keys": ("nurture.cli.keys:keys", "Say who may use the HTTP API, and for what."),
    "webhooks": ("nurture.cli.webhooks:webhooks", "See and repair the calls to other systems."),
    "hubspot": ("nurture.cli.hubspot:hubspot", "Take in what has changed in HubSpot; see how far that is."),
    "audit": ("nurture.cli.audit:audit", "Recount the ledger and prove the promises."),
    "db": ("nurture.cli.db:db", "Upgrade, check and back up the database."),
    "doctor": ("nurture.cli.doctor:doctor", "Check everything sending depends on, with a fix for each."),
    "deploy": ("nurture.cli.deploy:deploy", "Print a systemd unit, a Dockerfile or a compose file."),
    "demo": ("nurture.cli.demo:demo", "Watch sixty days of a demo shop in under a minute."),
}

SECTIONS = {
    "Write": ("init", "dev", "validate", "schema", "test", "simulate", "preview", "send-test"),
    "Run": ("plan", "apply", "revisions", "run", "serve", "status", "stop-sending", "start-sending", "inbox"),
    "People": ("events", "feedback", "import", "contacts", "forms", "campaigns"),
    "Ask": ("explain", "audit"),
    "Operate": ("keys", "webhooks", "hubspot", "db", "doctor", "deploy", "demo"),
}


class Root(Group):
    """The whole command. Every way out passes here, so that tests and terminals see the same codes."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = "nurture",
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        session = extra.setdefault("obj", Session())
        try:
            # Outside standalone mode click returns the code that ctx.exit was given.
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            code = code if isinstance(code, int) else 0
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read us has stopped; stdout must not complain again when the interpreter ends.
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
            code = 0
        except Exception as error:  # noqa: BLE001 - the last line of defence: every error becomes a message and a code
            code = report(error, session)
        except KeyboardInterrupt:
            click.echo("\nInterrupted.", err=True)
            code = INTERRUPTED
        finally:
            session.close()
        if not standalone_mode:
            return code
        sys.exit(code)


def report(error: Exception, session: Session) -> int:
    """Tell an error in the house tone, and return the exit code it deserves."""
    if isinstance(error, click.exceptions.Abort):
        click.echo("\nInterrupted.", err=True)
        return INTERRUPTED
    if isinstance(error, click.UsageError):
        error.show()
        return USAGE
    message, code = _told(error)
    if session.json:
        from nurture.cli.output import envelope

        click.echo(envelope(None, [{"severity": "error", "message": message}], ok=False))
    if message:
        click.echo(click.style("error: ", fg="red") + message if code == ENVIRONMENT else message, err=True)
    if session.verbosity > 1:
        click.echo("".join(traceback.format_exception(error)), err=True)
    return code


def _told(error: Exception) -> tuple[str, int]:
    if isinstance(error, click.ClickException):
        return error.format_message(), error.exit_code
    if isinstance(error, (ConfigurationError, StorageError)):
        return str(error), ENVIRONMENT
    if isinstance(error, NurtureError):
        return str(error), PROBLEMS
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or error}", ENVIRONMENT
    what = f"nurture itself failed ({type(error).__name__}: {error}). This is a mistake of ours"
    return f"{what}: run the command again as nurture -vv ..., and report what it prints.", PROBLEMS


def _print_version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from nurture import __version__

        click.echo(f"nurture {__version__}")
        ctx.exit()


@click.group(
    cls=Root,
    lazy=COMMANDS,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Nothing leaves this machine until NURTURE_DELIVERY=smtp is set.",
)
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    default=".",
    metavar="DIR",
    help="The project's folder; this one if not given.",
)
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, resolve_path=True, path_type=Path),
    metavar="FILE",
    help="Settings to read instead of .env.",
)
@click.option("--no-color", is_flag=True, help="No colours. NO_COLOR and FORCE_COLOR are obeyed too.")
@click.option("-q", "--quiet", is_flag=True, help="Only the answer, not the story.")
@click.option("-v", "--verbose", count=True, help="Tell more; -vv shows tracebacks.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="The version."
)
@click.pass_context
def root(ctx: click.Context, project: Path, env_file: Path | None, no_color: bool, quiet: bool, verbose: int) -> None:
    """Lifecycle e-mail as code: who gets what, when and why, in files; one daemon that does it."""
    session = ctx.ensure_object(Session)
    session.project = project
    session.env_file = env_file
    session.verbosity = -1 if quiet else verbose
    if no_color or os.environ.get("NO_COLOR"):
        ctx.color = False
    elif os.environ.get("FORCE_COLOR"):
        ctx.color = True


def main() -> None:
    """The installed command."""
    root.main()

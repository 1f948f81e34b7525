"""The frame every command stands in: help, errors, exit codes, colours, and a quick start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from nurture import __version__
from nurture.cli.lazy import Group
from nurture.cli.main import COMMANDS, SECTIONS, root
from nurture.cli.output import printable, table
from nurture.cli.reference import contexts, reference
from tests.cli.conftest import Shop

REPOSITORY = Path(__file__).parents[2]
HEAVY = (
    "sqlalchemy",
    "sqlmodel",
    "alembic",
    "pydantic",
    "jinja2",
    "premailer",
    "lxml",
    "aiosmtplib",
    "apscheduler",
    "rich",
    "ruamel",
)


def in_a_process(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nurture", *args],
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
        check=False,
    )


def test_the_first_page_of_help_lists_every_command() -> None:
    told = CliRunner().invoke(root, ["--help"]).stdout
    for name, (_, line) in COMMANDS.items():
        assert f"  {name.ljust(max(map(len, COMMANDS)))}  {line}" in told
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(COMMANDS)


def test_help_lines_are_those_of_the_commands_themselves() -> None:
    ctx = click.Context(root)
    for name, (_, line) in COMMANDS.items():
        command = root.get_command(ctx, name)
        assert command is not None
        assert (command.help or "").strip().splitlines()[0] == line
        assert command.name == name


def test_every_command_has_help_for_itself_and_all_its_options() -> None:
    for _, ctx in contexts():
        assert (ctx.command.help or "").strip(), ctx.command_path
        assert (ctx.command.help or "").splitlines()[0].rstrip().endswith((".", "?")), ctx.command_path
        for option in ctx.command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{ctx.command_path} {option.name}"


def test_every_command_that_reads_answers_as_json() -> None:
    changes_or_prints = {
        "init", "dev", "schema", "run", "serve", "apply", "export", "suppress", "unsuppress", "erase", "upgrade",
        "backup", "copy-to", "pause", "resume", "enrol", "eject", "stop-sending", "start-sending", "deploy",
    }  # fmt: skip
    for _, ctx in contexts():
        if not isinstance(ctx.command, Group) and ctx.command.name not in changes_or_prints:
            assert "--json" in [name for option in ctx.command.params for name in option.opts], ctx.command_path


def test_the_reference_in_the_docs_is_up_to_date() -> None:
    kept = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")
    assert kept == reference(), "run: python -m nurture.cli.reference > docs/cli.md"


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys, nurture.cli.main as m\n"
        "try: m.root.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(root, ["--version"]).stdout == f"nurture {__version__}\n"


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    result = CliRunner().invoke(root, ["vaildate"], prog_name="nurture")
    assert result.exit_code == 2
    assert "There is no command 'vaildate'. Did you mean nurture validate?" in result.stderr
    result = CliRunner().invoke(root, ["inbox", "lst"], prog_name="nurture")
    assert "Did you mean nurture inbox list?" in result.stderr


def test_a_missing_project_is_the_environments_fault(tmp_path: Path) -> None:
    result = CliRunner().invoke(root, ["--project", str(tmp_path), "validate"])
    assert result.exit_code == 3
    assert result.stderr.startswith("error: ")
    assert "has no campaigns folder; run nurture init there" in result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_settings_are_all_told_at_once(shop: Shop) -> None:
    shop.write(".env", "NURTURE_DELIVERY=pigeon\nNURTURE_SECRET=x\n")
    told = shop("status", code=3).stderr
    assert "NURTURE_DELIVERY" in told
    assert "NURTURE_SECRET is not a setting" in told


def test_an_error_is_an_answer_in_json_too(shop: Shop) -> None:
    answer = shop.json("contacts", "list", code=3)
    assert answer["ok"] is False
    assert answer["data"] is None
    assert "Run nurture db upgrade" in answer["problems"][0]["message"]


def test_a_mistake_of_ours_is_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch, shop: Shop) -> None:
    def broken(_root: Path) -> dict[str, str]:
        raise KeyError("oops")

    monkeypatch.setattr("nurture.language.source.read_project", broken)
    told = shop("validate", code=1).stderr
    assert "This is a mistake of ours" in told
    assert "Traceback" not in told
    assert "Traceback" in shop("-vv", "validate", code=1).stderr


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, shop: Shop) -> None:
    def interrupted(_root: Path) -> dict[str, str]:
        raise KeyboardInterrupt

    monkeypatch.setattr("nurture.language.source.read_project", interrupted)
    assert shop("validate", code=130).stderr.strip() == "Interrupted."


def test_a_reader_that_stops_reading_is_no_error(shop: Shop) -> None:
    command = f"{sys.executable} -m nurture --project {shop.folder} schema | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "{\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("environ", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)]
)
def test_colours_are_for_terminals_unless_somebody_says_otherwise(
    shop: Shop, environ: dict[str, str], coloured: bool
) -> None:
    done = in_a_process("--project", str(shop.folder), "validate", **environ)
    assert ("\x1b[" in done.stdout) is coloured


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – übung 日本", "plain – übung 日本"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\r\nb\tc", "a b\\x09c"),
        ("\u202eright to left", "\\u202eright to left"),
        ("\x9b5m", "\\x9b5m"),
        ("half \ud800", "half \\ud800"),
        (None, "-"),
    ],
)
def test_data_cannot_speak_to_the_terminal(text: str | None, shown: str) -> None:
    assert printable(text) == shown


def test_tables_line_up_with_wide_characters() -> None:
    assert click.unstyle(table(("name", "n"), [("日本", 1), ("ab", 10)], right=frozenset({1}))) == (
        "name   n\n日本   1\nab    10"
    )


def test_the_global_options_reach_the_commands(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "other.env").write_text(f"NURTURE_SECRET_KEY={'z' * 40}\nNURTURE_INBOX=elsewhere\n")
    assert "No mail in elsewhere." in shop("--env-file", str(tmp_path / "other.env"), "inbox", "list").stdout
    assert json.loads(shop("inbox", "list", "--json").stdout)["data"] == []

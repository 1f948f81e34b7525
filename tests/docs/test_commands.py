"""What the documentation tells people to type exists, and the ten minutes of the README work as written."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import click
import pytest

from nurture.cli.main import root
from nurture.testing.doc_examples import PAGES, examples, page
from nurture.testing.smtp import ScriptedServer

SHELL = examples("sh")
PORT = 2525


def commands() -> list[tuple[str, str]]:
    """Every call of nurture: in blocks for the shell, and in the text if it has more than one word."""
    blocks = [(str(one), line) for one in SHELL for line in re.findall(r"\bnurture [^&\n]*", one.text)]
    texts = [
        (name, found) for name in PAGES for found in re.findall(r"`(nurture [^`]+)`", " ".join(page(name).split()))
    ]
    return [(place, text.partition(" #")[0].partition(" <")[0]) for place, text in [*blocks, *texts]]


@pytest.mark.parametrize(("place", "text"), sorted(set(commands())))
def test_every_command_that_is_told_can_be_typed(place: str, text: str) -> None:
    words = shlex.split(text)[1:]
    command: click.Command = root
    context = click.Context(root, info_name="nurture")
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"{place}: there is no command {text}"
        command, words = found, words[1:]
        context = click.Context(command, parent=context)

    command.make_parser(context).parse_args(words)


def path() -> list[list[str]]:
    """The commands of the README's blocks marked `sh path`, one after the other, in words."""
    lines = "\n".join(one.text for one in SHELL if one.page == "README.md" and one.kind == "path").splitlines()
    return [shlex.split(part) for line in lines for part in line.split(" && ") if part]


def test_the_ten_minutes_of_the_readme_work_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("NURTURE_")]:
        monkeypatch.delenv(name)
    with ScriptedServer() as server:
        for first, *words in path():
            if first == "cd":
                monkeypatch.chdir(tmp_path / words[0])
            elif first == "export":
                for word in words:
                    name, _, value = word.partition("=")
                    monkeypatch.setenv(name, value.replace(f":{PORT}", f":{server.port}"))
            else:
                assert first == "nurture"
                assert root.main(words, standalone_mode=False) == 0, f"{words}: {capsys.readouterr()}"

    told = capsys.readouterr().out
    assert "anna@example.com  stage consideration" in told
    assert "sends received" in told, "the answer to the request goes at once, at any hour"
    recipients = [recipient for message in server.messages for recipient in message.recipients]
    assert {"you@example.com", "ben@example.com"} <= set(recipients)


def test_the_server_of_the_readme_is_the_one_that_is_sent_to() -> None:
    (server,) = (one.text for one in SHELL if one.kind == "server")

    assert server.strip() == f"python -m aiosmtpd -n -l 127.0.0.1:{PORT}"
    assert any(f"NURTURE_SMTP_URL=smtp://127.0.0.1:{PORT}" in words for words in path())

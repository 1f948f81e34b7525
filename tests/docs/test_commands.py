"""What the documentation tells people to type exists, and the ten minutes of the README work as written."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass
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


def path(page: str = "README.md") -> list[list[str]]:
    """What a page's blocks marked `sh path` tell to type, one after the other, in words; and `save FILE` by the way."""
    told = []
    for one in sorted(examples("sh", "yaml", "markdown"), key=lambda one: one.line):
        if one.page != page:
            continue
        if one.file:
            told.append(["save", one.file, one.text])
        elif one.kind == "path":
            told += [shlex.split(part) for line in one.text.splitlines() for part in line.split(" && ") if part]
    return told


@dataclass
class Walked:
    """What a page told to do, done in `folder`: what each command answered, and the mails the server got."""

    folder: Path
    said: dict[str, str]
    recipients: set[str]


def walk(page: str, folder: Path, checked: Path | None = None) -> Walked:
    """Do what a page tells. `checked` is what `nurture validate` remembers of the same templates: it saves time."""
    said: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch, ScriptedServer() as server:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("NURTURE_")]:
            patch.delenv(name)
        for first, *words in path(page):
            if first == "cd":
                patch.chdir(folder / words[0])
                if checked is not None:
                    shutil.copy(checked, ".nurture/")
            elif first == "save":
                Path(words[0]).parent.mkdir(parents=True, exist_ok=True)
                Path(words[0]).write_text(words[1], encoding="utf-8")
            elif first == "export":
                for word in words:
                    name, _, value = word.partition("=")
                    patch.setenv(name, value.replace(f":{PORT}", f":{server.port}"))
            else:
                assert first == "nurture"
                with redirect_stdout(io.StringIO()) as out:
                    assert root.main(words, standalone_mode=False) == 0, f"{words}: {out.getvalue()}"
                said[" ".join(words)] = out.getvalue()
    return Walked(folder, said, {recipient for message in server.messages for recipient in message.recipients})


@pytest.fixture(scope="module")
def ten_minutes(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    return walk("README.md", tmp_path_factory.mktemp("readme"))


def test_the_ten_minutes_of_the_readme_work_as_written(ten_minutes: Walked) -> None:
    told = "".join(ten_minutes.said.values())
    assert "anna@example.com  stage consideration" in told
    assert "sends received" in told, "the answer to the request goes at once, at any hour"
    assert {"you@example.com", "ben@example.com"} <= ten_minutes.recipients


def test_the_first_campaign_is_seen_in_the_inbox_as_written(ten_minutes: Walked, tmp_path: Path) -> None:
    said = walk("docs/first-campaign.md", tmp_path, ten_minutes.folder / "shop/.nurture/checked.json").said

    assert said["validate --strict"].endswith("files fine.\n")
    assert "2 stories" in said["test -k tomato"]
    assert "tomato-guide is new" in said["plan"]
    assert "Your tomato guide" in said["inbox list"]
    assert "Hi Anna, here is the guide" in said["inbox show 1"]
    assert "sends tip" in " ".join(said["explain anna@example.com"].split())


def test_the_server_of_the_readme_is_the_one_that_is_sent_to() -> None:
    (server,) = (one.text for one in SHELL if one.kind == "server")

    assert server.strip() == f"python -m aiosmtpd -n -l 127.0.0.1:{PORT}"
    assert any(f"NURTURE_SMTP_URL=smtp://127.0.0.1:{PORT}" in words for words in path())

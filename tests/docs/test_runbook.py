"""Every block of the runbook is done as written, in a shop where people are under way."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from nurture.cli.main import root
from nurture.testing.doc_examples import Example, examples
from tests.cli.conftest import Shop, Shops

RUNBOOK = [one for one in examples("sh") if one.page == "docs/operations.md" and one.kind == "runbook"]
OTHERS = {"sudo", "systemctl", "pip"}  # what is not ours, and not run here
JUDGES = {"status", "doctor"}  # they exit with 1 or 3 for what they find


@pytest.fixture(scope="session")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Shops:
    return Shops(tmp_path_factory.mktemp("shops"))


@pytest.fixture
def shop(shops: Shops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """With a backup of it beside it, and what happened since."""
    made = shops.copy("busy", tmp_path)
    for person in ("carl", "dora"):
        made("events", "send", "Newsletter Subscribed", "--email", f"{person}@example.com")
    made("run", "--once")
    monkeypatch.chdir(made.folder)
    made("db", "backup", "backup.db")
    made.write(
        "since.jsonl", '{"event": "Order Completed", "email": "anna@example.com", "properties": {"order_id": 9}}\n'
    )
    return made


def takes(words: list[str], option: str) -> bool:
    command: click.Command = root
    context = click.Context(root)
    for word in words:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(context, word) or command
    return any(option in parameter.opts for parameter in command.params)


def do(shop: Shop, line: str) -> None:
    command, _, source = line.partition(" < ")
    first, *words = shlex.split(command)
    if first in OTHERS:
        return
    if first in {"mv", "cp", "rm"}:
        subprocess.run([first, *words], cwd=shop.folder, check=True)
        return
    assert first == "nurture", f"say what {first} is"
    if words[:2] == ["db", "backup"]:
        Path(words[2]).unlink(missing_ok=True)
    if takes(words, "--yes"):
        words.append("--yes")  # there is no terminal to be asked on
    stdin = Path(source).read_text(encoding="utf-8") if source else None
    result = shop(*words, stdin=stdin, code=None)
    allowed = {0, 1, 3} if words[-1] in JUDGES or words[0] in JUDGES else {0}
    assert result.exit_code in allowed, f"{line}: {result.output}"
    assert "Traceback" not in result.output


@pytest.mark.parametrize("block", RUNBOOK, ids=str)
def test_every_block_of_the_runbook_can_be_done_as_written(shop: Shop, block: Example) -> None:
    for line in block.text.splitlines():
        do(shop, line)


def test_after_a_restore_as_written_the_shop_goes_on_with_what_it_was_told(shop: Shop) -> None:
    (block,) = (one for one in RUNBOOK if "cp backup.db" in one.text)
    for line in block.text.splitlines():
        do(shop, line)
    assert shop.json("status", code=0)["data"]["hold"] is None
    people = {one["email"] for one in shop.json("contacts", "list")["data"]}
    assert "dora@example.com" not in people
    assert "Order Completed" in shop("explain", "anna@example.com", "--last", "50").stdout


def test_every_alarm_is_explained_by_the_name_it_has() -> None:
    from nurture.engine import standing
    from nurture.testing.doc_examples import page

    source = Path(standing.__file__).read_text(encoding="utf-8")
    names = set(re.findall(r'Finding\(\s*"(\w+)"', source)) | {"template_error", "turn_failed", "webhook_failed"}
    told = page("docs/operations.md").partition("## When something goes wrong")[2].partition("###")[0]
    assert names, source
    assert {name for name in names if f"`{name}`" not in told} == set()


def test_the_runbook_has_a_block_for_each_of_its_matters() -> None:
    commands = "\n".join(one.text for one in RUNBOOK)
    for told in ("db backup", "run --once --confirm", "db upgrade", "stop-sending", "start-sending", "doctor", "audit"):
        assert f"nurture {told}" in commands

"""`nurture init`, `validate`, `schema` and `test`: what needs files only."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nurture.cli.init import kind_of, with_modeline
from nurture.cli.main import root
from nurture.settings import load
from nurture.shipped import starter
from tests.cli.conftest import Shop


def init(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(root, ["init", *args], prog_name="nurture")
    assert result.exit_code == code, result.output
    return result


def test_a_new_folder_ends_with_exactly_two_commands(tmp_path: Path) -> None:
    told = init(str(tmp_path / "my-shop")).stdout
    assert told.startswith("my-shop/\n  campaigns/ ")
    assert told.partition("\nNext:\n")[2] == (
        f"  cd {tmp_path / 'my-shop'} && nurture validate\n  nurture db upgrade && nurture apply\n"
    )


def test_every_file_of_the_starter_is_there_with_its_schema(tmp_path: Path) -> None:
    init(str(tmp_path / "shop"))
    for name in starter():
        first = (tmp_path / "shop" / name).read_text(encoding="utf-8").splitlines()[0]
        if kind_of(name):
            start, _, schema = first.partition("$schema=")
            assert start == "# yaml-language-server: "
            assert json.loads((tmp_path / "shop" / name).parent.joinpath(schema).read_text(encoding="utf-8"))["$schema"]


def test_the_secret_is_new_each_time_and_for_the_owner_alone(tmp_path: Path) -> None:
    secrets = set()
    for name in ("one", "two"):
        init(str(tmp_path / name))
        path = tmp_path / name / ".env"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        secret = load(path, {}).secret_key
        assert secret is not None
        secrets.add(secret.get_secret_value())
    assert len(secrets) == 2


def test_git_is_told_to_leave_secrets_and_data_alone(tmp_path: Path) -> None:
    init(str(tmp_path / "shop"))
    assert {".env", "*.db", "inbox/"} <= set((tmp_path / "shop" / ".gitignore").read_text().splitlines())


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "campaigns").mkdir()
    mine = tmp_path / "campaigns" / "birthday.yaml"
    mine.write_text("mine\n")
    outside = tmp_path / "outside"
    (tmp_path / ".env").symlink_to(outside)
    told = init(str(tmp_path), "--yes")
    assert mine.read_text() == "mine\n"
    assert not outside.exists()
    assert "2 files were there already and stayed as they were: campaigns/birthday.yaml, .env" in told.stderr


def test_a_settings_file_without_a_secret_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NURTURE_DELIVERY=inbox\n")
    assert "has no NURTURE_SECRET_KEY; add a line" in init(str(tmp_path), "--yes").stderr


def test_a_folder_with_files_asks_first(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    told = init(str(tmp_path), code=2).stderr
    assert "is not empty. Add nurture's files to it, overwriting none?" in told
    assert "add --yes" in told
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("campaigns/_project.yaml", "project"),
        ("campaigns/_segments.yaml", "segments"),
        ("campaigns/welcome.yaml", "campaign"),
        ("campaigns/people/ana.yaml", "person"),
        ("campaigns/tests/one.yaml", "test"),
        ("email_templates/brand.yaml", None),
        ("email_templates/a/b.html", None),
    ],
)
def test_each_kind_of_file_has_its_schema(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


def test_a_modeline_is_written_once() -> None:
    once = with_modeline("campaigns/tests/one.yaml", b"test: x\n")
    assert once == b"# yaml-language-server: $schema=../../.nurture/test.schema.json\ntest: x\n"
    assert with_modeline("campaigns/tests/one.yaml", once) == once


def test_schemas_can_be_printed_and_written_again(shop: Shop) -> None:
    assert "steps" in json.loads(shop("schema").stdout)["properties"]
    assert json.loads(shop("schema", "person").stdout)["$id"] == "nurture/person.schema.json"
    shop("schema", "--write")
    assert len(list((shop.folder / ".nurture").glob("*.schema.json"))) == 9


# --- validate


def test_a_sound_project_is_told_so_in_one_line(shop: Shop) -> None:
    assert shop("validate").stdout == "10 files fine.\n"


def test_a_mistake_is_told_with_its_line_and_what_to_write(shop: Shop) -> None:
    shop.edit("campaigns/welcome.yaml", "send: welcome/hello", "send: welcome/helo")
    result = shop("validate", code=1)
    assert result.stdout == (
        'campaigns/welcome.yaml:15:11  error N203  no template "welcome/helo"\n'
        "  14 |   - id: hello\n"
        "  15 |     send: welcome/helo\n"
        "     |           ^ did you mean welcome/hello?\n"
        "1 file with problems (1 error), 9 fine.  nurture validate --fix can repair 1.\n"
    )


def test_templates_wait_for_the_project_file_they_are_judged_by(shop: Shop) -> None:
    shop.edit("campaigns/_project.yaml", "postal_address:", "postal_adress:")
    told = "The templates are checked once the project file and the brand have no errors."
    assert told in shop("validate", code=1).stderr


def test_a_mistake_in_a_template_is_told_the_same_way(shop: Shop) -> None:
    shop.edit("email_templates/welcome/story.html", "It is made of cotton.", "It is made of {{ contact.fibre }}.")
    told = shop("validate", code=1).stdout
    assert told.startswith("email_templates/welcome/story.html:8:1  error N4")
    assert "   8 | <p>It is made of {{ contact.fibre }}.</p>\n" in told


def test_what_is_beyond_doubt_is_repaired(shop: Shop) -> None:
    shop.edit("campaigns/welcome.yaml", "send: welcome/hello", "send: welcome/helo")
    result = shop("validate", "--fix")
    assert result.stdout == "10 files fine.\n"
    assert "Repaired 1 line." in result.stderr
    assert "    send: welcome/hello\n" in (shop.folder / "campaigns/welcome.yaml").read_text()


def test_problems_can_be_asked_for_one_file(shop: Shop) -> None:
    shop.edit("campaigns/welcome.yaml", "send: welcome/hello", "send: welcome/helo")
    assert shop("validate", "campaigns/receipt.yaml").exit_code == 0
    assert shop("validate", "campaigns/welcome.yaml", code=1)
    assert "is no file of this project" in shop("validate", "campaigns/nope.yaml", code=2).stderr


def test_templates_that_are_as_they_were_are_not_compiled_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    import nurture.engine.check as module

    shop("schema", "--write")
    shop.edit("email_templates/welcome/story.html", "It is made of cotton.", "It is made of {{ contact.fibre }}.")
    told = shop("validate", code=1).stdout
    compiled: list[str] = []
    check_template = module.check_template

    def watched(renderer: Any, name: str, **asked: Any) -> Any:
        compiled.append(name)
        return check_template(renderer, name, **asked)

    monkeypatch.setattr(module, "check_template", watched)
    assert shop("validate", code=1).stdout == told
    assert compiled == []
    shop.edit("email_templates/welcome/story.html", "{{ contact.fibre }}", "cotton")
    assert shop("validate").stdout == "10 files fine.\n"
    assert [cut["client"] for cut in shop.json("validate")["data"]["inbox"]][-1] == "Gmail on a phone"
    shop.edit("email_templates/_layouts/plain.html", "Unsubscribe", "Leave")
    shop("validate")
    assert compiled == ["welcome/story", "order/thanks", "welcome/hello", "welcome/story"]
    compiled.clear()
    shop.edit("email_templates/welcome/hello.html", "good to have", '{% include "order/thanks.html" %} good to have')
    shop("validate", code=None)
    shop.edit("email_templates/order/thanks.html", "We have your order", "Here is your order")
    shop("validate", code=None)
    assert compiled == ["welcome/hello", "order/thanks", "welcome/hello"]
    (shop.folder / ".nurture/checked.json").write_text('{"a": 5, "b": [{"c": 1}], ')
    shop("validate", code=None)
    assert len(compiled) == 6


def test_warnings_count_only_if_asked_to(shop: Shop) -> None:
    shop.edit("campaigns/people/ana.yaml", "ana@people.example", "ana@gmail.com")
    assert "warning N501" in shop("validate").stdout
    shop("validate", "--strict", code=1)


def test_problems_come_in_the_forms_tools_read(shop: Shop) -> None:
    shop.edit("campaigns/welcome.yaml", "send: welcome/hello", "send: welcome/helo")
    answer = shop.json("validate", code=1)
    assert answer["ok"] is False
    assert [(one["code"], one["line"]) for one in answer["problems"]] == [("N203", 15)]
    assert shop("validate", "--format", "github", code=1).stdout.startswith(
        "::error file=campaigns/welcome.yaml,line=15"
    )
    assert json.loads(shop("validate", "--format", "sarif", code=1).stdout)["version"] == "2.1.0"


# --- test


def test_stories_are_told(shop: Shop) -> None:
    result = shop("test")
    assert result.stdout.startswith("1 story told, 0 failed. Coverage 75 %")
    assert result.stderr == "passes  welcome: who signs up is greeted\n"


def test_a_story_that_ends_otherwise_shows_what_happened(shop: Shop) -> None:
    shop.edit("campaigns/tests/welcome.yaml", "sent: [hello, story]", "sent: [hello]")
    told = shop("test", code=1).stdout
    assert "fails   welcome: who signs up is greeted  campaigns/tests/welcome.yaml:7\n" in told
    assert "    sent: expected hello; got hello, story\n" in told
    assert "    Tue 03 Mar 10:00  sends      hello" in told
    assert "  > Thu 05 Mar 10:00  sends      story" in told
    assert shop.json("test", code=1)["data"][0]["passed"] is False


def test_stories_are_chosen_by_a_word(shop: Shop) -> None:
    assert shop("test", "greeted").stdout == "1 story told, 0 failed. Coverage 100 %: 3 of 3 steps and branches.\n"
    assert shop("test", "birthday").stdout == "0 stories told, 0 failed.\n"


# --- simulate


def test_what_would_happen_is_told_on_her_own_clock(shop: Shop) -> None:
    told = shop("simulate", "welcome", "--from", "2026-03-28T20:30").stdout
    assert told == (
        "welcome · ana · Europe/Lisbon · clocks change on Sun 29 Mar\n"
        "Sat 28 Mar 20:30  event      Newsletter Subscribed\n"
        "Sat 28 Mar 20:30  enters     welcome\n"
        "Sat 28 Mar 20:30  sends      hello                  welcome/hello\n"
        "Mon 30 Mar 20:30  sends      story                  welcome/story\n"
        "Mon 30 Mar 20:30  leaves     welcome                flow ended\n"
    )


def test_events_on_the_way_can_end_it(shop: Shop) -> None:
    told = shop("simulate", "welcome", "--event", "Order Completed@+26h").stdout
    assert "leaves     welcome" in told
    assert "sends      story" not in told
    assert shop.json("simulate", "welcome")["data"]["person"] == "ana"


def test_a_simulation_that_cannot_be_meant_is_refused(shop: Shop) -> None:
    assert "did you mean welcome?" in shop("simulate", "welcom", code=1).stderr
    assert "There is no example person bea. There is ana." in shop("simulate", "welcome", "--as", "bea", code=1).stderr
    assert "is written NAME@WHEN" in shop("simulate", "welcome", "--event", "Order", code=2).stderr
    assert "is not a moment" in shop("simulate", "welcome", "--event", "Order@soon", code=2).stderr
    assert "is before the beginning" in shop("simulate", "welcome", "--event", "Order@-3d", code=2).stderr
    assert "is not an instant" in shop("simulate", "welcome", "--from", "tomorrow", code=2).stderr


def test_every_contact_who_could_get_a_mail_is_tried_and_told_by_number(applied: Shop) -> None:
    applied("events", "send", "Newsletter Subscribed", "--email", "anna@example.com", "--trait", "first_name=Anna")
    applied("events", "send", "Newsletter Subscribed", "--email", "ben@example.com")
    applied("run", "--once")
    assert "2 contacts; in brackets" in applied("validate", "--audience").stdout
    applied.edit("email_templates/welcome/story.html", "needs: []", "needs: [contact.first_name]")
    applied.edit("email_templates/welcome/story.html", "cotton.", "cotton, {{ contact.first_name }}.")
    told = applied("validate", "--audience")
    assert "warning N458  welcome/story cannot be made for 1 of " in told.stdout
    assert "ben@" not in told.output
    assert applied("validate", "--audience", "--strict", code=1)
    answer = applied.json("validate", "--audience")
    story = answer["data"]["audience"]["mails"]["welcome/story"]
    assert (answer["data"]["audience"]["contacts"], story["made"], story["not_made"]) == (2, 1, 1)
    assert "N458" in [problem["code"] for problem in answer["problems"]]


def test_no_mail_is_made_for_contacts_from_files_with_errors(shop: Shop) -> None:
    shop.edit("campaigns/welcome.yaml", "send: welcome/hello", "send: welcome/helo")
    assert "No mail was made for the contacts" in shop("validate", "--audience", code=1).stderr

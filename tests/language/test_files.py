"""Files and folders: what is read, what is refused, and in what bounds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nurture.errors import ConfigurationError
from nurture.language import source
from nurture.language.compile import compile_project
from nurture.language.source import read_project, template_files


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_project_on_disk_is_read_as_path_to_text(tmp_path: Path, project: dict[str, str]) -> None:
    _write(tmp_path, project)
    _write(tmp_path, {"campaigns/.hidden.yaml": "x", "campaigns/notes.md": "x", "README.md": "x"})
    assert read_project(tmp_path) == project


def test_windows_line_ends_compile_like_others(tmp_path: Path, project: dict[str, str]) -> None:
    _write(tmp_path, project)
    for name, text in project.items():
        (tmp_path / name).write_bytes(text.replace("\n", "\r\n").encode())
    assert read_project(tmp_path) == project


def test_bytes_that_are_not_utf8_are_a_problem_of_their_file_and_not_a_crash(
    tmp_path: Path, project: dict[str, str]
) -> None:
    _write(tmp_path, project)
    (tmp_path / "campaigns/order-thanks.yaml").write_bytes(b"version: 1\ncampaign: caf\xe9\n")
    compiled = compile_project(read_project(tmp_path))
    assert {problem.file for problem in compiled.errors} >= {"campaigns/order-thanks.yaml"}
    assert compiled.programme is None


def test_a_folder_without_campaigns_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nurture init"):
        read_project(tmp_path)


def test_a_link_that_leads_out_of_the_project_is_refused(tmp_path: Path, project: dict[str, str]) -> None:
    root = tmp_path / "shop"
    _write(root, project)
    (tmp_path / "secret.yaml").write_text("password: x")
    (root / "campaigns/secret.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(ConfigurationError, match="leads out of the project"):
        read_project(root)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path, project: dict[str, str]) -> None:
    _write(tmp_path, project)
    (tmp_path / "campaigns/huge.yaml").write_bytes(b"#" * (source.MAX_FILE_BYTES + 1))
    with pytest.raises(ConfigurationError, match=r"campaigns/huge\.yaml is larger than 1 MiB"):
        read_project(tmp_path)


def test_too_many_files_are_refused(tmp_path: Path, project: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path, project)
    monkeypatch.setattr(source, "MAX_FILES", 3)
    with pytest.raises(ConfigurationError, match="right folder"):
        read_project(tmp_path)


def test_templates_are_named_without_extension_and_layouts_are_none(project: dict[str, str]) -> None:
    assert template_files(project) == {
        "cart/reminder": "email_templates/cart/reminder.html",
        "cart/last-chance": "email_templates/cart/last-chance.html",
        "cart/letter": "email_templates/cart/letter.md",
        "order/receipt": "email_templates/order/receipt.html",
    }


def test_a_project_without_its_project_file_says_so(project: dict[str, str]) -> None:
    del project["campaigns/_project.yaml"]
    compiled = compile_project(project)
    assert [(problem.code, problem.file) for problem in compiled.errors] == [("N112", "campaigns/_project.yaml")]


def test_segments_people_and_tests_may_be_left_out(project: dict[str, str]) -> None:
    few = {
        name: text
        for name, text in project.items()
        if name == "campaigns/_project.yaml" or name == "campaigns/order-thanks.yaml" or name.startswith("email_")
    }
    few["campaigns/order-thanks.yaml"] = few["campaigns/order-thanks.yaml"].replace("event.order_id", "event.order_id")
    compiled = compile_project(few)
    assert not compiled.errors
    assert compiled.programme is not None
    assert compiled.people == {}
    assert compiled.stories == ()


@pytest.mark.parametrize(
    "name", ["campaigns/welcome.yml", "campaigns/more/welcome.yaml", "campaigns/_welcome.yaml", "campaigns/tests/a.yml"]
)
def test_a_file_that_would_never_be_read_is_named(project: dict[str, str], name: str) -> None:
    project[name] = "version: 1\n"
    compiled = compile_project(project)
    assert [(problem.code, problem.file) for problem in compiled.problems] == [("N109", name)]


def test_one_run_names_every_problem_of_every_file(project: dict[str, str]) -> None:
    cart = project["campaigns/abandoned-cart.yaml"]
    cart = cart.replace("status: live", "status: lvie").replace("wait: 1 day\n", "wait: 1\n")
    cart = cart.replace("send: cart/letter", "send: cart/leter").replace("move: advocacy", "move: advocat")
    project["campaigns/abandoned-cart.yaml"] = cart
    project["campaigns/order-thanks.yaml"] = "version: 1\ncampaign: ]\n"
    project["campaigns/_project.yaml"] = project["campaigns/_project.yaml"].replace("zone: Europe/Helsinki", "zone: X")
    project["campaigns/people/ana.yaml"] += "colour: green\n"
    found = {(problem.file.rpartition("/")[2], problem.code) for problem in compile_project(project).errors}
    assert found == {
        ("abandoned-cart.yaml", "N106"),
        ("abandoned-cart.yaml", "N601"),
        ("abandoned-cart.yaml", "N203"),
        ("abandoned-cart.yaml", "N202"),
        ("order-thanks.yaml", "N100"),
        ("_project.yaml", "N604"),
        ("ana.yaml", "N103"),
    }


def test_a_step_after_one_that_cannot_be_read_keeps_its_line(project: dict[str, str]) -> None:
    cart = project["campaigns/abandoned-cart.yaml"]
    cart = cart.replace("  - wait: 1 day\n", "  - wait: 1\n").replace("send: cart/last-chance", "send: cart/last-chanc")
    project["campaigns/abandoned-cart.yaml"] = cart
    lines = {problem.code: problem.line for problem in compile_project(project).errors}
    assert cart.split("\n")[lines["N203"] - 1] == "    send: cart/last-chanc"


HOSTILE = {
    "deep brackets": "version: " + "[" * 3000,
    "deep mappings": "".join(f"{' ' * depth}a:\n" for depth in range(400)),
    "many keys": "version: 1\nmeta:\n" + "".join(f"  k{number}: 1\n" for number in range(30_000)),
    "alias bomb": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "a cycle": "a: &a [*a]\n",
    "a NUL": "version: 1\ncampaign: a\0b\n",
    "a very long line": "title: " + "x" * 900_000,
    "many braces": "title: " + "{{ " * 20_000,
    "many quotes": "title: " + "'\"" * 50_000,
    "a long name": "version: 1\ncampaign: " + "a" * 100_000 + "\n",
    "a long expression": "version: 1\ncampaign: x\nstart: {event: A, if: '" + "not " * 50_000 + "x'}\nsteps: [end]\n",
    "a long duration": "version: 1\ncampaign: x\nstart: {event: A}\nsteps:\n  - wait: " + "9" * 100_000 + " days\n",
    "a long date": "version: 1\ncampaign: x\nstart: {event: A}\nsteps:\n  - wait_until: " + "a - " * 10_000 + "1 day\n",
    "many steps": "version: 1\ncampaign: x\nstart: {event: A}\nsteps:\n" + "  - end\n" * 5_000,
    "many wrong steps": "version: 1\ncampaign: x\nstart: {event: A}\nsteps:\n" + "  - ennd\n" * 5_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_yaml_is_refused_in_bounded_time(project: dict[str, str], name: str) -> None:
    project["campaigns/order-thanks.yaml"] = HOSTILE[name]
    begun = time.perf_counter()
    compiled = compile_project(project)
    assert time.perf_counter() - begun < 10
    assert compiled.errors
    assert compiled.programme is None

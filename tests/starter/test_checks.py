"""Files and templates together, as `nurture validate` looks at them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from nurture.engine.check import check
from nurture.engine.proof import unfit
from nurture.engine.revisions import assemble
from nurture.language.source import read_project

ROOT = Path(__file__).resolve().parents[2]


def found_in(sources: dict[str, str]) -> set[tuple[str, str]]:
    return {(problem.file, problem.code) for problem in check(sources).problems}


def test_the_whole_programme_is_without_a_problem() -> None:
    checked = check(read_project(ROOT))
    assert checked.templates_checked
    assert [f"{found.file}:{found.line} {found.code} {found.message}" for found in checked.problems] == []


def test_a_mistake_in_a_campaign_hides_none_in_a_template() -> None:
    sources = read_project(ROOT)
    sources["campaigns/win-back.yaml"] = sources["campaigns/win-back.yaml"].replace("priority:", "priorty:")
    sources["email_templates/cart/reminder.html"] += "<iframe></iframe>"
    sources["email_templates/cart/proof.html"] = "---\nsubject: [\n---\nHello"
    assert found_in(sources) == {
        ("campaigns/win-back.yaml", "N103"),
        ("email_templates/cart/reminder.html", "N555"),
        ("email_templates/cart/proof.html", "N100"),
    }


def test_the_law_is_not_asked_of_templates_whose_campaign_cannot_be_read() -> None:
    sources = read_project(ROOT)
    sources["campaigns/order-thanks.yaml"] = sources["campaigns/order-thanks.yaml"].replace("topic:", "topik:")
    assert {code for _, code in found_in(sources) if code.startswith("N7")} == set()


def test_a_file_that_was_not_saved_as_utf_8_is_refused_where_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "email_templates").mkdir()
    for name, text in read_project(ROOT).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in ("campaigns/win-back.yaml", "email_templates/cart/reminder.html"):
        with (tmp_path / name).open("ab") as file:
            file.write("# Jörg\n".encode("latin-1"))
    told = [problem for problem in check(read_project(tmp_path)).problems if "UTF-8" in problem.message]
    assert [problem.file for problem in told] == ["campaigns/win-back.yaml", "email_templates/cart/reminder.html"]
    assert all("Jörg".replace("ö", "\ufffd") in problem.excerpt[-1][1] for problem in told)


def test_a_mail_that_comes_out_wrong_for_an_example_person_is_named() -> None:
    now = datetime(2027, 3, 1, 12, tzinfo=UTC)
    sources = read_project(ROOT)
    sources["email_templates/welcome/hello.html"] = re.sub(
        "(?m)^subject: .*$", f"subject: {'x' * 80}", sources["email_templates/welcome/hello.html"], count=1
    )
    sources["email_templates/welcome/hello.txt"] = "Save 99%. {{ unsubscribe_url }} {{ postal_address }}"
    told = unfit(assemble(sources), now)
    assert {(each.code, each.file) for each in told} == {
        ("N457", "email_templates/welcome/hello.html"),
        ("N576", "email_templates/welcome/hello.html"),
    }
    assert any("the subject has 80 characters" in each.message for each in told)
    assert any("the text says 99%, the HTML does not" in each.message for each in told)
    assert unfit(assemble(read_project(ROOT)), now) == []

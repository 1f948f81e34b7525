"""What is inlined once for all is what inlining each mail would give: proven for example people, before it is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from nurture.engine import proof
from nurture.engine.preview import named
from nurture.engine.proof import unproven
from nurture.engine.revisions import assemble
from nurture.language.source import read_project
from nurture.rendering.proof import difference

NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


def test_every_mail_of_the_starter_programme_is_proven(monkeypatch):
    compared = []
    monkeypatch.setattr(proof, "difference", lambda *pages: compared.append(pages) or difference(*pages))
    assert unproven(assemble(read_project(ROOT)), NOW) == []
    assert len(compared) >= 30


def test_a_template_that_comes_out_otherwise_is_told_with_the_place_and_the_person(monkeypatch):
    monkeypatch.setattr(proof, "mails", lambda applied: named(applied, "cart/reminder"))
    monkeypatch.setattr(
        proof, "difference", lambda sent, meant: difference(sent.replace("padding", "margin", 1), meant)
    )
    found = unproven(assemble(read_project(ROOT)), NOW)
    (reminder,) = found
    assert (reminder.code, reminder.severity) == ("N456", "error")
    assert reminder.file == "email_templates/cart/reminder.html"
    assert "(example)" in reminder.message
    assert "margin:" in reminder.message


def test_pages_differ_by_what_a_mail_program_sees_only():
    page = '<p class="a" style="color: red; margin: 0">Hi  <b>you</b></p>'
    assert difference(page, '<p style="margin:0;color:red" class="a">Hi <b>you</b></p>\n') is None
    assert difference(page, page.replace("red", "blue")) == (
        '<p class="a" style="color:red; margin:0">Hi instead of <p class="a" style="color:blue; margin:0">Hi'
    )
    assert difference(page, page.replace("<b>you</b>", "")) == "<b>you instead of no text"
    assert difference(page, page.replace("</p>", " there</p>")) == "no text instead of the text 'there'"

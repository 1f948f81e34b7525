"""Checks for readers: of each one mail that fails and one that does not."""

from __future__ import annotations

import pytest
from lxml import html as lxml_html

from nurture.rendering.checks import GROUPS, check_mail
from nurture.rendering.compatibility.distil import distilled
from nurture.rendering.compatibility.support import SHARES, features, supported
from nurture.rendering.contrast import colour, contrast, contrasts, in_the_dark, inverted
from nurture.rendering.problems import CODES

UTM = "utm_source=nurture&utm_medium=email&utm_campaign="
KEPT = 'data-premailer="ignore"'
DARK = "@media (prefers-color-scheme: dark) "
CELL = '<p class="ink" style="color: #222; background-color: #fff">x</p>'
PAGE = '<!DOCTYPE html>\n<html lang="en"><head></head><body>\n{}</body></html>'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('<div style="display: flex"><p>x</p></div>', "N562"),
        ("<style>div { display: grid }</style>\n<div>x</div>", "N562"),
        ('<div style="position: absolute">x</div>', "N562"),
        ("<video src='https://x.example/a.mp4'></video>", "N562"),
        ("<svg></svg>", "N562"),
        ("<img src='https://x.example/a.svg' alt='x' width='9' height='9'>", "N562"),
        ("<h1>x</h1><h3>y</h3>", "N564"),
        ('<a href="https://x.example">click here</a>', "N565"),
        ('<a href="https://x.example"><img src="https://x.example/i.png" alt="" width="9" height="9"></a>', "N565"),
        ("<table><tr><td>x</td></tr></table>", "N566"),
        ('<p style="font-size: 9px">x</p>', "N567"),
        ('<p style="color: #999; background-color: #fff">x</p>', "N568"),
        ('<div bgcolor="#222222"><p style="color: black">x</p></div>', "N568"),
        ('<a href="#">Our shop</a>', "N569"),
        ('<a href="https://example.com/">Our shop</a>', "N569"),
        (f'<a href="https://x.example/?{UTM}a">Beds</a> <a href="https://x.example/?{UTM}b">Pots</a>', "N570"),
        (f'<a href="https://x.example/?{UTM}a">Beds</a> <a href="https://x.example/pots">Pots</a>', "N570"),
        ('<a href="https://x.example/?utm_campaign=a">Beds</a>', "N570"),
        ('<a href="https://localhost:8000/beds">Our beds</a>', "N569"),
        ('<a href="https://your-site.com/beds">Our beds</a>', "N569"),
        ('<a href="https://x.example/{cart}">Your cart</a>', "N569"),
        (f"{CELL}<style {KEPT}>{DARK}{{ p {{ background-color: #111 !important }} }}</style>", "N572"),
        (f"{CELL}<style {KEPT}>{DARK}{{ .ink {{ color: #eee !important }} }}</style>", "N572"),
        ('<p style="color: #222">x</p><style>:root { color-scheme: light dark }</style>', "N572"),
        ("<img src='https://x.example/i.png' alt='x'>", "N571"),
    ],
)
def test_what_readers_would_miss_is_named_on_its_line(shop, body, code):
    found = shop.problems(PAGE.format(body))
    assert [each.partition(":")[0] for each in found] == [code]
    assert found[0] == f"{code}:7" or body.startswith("<style>")


@pytest.mark.parametrize(
    "body",
    [
        "<style>@media (max-width: 9px) { div { display: flex } }</style><div>x</div>",
        "<!--[if mso]><table><tr><td><![endif]--><p>x</p><!--[if mso]></td></tr></table><![endif]-->",
        '<div style="position: relative; border-radius: 4px">x</div>',
        "<img src='https://x.example/a.png' alt='x' width='9' height='9'>",
        "<h1>x</h1><h2>y</h2><h3>z</h3><h2>y</h2>",
        '<a href="https://x.example">See the beds</a>',
        '<a href="https://x.example"><img src="https://x.example/i.png" alt="Beds" width="9" height="9"></a>',
        '<table role="presentation"><tr><td>x</td></tr></table>',
        "<table><tr><th>Item</th></tr><tr><td>x</td></tr></table>",
        '<p style="font-size: 14px">x</p>',
        '<p style="font-size: 1px; display: none">x</p>',
        '<p style="color: #595959; background-color: #fff">x</p>',
        '<p style="color: #777777; font-size: 30px; background-color: #fff">x</p>',
        '<p style="color: #999; background-image: url(https://x.example/i.png); background-color: #fff">x</p>',
        '<a href="#top">To the top</a>',
        f'<a href="https://x.example/?{UTM}a">Beds</a> <a href="https://x.example/?{UTM}a&utm_content=b">Pots</a>',
        f'<a href="https://x.example/?{UTM}a">Beds</a> <a href="https://y.example/">Pots</a>',
        f"<style {KEPT}>{DARK}{{ p {{ background: #111 !important; color: #eee !important }} }}</style>{CELL}",
        f"<style {KEPT}>{DARK}{{ p {{ background-color: #111 }} }}</style>{CELL}",
        f"<style>:root {{ color-scheme: light dark }}</style>{CELL}",
    ],
)
def test_what_readers_get_is_left_alone(shop, body):
    assert shop.problems(PAGE.format(body)) == []


def test_what_clients_turn_dark_by_themselves_keeps_its_contrast_where_both_colours_are_given():
    mail = lxml_html.document_fromstring(f"<body>{CELL}<p style='color:#fff;background-color:#1b4434'>y</p></body>")
    turned, how = in_the_dark(mail)
    assert (turned, "Gmail" in how) == (inverted, True)
    first, second = mail.iter("p")
    assert contrast(turned(first, "background-color"), "ffffff") > 20
    assert contrast(turned(first, "color"), "000000") > 10
    assert (turned(second, "background-color"), colour(turned(second, "color"))) == ("1b4434", "ffffff")
    assert list(contrasts(mail, turned)) == []
    worse = lxml_html.document_fromstring("<body><p style='color:#767676;background-color:#dadada'>x</p></body>")
    assert [pair.text for pair in contrasts(worse, inverted)] == ["x"]


def test_a_mail_that_does_not_say_its_language_is_named(shop):
    assert shop.problems("<!DOCTYPE html>\n<html><body><p>x</p></body></html>") == ["N563:6"]


def test_the_three_lists_tell_who_loses_what():
    found = supported(
        "<html><body><div style='display:flex; border-radius: 3px; text-wrap: balance'>x</div></body></html>"
    )
    flex = found[0]
    assert (flex.slug, flex.kind) == ("css-display-flex", "break")
    assert "outlook-windows" in flex.families
    assert flex.lost == sum(SHARES[family] for family in flex.families)
    assert {one.slug: one.kind for one in found}["css-border-radius"] == "degrade"
    assert {one.slug: one.kind for one in found}["css-text-wrap"] == "noise"


def test_the_shares_are_those_of_the_audience():
    document = "<html><body><p style='border-radius: 3px'>x</p></body></html>"
    (none,) = [one for one in supported(document, {"apple": 100.0}) if one.slug == "css-border-radius"]
    (all_,) = [one for one in supported(document, {"outlook-windows": 100.0}) if one.slug == "css-border-radius"]
    assert (none.lost, all_.lost) == (0, 100)


def test_the_worst_newest_answer_of_a_family_is_kept():
    stats = {"outlook": {"windows": {"2007": "y", "2019": "n #1"}, "ios": {"1": "y"}}, "gmail": {"ios": {"1": "u"}}}
    stats["yahoo"] = {"ios": {"1": "a #2"}, "android": {"1": "y"}}
    data = {"last_update_date": "2025-09-09 18:08", "data": [{"slug": "css-x", "title": " x ", "stats": stats}]}
    made = distilled(data)
    assert made["features"] == {"css-x": ["x", {"outlook-windows": "n", "outlook": "y", "yahoo": "a"}]}
    assert len(features()) > 250


def test_every_code_of_a_template_belongs_to_one_group():
    grouped = [code for codes in GROUPS.values() for code in codes]
    assert sorted(grouped) == sorted(CODES)


def test_a_page_gets_the_problems_by_group(shop):
    text = "---\nsubject: S\npreheader: P\n---\n" + PAGE.format('<a href="#">here</a>')
    found = check_mail(shop.renderer({"odd.html": text}), "odd", marketing=False)
    assert {group: [problem.code for problem in problems] for group, problems in found.items() if problems} == {
        "accessibility": ["N565"],
        "links": ["N569"],
    }
    assert set(found) == set(GROUPS)


def test_a_code_is_explained(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from nurture.cli.main import root

    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(root, ["validate", "--explain", "n620"])
    assert (told.exit_code, told.output) == (0, "N620: a mail that always comes too soon for a cap (timing and caps)\n")
    unknown = CliRunner().invoke(root, ["validate", "--explain", "N999"])
    assert unknown.exit_code == 2
    assert "no code N999" in unknown.output

from __future__ import annotations

import re

import pytest


def text(shop, body: str, **changes) -> str:
    return shop.mail(body, **changes).text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<h1>Title</h1><p>One</p><p>Two<br>three</p>", "Title\n\nOne\n\nTwo\nthree\n"),
        ('<p>Read <a href="https://x.example/a">our guide</a>.</p>', "Read our guide: https://x.example/a\n"),
        (
            '<p>See <a href="https://x.example/a">this</a>, and <a href="https://x.example/b">that</a>: good.</p>',
            "See this: https://x.example/a and that: https://x.example/b good.\n",
        ),
        ('<p><a href="https://x.example/a">https://x.example/a</a></p>', "https://x.example/a\n"),
        ('<p><a href="mailto:care@x.example">care@x.example</a></p>', "care@x.example\n"),
        ('<p><a href="mailto:care@x.example">Write to us</a></p>', "Write to us: care@x.example\n"),
        ('<p><a href="tel:+3581">Call:</a></p>', "Call: tel:+3581\n"),
        ('<p><a href="#top">Up</a></p>', "Up\n"),
        (
            '<a href="https://x.example"><img src="https://x.example/i.png" alt="The shop"></a>',
            "The shop: https://x.example\n",
        ),
        ('<a href="https://x.example"><img src="https://x.example/i.png" alt=""></a>', "https://x.example\n"),
        ("<ul><li>One</li><li>Two</li></ul><ol><li>A</li><li>B</li></ol>", "- One\n- Two\n\n1. A\n2. B\n"),
        ('<div style="display:none">hidden</div><p>seen</p>', "seen\n"),
        ("<p>a&nbsp;b&#8203; c&shy;d</p>", "a b c\u00add\n"),
        ("<p>a</p><hr><p>b</p>", "a\n\n--------------------\n\nb\n"),
        ("<!-- note --><p>a</p><!--[if mso]><p>only there</p><![endif]-->", "a\n"),
        ("<table><tr><td>Mug</td><td>2</td></tr><tr><td>Pot</td><td>1</td></tr></table>", "Mug 2\nPot 1\n"),
        ("<table><tr><td><p>Left</p></td><td><p>Right</p></td></tr></table>", "Left\n\nRight\n"),
    ],
)
def test_html_reads_well_as_text(shop, body, expected):
    assert text(shop, body) == expected


def test_loops_and_ifs_keep_their_lines(shop):
    body = "<p>A</p><ul>{% for item in start.items %}<li>{{ item.name }}</li>{% endfor %}</ul>"
    body += "{% if start.vip %}<p>B</p>{% else %}<p>C</p>{% endif %}<p>Hi{% if start.url %} there{% endif %}!</p>"
    assert text(shop, body) == "A\n\n- Watering can\n- Pots & soil\n\nC\n\nHi there!\n"


def test_an_item_that_begins_with_an_if_keeps_its_bullet(shop):
    body = (
        "<ul>{% for item in start.items %}<li>{% if loop.first %}First{% else %}Next{% endif %}</li>{% endfor %}</ul>"
    )
    assert text(shop, body) == "- First\n- Next\n"


def test_lines_are_at_most_78_wide_but_addresses_stay_whole(shop):
    address = "https://x.example/" + "a" * 90
    lines = text(shop, f"<p>{'word ' * 60}<a href='{address}'>here</a> {'more ' * 30}</p>").splitlines()
    assert address in lines
    assert all(len(line) <= 78 for line in lines if line != address)
    assert max(map(len, lines[:3])) > 70


def test_all_links_of_the_html_are_in_the_text(shop):
    mail = shop.renderer().render("cart/reminder", shop.context())
    without_comments = re.sub(r"<!--\[if mso.*?endif\]-->", "", mail.html, flags=re.DOTALL)
    links = {link.replace("&amp;", "&") for link in re.findall(r'href="([^"]+)"', without_comments)}
    assert len(links) == 2
    assert all(link in mail.text for link in links)


def test_nothing_of_html_or_jinja_is_left(shop):
    found = shop.renderer().render("cart/reminder", shop.context()).text
    assert not re.search(r"<|>|&amp;|zq\d|\{\{|\{%", found)


def test_a_value_set_where_the_text_does_not_see_it_takes_the_slow_way(shop):
    renderer = shop.renderer(
        {"x.html": "---\nsubject: S\n---\n<div style='display:none'>{% set a = 'A' %}</div><p>{{ a }}</p>"}
    )
    assert renderer.template("x").slow_because
    assert renderer.render("x", shop.context()).text == "A\n"

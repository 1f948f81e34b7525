"""Inlining first and rendering afterwards must give what rendering first and inlining afterwards gives."""

from __future__ import annotations

import jinja2
import pytest
from lxml import html as lxml_html

from nurture.rendering.inlining import base_rules, inline_css

CSS = "<style>a{color:#0a66c2} td{padding:4px} .b{font-weight:bold} p.b{color:red!important}</style>"
DATA = {
    "name": "Zoë & <Co>",
    "url": "https://x.example/?a=1&b=2",
    "slug": "s",
    "n": 2,
    "rows": ["a", "b", "c"],
    "cls": "b",
    "color": "#123456",
    "none": [],
}
FAST = {
    "an expression in text": "<p class='b'>{{ start.name }}</p>",
    "an expression with quotes and <": '<p>{{ "a<b" if start.n > 1 else "c" }}</p>',
    "an expression as a whole href": '<a href="{{ start.url }}">x</a>',
    "an expression inside a URL": '<a href="https://x.example/{{ start.slug }}?a={{ start.n }}&amp;b=2">x</a>',
    "a filter with quotes in an attribute": '<img alt="{{ start.name | default(\'you\') }}" src="https://x.example/i.png">',
    "a loop over rows": "<table>{% for i in start.rows %}<tr><td>{{ i }}</td></tr>{% endfor %}</table>",
    "a loop over nothing": (
        "<table>{% for i in start.none %}<tr><td>{{ i }}</td></tr>{% else %}<tr><td>-</td></tr>{% endfor %}</table>"
    ),
    "an if around an element": "{% if start.n > 1 %}<p class='b'>many</p>{% else %}<p>one</p>{% endif %}",
    "an if inside a line": "<p>a {% if start.n > 1 %}<a href='https://x.example'>many</a>{% endif %} b</p>",
    "an expression in a CSS value": "<style>h1{color:{{ start.color }}}</style><h1>x</h1>",
    "an expression in a style attribute": '<td style="width: {{ start.n }}px; color: red">x</td>',
    "an if inside an attribute": '<img alt="{% if start.n > 1 %}many{% else %}one{% endif %}" src="https://x.example/i.png">',
    "a conditional comment": "<!--[if mso]><p>{{ start.name }}</p><![endif]--><p class='b'>x</p>",
    "a set": "{% set x = start.name %}<p class='b'>{{ x }}</p>",
    "a raw block": "{% raw %}<p class='b'>{{ not this }}</p>{% endraw %}",
    "text that looks like a mask": "<p>zq0q00001z {{ start.name }}</p>",
}
SLOW = {
    "an expression in class": '<p class="{{ start.cls }}">x</p>',
    "an attribute switched by if": '<p {% if start.n > 1 %}class="b"{% endif %}>x</p>',
    "an if inside a style attribute": '<td style="{% if start.n > 1 %}color:red{% else %}color:blue{% endif %}">x</td>',
    "a statement inside a style sheet": "<style>{% if start.n > 1 %}h1{color:red}{% endif %}</style><h1>x</h1>",
    "a first child in a loop": (
        "<style>li:first-child{margin:0}</style><ul>{% for i in start.rows %}<li>{{ i }}</li>{% endfor %}</ul>"
    ),
    "every second row of a loop": (
        "<style>tr:nth-child(even) td{color:red}</style>"
        "<table>{% for i in start.rows %}<tr><td>{{ i }}</td></tr>{% endfor %}</table>"
    ),
    "an element opened in one if and closed in another": (
        "<div>{% if start.n > 1 %}<a href='https://x.example'>{% endif %}x{% if start.n > 1 %}</a>{% endif %}</div>"
    ),
}


def document(body: str) -> str:
    return f"<!DOCTYPE html><html><head>{CSS}</head><body>{body}</body></html>"


def inlined_afterwards(body: str) -> str:
    rendered = jinja2.Environment(autoescape=True).from_string(document(body)).render(start=DATA)
    return inline_css(rendered, "x")


def shape(html: str) -> list[object]:
    """Elements, attributes and texts; declarations of a style in any order, as rules may be merged in any."""
    found: list[object] = []
    for node in lxml_html.document_fromstring(html).iter():
        if isinstance(node.tag, str):
            styles = sorted(
                part.strip().replace(" ", "") for part in (node.get("style") or "").split(";") if part.strip()
            )
            others = sorted((name, value) for name, value in node.attrib.items() if name != "style")
            found.append((node.tag, others, styles, " ".join((node.text or "").split())))
        found.append(" ".join((node.tail or "").split()))
    return found


@pytest.mark.parametrize("body", FAST.values(), ids=FAST.keys())
def test_the_order_of_inlining_and_rendering_does_not_matter(shop, body):
    renderer = shop.renderer({"x.html": f"---\nsubject: S\n---\n{document(body)}"})
    assert renderer.template("x").slow_because is None
    mail = renderer.render("x", shop.context(start=DATA))
    assert shape(mail.html) == shape(inlined_afterwards(body))


@pytest.mark.parametrize("body", SLOW.values(), ids=SLOW.keys())
def test_what_depends_on_the_data_is_inlined_for_every_mail_and_says_so(shop, body):
    renderer = shop.renderer({"x.html": f"---\nsubject: S\n---\n{document(body)}"})
    assert renderer.template("x").slow_because
    mail = renderer.render("x", shop.context(start=DATA))
    assert shape(mail.html) == shape(inlined_afterwards(body))
    assert mail.text.strip()
    assert "N451" in {problem.code for problem in renderer.check() if problem.template == "x"}


def test_nothing_is_ever_fetched(shop):
    body = '<link rel="stylesheet" href="https://nowhere.example/x.css"><style>@import url("https://nowhere.example/y.css");</style>'
    html = shop.mail(f"<!DOCTYPE html><html><head>{body}</head><body><p>x</p></body></html>").html
    assert "<p>x</p>" in html


def test_rules_outside_media_are_found():
    css = "@charset 'x'; a, b { color: red } /* c {} */ @media x { d { e: f } } g{h:i}"
    assert base_rules(css) == [("a, b", "color: red"), ("g", "h:i")]

from __future__ import annotations

import pytest

from nurture.errors import TemplateError


def render(shop, **files: str) -> str:
    named = {path.replace("__", "/") + ".html": text for path, text in files.items()}
    return shop.renderer(named).render("x", shop.context()).html


HEAD = "---\nsubject: S\n---\n"


def test_a_body_fills_the_content_of_its_layout_and_may_fill_other_blocks(shop):
    html = render(shop, x="---\nsubject: S\nlayout: card\n---\n<p>body</p>{% block reason %}Because.{% endblock %}")
    assert '<td class="cell" style="padding:4px"><p>body</p></td>' in html
    assert "Because." in html
    assert "You said yes" not in html


def test_a_block_can_add_to_what_the_layout_says(shop):
    html = render(shop, x="---\nsubject: S\nlayout: card\n---\n{% block reason %}{{ super() }} Twice.{% endblock %}")
    assert "You said yes to our mail. Twice." in html


def test_extends_names_a_layout_too(shop):
    html = render(shop, x=HEAD + '{% extends "_layouts/card.html" %}{% block content %}<p>in</p>{% endblock %}')
    assert '<td class="cell" style="padding:4px"><p>in</p></td>' in html


def test_layouts_may_have_layouts(shop):
    promo = '{% extends "_layouts/card.html" %}{% block content %}<b>{% block inner %}x{% endblock %}</b>{% endblock %}'
    html = render(
        shop, _layouts__promo=promo, x="---\nsubject: S\nlayout: promo\n---\n{% block inner %}deep{% endblock %}"
    )
    assert "<b>deep</b>" in html


def test_a_layout_may_just_say_content(shop):
    layout = "<!DOCTYPE html><html><body><div>{{ content }}</div></body></html>"
    assert "<div><p>in</p></div>" in render(
        shop, _layouts__bare=layout, x="---\nsubject: S\nlayout: bare\n---\n<p>in</p>"
    )


def test_parts_are_expanded_with_their_values(shop):
    part = "{% macro hello(name, mark='!') %}<p>{{ name | upper }}{{ mark }}</p>{% endmacro %}"
    body = '{% from "_parts/hello.html" import hello, hello as hi %}{% import "_parts/hello.html" as parts %}'
    body += "{{ hello(contact.first_name) }}{{ hi('b', mark='?') }}{{ parts.hello(name='c ' ~ contact.first_name) }}"
    html = render(shop, _parts__hello=part, x=HEAD + body)
    assert "<p>ZOË!</p><p>B?</p><p>C ZOË!</p>" in html


def test_a_parts_names_do_not_touch_the_callers(shop):
    part = "{% macro p(item) %}{{ item }}{{ caller() }}{% endmacro %}"
    body = '{% from "_parts/p.html" import p %}{% for item in start.items %}'
    body += '{% call p("x") %}{{ item.name }};{% endcall %}{% endfor %}'
    assert "xWatering can;xPots &amp; soil;" in render(shop, _parts__p=part, x=HEAD + body)


def test_a_part_sees_the_style_sheet_where_it_is_called(shop):
    part = "{% macro cell() %}<span>s</span>{% endmacro %}"
    body = "<style>.dark span { color: red }</style>"
    body += '{% from "_parts/c.html" import cell %}<div class="dark">{{ cell() }}</div><div>{{ cell() }}</div>'
    html = render(shop, _parts__c=part, x=HEAD + body)
    assert '<div class="dark"><span style="color:red">s</span></div><div><span>s</span></div>' in html


def test_includes_are_put_in_place(shop):
    assert "<p>The Shop</p>" in render(
        shop, _parts__i="<p>{{ brand.name }}</p>", x=HEAD + '{% include "_parts/i.html" %}'
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('{% include "_parts/nope.html" %}', "no template file `_parts/nope.html`"),
        ('{% include "../../etc/passwd" %}', "no template file"),
        ("{% include contact.first_name %}", "cannot include this"),
        ('{% include "_parts/loop.html" %}', "in a circle"),
        ('{% from "_parts/button.html" import buton %}', "did you mean `button`"),
        ('{% from "_parts/button.html" import button %}{{ button("x") }}', "needs `label`"),
        ('{% from "_parts/button.html" import button %}{{ button("x", lable="y") }}', "did you mean `label`"),
        ('{% from "_parts/button.html" import button %}{{ button("x", "y", "z") }}', "takes 2 values"),
        ('{% from "_parts/button.html" import button %}{{ button("x", "y") | upper }}', "inside an expression"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "in a circle"),
        ("{% if contact.vip %}<p>x</p>", "is not closed"),
        ("<p>x</p>{% endif %}", "closes nothing"),
        ("{% for a in start.items %}{% if a %}{% endfor %}{% endif %}", "closes nothing"),
        ("{% filter upper %}x{% endfilter %}", "filter %} is not read here"),
        ("{% autoescape false %}{{ contact.first_name }}{% endautoescape %}", "autoescape %} is not read here"),
        ("{% set x %}a{% endset %}", "of a whole block"),
        ("{% unless x %}{% endunless %}", "{% if not ... %}"),
        ("{% elsif x %}", "{% elif ... %}"),
        ('{{ start.at | date: "%b" }}', r"date\('%b'\)"),
        ("{{ start.at | datum }}", "did you mean `date`"),
        ("{{ }}", "empty tag"),
        ("{{ contact. }}", "expected name"),
    ],
)
def test_what_cannot_be_compiled_is_explained_with_its_line(shop, body, why):
    with pytest.raises(TemplateError, match=why.replace("{", r"\{")) as caught:
        render(shop, _parts__loop='{% include "_parts/loop.html" %}', x=HEAD + "\n" + body)
    assert caught.value.line


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ("layout: crad", "did you mean `card`"),
        ("subjct: x", "did you mean `subject`"),
        ("subject: {{ x }}", "between quotes"),
        ("needs: contact.x", "must be a list"),
        ("needs: [contcat.x]", "did you mean `contact`"),
        ("needs: [contact.x y]", "is not a name of data"),
        ("subject: a\nsubject: b", "stands here twice"),
        ("subject: 1", "must be a text"),
    ],
)
def test_front_matter_is_strict(shop, head, why):
    with pytest.raises(TemplateError, match=why):
        shop.renderer({"x.html": f"---\n{head}\n---\n<p>x</p>"}).template("x")


def test_list_names_may_stand_bare_in_needs(shop):
    head = "---\nsubject: items[] for you\nneeds: [start.items[].name, contact.first_name?,\n"
    head += "  start.items[].price?]\n---\n"
    template = shop.renderer({"x.html": head}).template("x")
    assert [str(need) for need in template.needs] == [
        "start.items[].name",
        "contact.first_name?",
        "start.items[].price?",
    ]
    assert template.subject == "items[] for you"
    for listed in (
        "[start.items[].name]",
        "[start.tags[]]",
        "['start.items[].name', \"start.tags[]\"]",
        "\n- start.items[].name",
    ):
        assert shop.renderer({"x.html": f"---\nsubject: S\nneeds: {listed}\n---\n<p>x</p>"}).template("x").needs


def test_front_matter_that_is_not_closed_is_a_mistake(shop):
    with pytest.raises(TemplateError, match="not closed"):
        shop.renderer({"x.html": "---\nsubject: x\n<p>"}).template("x")

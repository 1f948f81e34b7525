from __future__ import annotations

import pytest

from nurture.rendering.checks import check_rendered, check_template
from nurture.rendering.renderer import Rendered

PAGE = "<!DOCTYPE html>\n<html lang='en'><head></head><body>{}</body></html>"
FULL = "subject: S\npreheader: P"


def test_a_good_programme_has_no_problems(shop):
    assert shop.renderer().check() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<!doctype html><html><body><p>x</p></body></html>", "N554:5"),
        ("<html><body><p>x</p></body></html>", "N554:5"),
        (PAGE.format("\n<img src='https://x.example/i.png'>"), "N556:7"),
        (PAGE.format("\n<img src='http://x.example/i.png' alt=''>"), "N557:7"),
        (PAGE.format('<a href="http://x.example">x</a>'), "N557:6"),
        (PAGE.format('<a href="/cart">x</a>'), "N558:6"),
        (PAGE.format('<a href="javascript:alert(1)">x</a>'), "N558:6"),
        (PAGE.format("<script>x</script>"), "N555:6"),
        (PAGE.format("<form></form>"), "N555:6"),
        ('<link rel="stylesheet" href="https://x.example/x.css"><p>x</p>', "N555:5"),
        (PAGE.format("<style>p { color: red !important }</style><p>x</p>"), "N559:1"),
        (PAGE.format('<p class="{{ contact.email }}">x</p>'), "N451:1"),
        (PAGE.format("\n<p>{{ contact.first_name }}</p>"), "N452:7"),
        (PAGE.format("{% for item in start.items %}{{ item.name }}{% endfor %}"), "N452:6"),
        (PAGE.format("<p>{{ contct.first_name }}</p>"), "N455:6"),
        (PAGE.format("<p>{{ datum }}</p>"), "N455:6"),
        (PAGE.format("<p>" + "x" * 61_000 + "</p>"), "N561:1"),
        (PAGE.format("<p>" + "x" * 103_000 + "</p>"), "N560:1"),
        (PAGE.format("\n\n<p>{{ x | nope }}</p>"), "N450:8"),
    ],
)  # fmt: skip
def test_mistakes_are_found_where_they_are(shop, body, code):
    assert code in shop.problems(body)


@pytest.mark.parametrize(
    "body",
    [
        PAGE.format('<a href="https://x.example">x</a><a href="mailto:a@x.example">x</a><a href="#a">x</a>'),
        PAGE.format("<a href=\"{{ unsubscribe_url }}\">x</a><img src=\"{{ asset('a.png') }}\" alt='' width='9'>"),
        PAGE.format("<style>@media (max-width: 1px) { p { color: red !important } }</style><p>x</p>"),
        PAGE.format("<style data-premailer='ignore'>p { color: red !important }</style><p>x</p>"),
        PAGE.format("<p>{{ contact.email }} {{ brand.name }} {{ campaign.title }} {{ sender.name }} {{ step }}</p>"),
        PAGE.format("{% set a = brand.name %}{{ a }}{% for b in [1, 2] %}{{ b }}{{ loop.index }}{% endfor %}"),
    ],
)
def test_what_is_right_is_left_alone(shop, body):
    assert shop.problems(body) == []


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("preheader: P", "N551:1"),
        ("subject: S", "N553:1"),
        (f"subject: {'x' * 71}\npreheader: P", "N552:2"),
        ("subject: S\npreheader: P\nneeds: [start.unused]", "N454:4"),
        ('subject: "{{ contact.first_name }}"\npreheader: P', "N452:2"),
        ('subject: S\npreheader: "{{ contct }}"', "N455:3"),
        ("subjct: S", "N450:2"),
    ],
)
def test_front_matter_is_checked(shop, head, code):
    assert code in shop.problems("<p>x</p>", head=head)


NEEDS = f"{FULL}\nneeds: [contact.first_name?, start.cart.total?, start.list[].name?]"
USED = "{{ contact.first_name | default('x') }}{{ start.cart.total | default('x') }}{% if start.list %}{% endif %}"


@pytest.mark.parametrize(
    "use",
    [
        "{{ contact.first_name | default('there') }}",
        "{% if contact.first_name %}{{ contact.first_name }}{% endif %}",
        "{% if contact.first_name is defined and contact.first_name %}{{ contact.first_name }}{% endif %}",
        "{% if not contact.first_name %}x{% else %}{{ contact.first_name }}{% endif %}",
        "{{ contact.first_name if contact.first_name else 'x' }}",
        "{% if start.cart %}{{ start.cart.total }}{% endif %}",
        "{% if start.list %}{% for i in start.list %}{{ i.name }}{% endfor %}{% endif %}",
        "{% for i in start.list | default([]) %}{{ i.name | default('x') }}{% endfor %}",
        "{% set n = contact.first_name | default('x') %}{{ n }}",
    ],
)
def test_optional_data_may_be_used_with_a_default_or_an_if(shop, use):
    assert shop.problems(f"<p>{use}{USED}</p>", head=NEEDS) == []


@pytest.mark.parametrize(
    "use",
    [
        "{{ contact.first_name }}",
        "{{ contact.first_name | upper }}",
        "{% if contact.first_name %}x{% else %}{{ contact.first_name }}{% endif %}",
        "{% if contact.first_name == 'x' %}y{% endif %}",
        "{{ contact.first_name if start.list else 'x' }}",
        "{% for i in start.list %}x{% endfor %}",
        "{% if start.cart %}{{ contact.first_name }}{% endif %}",
    ],
)
def test_optional_data_without_default_is_an_error(shop, use):
    assert "N453:6" in shop.problems(f"<p>{use}{USED}</p>", head=NEEDS)


def test_marketing_mail_must_let_people_go_and_say_where_it_comes_from(shop):
    bare = PAGE.format("<p>x</p>")
    assert {"N750:1", "N751:1", "N752:1", "N753:1"} <= set(shop.problems(bare, marketing=True))
    assert shop.problems(bare, marketing=False) == []
    good = PAGE.format('<a href="{{ unsubscribe_url }}">Leave</a> {{ postal_address }}')
    assert shop.problems(good, marketing=True) == []
    head = "---\nsubject: S\npreheader: P\n---\n"
    for text, codes in {"{{ unsubscribe_url }}": ["N753"], "{{ unsubscribe_url }} {{ postal_address }}": []}.items():
        own = shop.renderer({"x.html": head + good, "x.txt": text})
        assert [problem.code for problem in check_template(own, "x")] == codes


def test_problems_name_the_part_they_are_in(shop):
    renderer = shop.renderer(
        {
            "_parts/bad.html": "<p>\n{{ nobody }}</p>",
            "x.html": "---\nsubject: S\npreheader: P\n---\n{% include '_parts/bad.html' %}",
        }
    )
    found = renderer.check(transactional=frozenset({"x"}))
    assert [(problem.file, problem.line) for problem in found] == [("email_templates/_parts/bad.html", 2)]
    assert "nobody" in str(found[0])


def test_a_rendered_mail_can_be_checked_too(shop):
    assert check_rendered(shop.renderer().render("cart/reminder", shop.context())) == []
    bad = Rendered.of(subject="x" * 80, text="", html="<p>{{ left }}" + "x" * 103_000)
    assert len(check_rendered(bad)) == 4

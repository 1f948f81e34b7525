from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import TemplateError
from nurture.rendering.front_matter import Need, Wanted
from nurture.rendering.renderer import _lacking


def test_a_mail_has_subject_preheader_html_and_text(shop):
    mail = shop.renderer().render("cart/reminder", shop.context())
    assert mail.subject == "Zoë, your cart"
    assert mail.preheader == "2 things wait for you"
    assert "<h1>Hi Zoë!</h1>" in mail.html
    assert "Pots &amp; soil" in mail.html
    assert "Pots & soil €3.50" in mail.text


def test_styles_are_inlined_and_media_rules_kept_with_their_importance(shop):
    html = shop.renderer().render("cart/reminder", shop.context()).html
    assert (
        'class="button" href="https://shop.example/cart?a=1&amp;b=2" style="background:#164; color:#fff; padding:12px"'
        in html
    )
    assert "padding: 20px !important" in html
    assert "<style>@media (prefers-color-scheme: dark) {\nbody { background: #000 !important; color: #eee" in html
    assert html.startswith("<!DOCTYPE html>")


def test_conditional_comments_survive_and_are_filled_in(shop):
    html = shop.renderer().render("cart/reminder", shop.context()).html
    assert '<!--[if mso]><v:roundrect href="https://shop.example/cart?a=1&amp;b=2"><center>Back to your cart' in html
    assert "<!--[if !mso]><!--><a " in html


def test_every_value_in_html_is_escaped_and_none_in_text(shop):
    hostile = "<script>alert('x')</script> & O'Brien"
    mail = shop.renderer().render("cart/reminder", shop.context(contact={"first_name": hostile}))
    assert "<script" not in mail.html
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; O&#39;Brien" in mail.html
    assert hostile in mail.text
    assert mail.subject == f"{hostile}, your cart"


def test_data_that_looks_like_a_template_is_only_data(shop):
    mail = shop.renderer().render("cart/reminder", shop.context(contact={"first_name": "{{ brand }}{% if %}"}))
    assert "Hi {{ brand }}{% if %}!" in mail.html
    assert "Hi {{ brand }}{% if %}!" in mail.text


@pytest.mark.parametrize("name", [None, "", "  "])
def test_nobody_is_greeted_with_a_hole(shop, name):
    mail = shop.renderer().render("cart/reminder", shop.context(contact={"first_name": name}))
    assert "Hi there!" in mail.text
    assert mail.subject == "Hello, your cart"


@pytest.mark.parametrize(
    ("start", "why"),
    [
        ({"url": None}, "`start.url`, which is missing"),
        ({"url": "  "}, "`start.url`, which is blank"),
        ({"items": []}, r"`start.items\[\].name`, which is an empty list"),
        ({"items": [{"price": 3}]}, r"`start.items\[\].name`, which is missing"),
        ({"items": "mug"}, r"`start.items\[\].name`, which is no list"),
    ],
)
def test_data_the_mail_needs_must_be_there(shop, start, why):
    with pytest.raises(TemplateError, match=why):
        shop.renderer().render("cart/reminder", shop.context(start=start))


def test_an_undeclared_hole_stops_the_mail_too_and_names_file_and_line(shop):
    assert "x.html, line 5: `company` is missing" in shop.refused("<p>At</p>\n<p>{{ contact.company }}</p>")


def test_a_part_of_something_missing_may_have_a_default(shop):
    assert shop.shown("<p>{{ start.cart.total.net | default(0) }}</p>") == "<p>0</p>"


def test_missing_data_counts_as_false(shop):
    assert (
        shop.shown("<p>{% if contact.vip %}a{% else %}b{% endif %}{% if not start.x.y %}c{% endif %}</p>")
        == "<p>bc</p>"
    )


@pytest.mark.parametrize("body", ["{{ start.nothing }}", "{{ start.items }}", "{{ contact }}", "{{ asset }}"])
def test_what_no_mail_should_show_is_refused(shop, body):
    assert shop.refused(f"<p>{body}</p>", start={"nothing": None})


def test_the_subject_of_a_step_replaces_the_templates(shop):
    mail = shop.renderer().render("cart/reminder", shop.context(), subject="For {{ contact.first_name | upper }}")
    assert mail.subject == "For ZOË"


def test_a_subject_is_one_line_whatever_the_data_holds(shop):
    mail = shop.renderer().render(
        "cart/reminder", shop.context(contact={"first_name": "a\r\nBcc: x@y\x00\u2028\u0085b"})
    )
    assert mail.subject == "a Bcc: x@y b, your cart"


def test_a_long_subject_is_cut_and_an_empty_one_stops_the_mail(shop):
    long = shop.renderer().render("cart/reminder", shop.context(contact={"first_name": "x" * 500}))
    assert len(long.subject) == 150
    with pytest.raises(TemplateError, match="subject is empty"):
        shop.renderer().render("cart/reminder", shop.context(), subject="{{ '' }}")


def test_a_template_without_subject_says_so(shop):
    assert "no subject" in shop.refused("<p>x</p>", head="preheader: y")


def test_a_hand_written_text_twin_is_used_instead_of_the_derived_one(shop):
    renderer = shop.renderer(
        {"x.html": "---\nsubject: S\n---\n<p>long</p>", "x.txt": "Short, {{ contact.first_name }} & co\n"}
    )
    mail = renderer.render("x", shop.context())
    assert mail.text == "Short, Zoë & co\n"
    assert "<p>long</p>" in mail.html


def test_a_template_may_be_plain_text_only(shop):
    mail = shop.renderer({"x.txt": "---\nsubject: S\n---\nHello {{ contact.first_name }}\n"}).render(
        "x", shop.context()
    )
    assert mail.text == "Hello Zoë\n"
    assert mail.html == ""


def test_markdown_bodies_go_into_the_layout(shop):
    body = "---\nsubject: S\nlayout: card\n---\n# Hi {{ contact.first_name }}\n\nRead [this]({{ start.url }}) *now*.\n"
    body += "\n{% if start.vip %}\nSecret\n{% endif %}\n\n- {{ 'a' }} | b\n"
    mail = shop.renderer({"x.md": body}).render("x", shop.context())
    assert "<h1>Hi Zoë</h1>" in mail.html
    assert '<p>Read <a href="https://shop.example/cart?a=1&amp;b=2">this</a> <em>now</em>.</p>' in mail.html
    assert "Secret" not in mail.html
    assert "Read this: https://shop.example/cart?a=1&b=2 now." in mail.text


def test_statements_around_the_whole_document_are_kept(shop):
    document = "<!DOCTYPE html><html><body><p>{{ name }}</p></body></html>"
    body = "{% set name = contact.first_name %}{% if name %}\n" + document + "\n{% endif %}"
    mail = shop.mail(body)
    assert "<p>Zoë</p>" in mail.html
    assert mail.text.strip() == "Zoë"


def test_white_space_control_and_raw_blocks_mean_what_they_mean_in_jinja(shop):
    assert shop.shown("<p>a  {{- ' b' -}}  c {# no #}d {% raw %}{{ x }} {% y %}{% endraw %}</p>") == (
        "<p>a bc d {{ x }} {% y %}</p>"
    )


def test_the_same_content_has_the_same_hash_and_is_compiled_once(shop):
    first, second = shop.renderer().template("cart/reminder"), shop.renderer().template("cart/reminder")
    assert first is second


@pytest.mark.parametrize("path", ["cart/reminder.html", "_layouts/card.html", "_parts/button.html"])
def test_the_hash_changes_with_every_file_a_template_is_made_of(shop, path):
    before = shop.renderer()
    text = before._library.text(path, "", 1)
    assert shop.renderer({path: text + " "}).template("cart/reminder").hash != before.template("cart/reminder").hash


def test_the_hash_changes_with_the_brand_and_the_address(shop):
    hashes = {
        shop.renderer(**settings).template("cart/reminder").hash
        for settings in ({}, {"brand": {"ink": "#333333"}}, {"postal_address": "Elsewhere"}, {"default_locale": "fi"})
    }
    assert len(hashes) == 4


def test_unknown_templates_get_a_suggestion(shop):
    with pytest.raises(TemplateError, match="did you mean `cart/reminder`"):
        shop.renderer().render("cart/remindr", shop.context())


@pytest.mark.parametrize("name", ["_layouts/card", "../secrets", "/etc/passwd", "cart/../cart/reminder"])
def test_nothing_outside_the_templates_can_be_named(shop, name):
    with pytest.raises(TemplateError, match="no such template"):
        shop.renderer().render(name, shop.context())


def test_constants_become_static_text(shop):
    template = shop.renderer(
        {"x.html": "---\nsubject: S\n---\n<p style='color:{{ brand.ink }}'>{{ brand.name }}</p>"}
    ).template("x")
    assert all(segment.kind.value != "print" or "brand" not in segment.source for segment, _ in template.segments)


def test_a_brand_value_that_is_not_set_is_a_fault_of_the_template(shop):
    assert "brand.yaml" in shop.refused("<p>{{ brand.colour }}</p>")


def test_pictures_come_from_the_brands_address(shop):
    body = '<img src="{{ asset(\'logo.png\') }}" alt="">'
    assert '<img src="https://img.example/a/logo.png" alt="">' in shop.shown(body)
    assert "asset()" in shop.refused("<img src=\"{{ asset('../x') }}\" alt=''>")


def test_many_threads_render_the_same_mail(shop):
    renderer = shop.renderer(
        {f"t{n}.html": f"---\nsubject: S\nlayout: card\n---\n<p class='button'>{n}</p>" for n in range(6)}
    )
    expected = {n: shop.renderer().render("cart/reminder", shop.context()).html_part for n in range(1)}[0]
    wrong: list[str] = []

    def work() -> None:
        for n in range(6):
            html = renderer.render(f"t{n}", shop.context()).html
            if f'style="background:#164; color:#fff; padding:12px">{n}</p>' not in html:
                wrong.append(html)
            if renderer.render("cart/reminder", shop.context()).html_part != expected:
                wrong.append("reminder")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["", " ", "x"]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
        max_leaves=8,
    )
)
def test_one_walk_over_the_data_finds_everything_there_only_if_every_need_is_met(start: Any) -> None:
    needs = [Need(path) for path in (("start", "a"), ("start", "b", "[]", "a"), ("start", "b", "[]", "b", "a"))]
    context = {"start": start}
    assert Wanted.of(needs).is_in(context) == (not any(_lacking(need, context) for need in needs))

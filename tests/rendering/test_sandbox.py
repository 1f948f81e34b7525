"""Templates come from a repository that may be stolen, data from anybody: neither may reach anything else."""

from __future__ import annotations

import time
from types import MappingProxyType

import pytest

ESCAPES = [
    "''.__class__.__mro__[1].__subclasses__()",
    "contact.__class__",
    "contact['__class__'].__init__",
    "start.items.append(1)",
    "contact.update({'a': 1})",
    "contact.clear()",
    "'{0.__class__}'.format(contact)",
    "contact.first_name.format_map(contact)",
    "('%s' | e).format(1)",
    "asset.__globals__",
    "asset.__wrapped__",
    "loop.__class__",
    "self",
    "self.__init__",
    "cycler",
    "joiner",
    "namespace",
    "lipsum",
    "lipsum.__globals__.os.environ",
    "range(10)",
    "dict(a=1)",
    "env",
    "environ",
    "config",
    "request",
    "settings",
    "secret_key",
    "rounds__",
    "contact.first_name | attr('__class__')",
    "contact | tojson",
    "contact | pprint",
    "['a'] | map('upper') | list",
    "start.items | selectattr('name')",
    "contact.first_name | safe",
    "contact.first_name | xmlattr",
    "contact.first_name.encode().decode()",
    "2 ** 999999999",
    "'a' * 999999999",
    "[1] * 999999999",
    "'%999999999d' % 1",
    "9999999999999999 * 9999999999999999",
    "(1).__class__",
    "contact.created_at.__class__",
]


@pytest.mark.parametrize("expression", ESCAPES)
def test_no_expression_reaches_beyond_the_data(shop, expression):
    body = f"<p>{{% for i in [1] %}}{{{{ {expression} }}}}{{% endfor %}}</p>"
    begun = time.perf_counter()
    assert shop.refused(body)
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize(
    "body",
    [
        "{% for a in start.many %}{% for b in start.many %}{% endfor %}{% endfor %}",
        "{% for a in start.many %}{{ start.long }}{% endfor %}",
        "{% set a = 'x' * 2 %}",
        "".join(f"{{% set a{n + 1} = a{n} ~ a{n} %}}" for n in range(40)).replace("a0", "'x'", 2) + "{{ a40 }}",
        "{{ start.long ~ start.long ~ start.long }}",
        "{{ start.long | append(start.long) | append(start.long) }}",
    ],
)
def test_no_template_takes_all_time_or_memory(shop, body):
    begun = time.perf_counter()
    assert shop.refused(f"<p>{body}</p>", start={"many": list(range(5000)), "long": "x" * 60_000})
    assert time.perf_counter() - begun < 2


def test_data_with_the_names_of_methods_is_data(shop):
    assert shop.shown(
        "<p>{{ start.keys }} {{ start.values.copy }}</p>", start={"keys": "k", "values": {"copy": "c"}}
    ) == ("<p>k c</p>")


def test_data_may_come_in_any_mapping_and_brings_no_functions(shop):
    context = shop.context(asset=lambda name: "https://evil.example")
    context["start"] = MappingProxyType({"a": MappingProxyType({"b": "c"})})
    renderer = shop.renderer(
        {"x.html": "---\nsubject: S\n---\n<p>{{ start.a.b }}{{ start['a']['b'] }} {{ asset('x') }}</p>"}
    )
    assert "<p>cc https://img.example/a/x</p>" in renderer.render("x", context).html


def test_the_data_is_not_changed_by_rendering(shop):
    context = shop.context()
    shop.renderer().render("cart/reminder", context)
    assert context == shop.context_data


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "java\nscript:x",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        ":x",
    ],
)
def test_data_cannot_choose_what_kind_of_link_it_is(shop, address):
    assert shop.refused('<a href="{{ start.link }}">x</a>', start={"link": address})
    assert shop.refused('<a href="{{ start.nothing }}{{ start.link }}">x</a>', start={"nothing": "", "link": address})


@pytest.mark.parametrize(
    "address", ["https://x.example/?a=b:c", "mailto:a@x.example", "tel:+358", "/relative", "https://x.example"]
)
def test_ordinary_links_pass(shop, address):
    assert f'href="{address}"' in shop.shown('<a href="{{ start.link }}">x</a>', start={"link": address})


@pytest.mark.parametrize(
    "value", ["red;background:url(https://x)", "}", "url(x)", "a/*", "expression(alert(1))", "\\75rl(x)"]
)
def test_data_cannot_add_rules_to_a_style(shop, value):
    assert "cannot stand in a style" in shop.refused(
        '<p style="color: {{ start.color }}">x</p>', start={"color": value}
    )


@pytest.mark.parametrize(
    "body",
    [
        "<a href={{ start.url }}>x</a>",
        "<p {{ start.attributes }}>x</p>",
        '<p onclick="{{ start.url }}">x</p>',
        "<{{ start.tag }}>",
    ],
)
def test_values_stand_between_quotes_or_in_text(shop, body):
    assert "x.html, line 4" in shop.refused(body) or "bare" in shop.refused(body)


def test_a_value_cannot_leave_its_attribute_or_its_comment(shop):
    hostile = "\"'><script>--><![endif]-->"
    html = shop.mail(
        '<img alt="{{ start.x }}" src="https://x.example/a.png">'
        "<!--[if mso]>{{ start.x }}<![endif]--><!-- {{ start.x }} -->",
        start={"x": hostile},
    ).html
    assert "<script" not in html
    assert html.count("<![endif]-->") == 1

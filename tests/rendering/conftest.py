"""A small shop's templates and data, and a renderer over them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from nurture.errors import TemplateError
from nurture.rendering.renderer import Rendered, Renderer

LAYOUT = """<!DOCTYPE html>
<html lang="{{ lang }}" dir="{{ dir }}"><head><meta charset="utf-8"><title>{{ subject }}</title>
<style>
body { color: {{ brand.ink }}; }
.button { background: #116644; color: #ffffff; padding: 12px; }
td.cell { padding: 4px; }
@media (max-width: 480px) { .button { padding: 20px !important; } }
</style>
<style data-premailer="ignore">@media (prefers-color-scheme: dark) {
body { background: #000 !important; color: #eee !important; } }</style>
</head><body>
<div style="display:none;mso-hide:all">{{ preheader }}</div>
<table role="presentation"><tr><td class="cell">{% block content %}{% endblock %}</td></tr></table>
<p>{% block reason %}You said yes to our mail.{% endblock %}
<a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ postal_address }}</p>
</body></html>
"""
BUTTON = """{% macro button(url, label) %}<table role="presentation"><tr><td>
<!--[if mso]><v:roundrect href="{{ url }}"><center>{{ label }}</center></v:roundrect><![endif]-->
<!--[if !mso]><!--><a class="button" href="{{ url }}">{{ label }}</a><!--<![endif]-->
</td></tr></table>{% endmacro %}
"""
REMINDER = """---
subject: "{{ contact.first_name | default('Hello') }}, your cart"
preheader: "{{ start.items | size }} things wait for you"
layout: card
needs: [contact.first_name?, start.items[].name, start.items[].price, start.url, start.note?]
---
{% from "_parts/button.html" import button %}
<h1>Hi {{ contact.first_name | default('there') }}!</h1>
<table role="presentation">{% for item in start.items %}
<tr><td class="cell">{{ item.name }}</td><td>{{ item.price | money }}</td></tr>{% endfor %}</table>
{{ button(start.url, "Back to your cart") }}
{% if start.note %}<p>Note: {{ start.note }}</p>{% endif %}
"""
SOURCES = {
    "email_templates/_layouts/card.html": LAYOUT,
    "email_templates/_parts/button.html": BUTTON,
    "email_templates/cart/reminder.html": REMINDER,
}
CONTEXT: dict[str, Any] = {
    "contact": {"first_name": "Zoë", "email": "zoe@people.example", "locale": "en-GB", "zone": "Europe/Helsinki"},
    "start": {
        "items": [{"name": "Watering can", "price": 12}, {"name": "Pots & soil", "price": "3.5"}],
        "url": "https://shop.example/cart?a=1&b=2",
    },
    "unsubscribe_url": "https://m.example/u/token",
    "preferences_url": "https://m.example/p/token",
    "view_url": "https://m.example/v/token",
}
BRAND = {"ink": "#222222", "name": "The Shop", "assets_url": "https://img.example/a/"}
ADDRESS = "The Shop, Street 1"


class Shop:
    """The shop's templates, data and renderer."""

    context_data = CONTEXT
    address = ADDRESS

    @staticmethod
    def context(**changes: Any) -> dict[str, Any]:
        """The context of a mail; `start={...}` and so on are merged into it."""
        whole = copy.deepcopy(CONTEXT)
        for name, value in changes.items():
            whole[name] = {**whole[name], **value} if isinstance(value, dict) and name in whole else value
        return whole

    @staticmethod
    def renderer(files: dict[str, str] | None = None, **settings: Any) -> Renderer:
        """A renderer of the shop's templates and of `files`, whose paths are relative to email_templates/."""
        sources = {**SOURCES, **{f"email_templates/{path}": text for path, text in (files or {}).items()}}
        return Renderer(sources, **{"brand": BRAND, "postal_address": ADDRESS, **settings})

    def mail(self, body: str, *, head: str = "subject: S", **changes: Any) -> Rendered:
        """A mail of one template with this body and no layout."""
        return self.renderer({"x.html": f"---\n{head}\n---\n{body}"}).render("x", self.context(**changes))

    def shown(self, body: str, **changes: Any) -> str:
        """What a body shows, as HTML."""
        return self.mail(body, **changes).html.split("<body>")[1].split("</body>")[0].strip()

    def refused(self, body: str, *, head: str = "subject: S", **changes: Any) -> str:
        """Why a body is not mailed."""
        with pytest.raises(TemplateError) as caught:
            self.mail(body, head=head, **changes)
        return str(caught.value)

    def problems(self, body: str, *, head: str = "subject: S\npreheader: P", marketing: bool = False) -> list[str]:
        """`code:line` of everything wrong with a template."""
        shop = self.renderer({"x.html": f"---\n{head}\n---\n{body}"})
        found = shop.check(transactional=frozenset() if marketing else frozenset({"x"}))
        return [f"{problem.code}:{problem.line}" for problem in found if problem.template == "x"]


@pytest.fixture
def shop() -> Shop:
    return Shop()

"""A small shop in a folder, a clock that stands still, and a way to call `nurture` in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nurture.cli.main import root
from nurture.cli.session import Session
from nurture.clock import SteppedClock

MORNING = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)  # a Tuesday

FILES = {
    "campaigns/_project.yaml": """\
version: 1
lifecycle:
  stages: [lead, customer]
  aliases: {buyer: customer}
  first: lead
  moves:
    - {to: customer, from: lead, on: Order Completed}
zone: Europe/Berlin
senders:
  shop: {name: Paper Shop, email: hello@shop.example, reply_to: care@shop.example}
postal_address: Paper Shop, Hauptstr. 1, 10115 Berlin
topics:
  news: {title: News}
quiet_hours: 21:00-08:00
caps:
  - {max: 1, per: 20 hours}
consent: {granted_by: [Newsletter Subscribed], withdrawn_by: [Newsletter Unsubscribed]}
""",
    "campaigns/_segments.yaml": "version: 1\nsegments:\n  buyers: orders() >= 1\n",
    "campaigns/welcome.yaml": """\
version: 1
campaign: welcome
title: Welcome new readers
owner: care@shop.example
topic: news
status: live
start:
  event: Newsletter Subscribed
  again: never
stop:
  - event: Order Completed
goal: {event: Order Completed, within: 14 days}
steps:
  - id: hello
    send: welcome/hello
  - wait: 2 days
  - id: story
    send: welcome/story
""",
    "campaigns/receipt.yaml": """\
version: 1
campaign: receipt
title: Thank for every order
owner: care@shop.example
status: live
start:
  event: Order Completed
  key: event.order_id
steps:
  - id: thanks
    send: order/thanks
    kind: transactional
""",
    "campaigns/people/ana.yaml": """\
person: ana
email: ana@people.example
zone: Europe/Lisbon
attributes: {first_name: Ana}
starts:
  receipt: {order_id: A-1}
""",
    "campaigns/tests/welcome.yaml": """\
test: who signs up is greeted
campaign: welcome
person: ana
from: 2026-03-03T10:00 Europe/Lisbon
story:
  - {at: +0m, event: Newsletter Subscribed}
expect:
  sent: [hello, story]
  left_by: finished
""",
    "email_templates/_layouts/plain.html": """\
<!DOCTYPE html>
<html lang="{{ lang }}" dir="{{ dir }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{ subject }}</title>
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark"></head>
<body>
{% block content %}{% endblock %}
<p>{{ postal_address }}</p>
{% if unsubscribe_url %}<p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p>{% endif %}
</body>
</html>
""",
    "email_templates/welcome/hello.html": """\
---
subject: "Welcome, {{ contact.first_name | default('reader') }}"
preheader: Good paper, and what people write on it, twice a month
layout: plain
needs: [contact.first_name?]
---
<h1>Welcome</h1>
<p>Hello {{ contact.first_name | default('reader') }}, good to have you here.</p>
""",
    "email_templates/welcome/story.html": """\
---
subject: How our paper is made
preheader: Cotton, water and two hundred years of practice in one mill
layout: plain
needs: []
---
<h1>Our paper</h1>
<p>It is made of cotton.</p>
""",
    "email_templates/order/thanks.html": """\
---
subject: "Your order {{ start.order_id }}"
preheader: We pack it today, and write to you when it leaves the house
layout: plain
needs: [start.order_id]
---
<h1>Thank you</h1>
<p>We have your order {{ start.order_id }}.</p>
""",
}

ENV = "NURTURE_SECRET_KEY=0123456789abcdef0123456789abcdef0123456789abcdef\n"


@dataclass
class Shop:
    """`shop(...)` calls nurture there; the clock stands at nine on a Tuesday until it is told to jump."""

    folder: Path
    clock: SteppedClock

    def __call__(self, *args: str, stdin: str | bytes | None = None, code: int | None = 0) -> Result:
        session = Session(make_clock=lambda: self.clock)
        result = CliRunner().invoke(root, ["--project", str(self.folder), *args], input=stdin, obj=session)
        assert code is None or result.exit_code == code, f"exit {result.exit_code}\n{result.output}"
        return result

    def json(self, *args: str, stdin: str | bytes | None = None, code: int = 0) -> Any:
        """The envelope of a call with --json."""
        return json.loads(self(*args, "--json", stdin=stdin, code=code).stdout)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def edit(self, name: str, before: str, after: str) -> None:
        text = (self.folder / name).read_text(encoding="utf-8")
        assert before in text
        self.write(name, text.replace(before, after))


class Shops:
    """Each kind of shop is made once a session; tests get copies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy(self, kind: str, to: Path) -> Shop:
        made = self._folder / kind
        if not made.exists():
            self._make(kind, made)
        later = timedelta(minutes=10) if kind == "busy" else timedelta()
        return Shop(Path(shutil.copytree(made, to / "shop")), SteppedClock(MORNING + later))

    def _make(self, kind: str, folder: Path) -> None:
        shop = Shop(folder, SteppedClock(MORNING))
        for name, text in FILES.items():
            shop.write(name, text)
        shop.write(".env", ENV).chmod(0o600)
        if kind == "files":
            return
        shop("db", "upgrade")
        shop("apply", "--yes")
        if kind == "busy":
            shop("events", "send", "Newsletter Subscribed", "--email", "anna@example.com", "--trait", "first_name=Anna")
            shop("run", "--once")
            shop.clock.jump_to(MORNING + timedelta(minutes=1))
            shop("events", "send", "Order Completed", "--email", "ben@example.com", "--with", "order_id=17")
            shop("run", "--once")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [*os.environ]:
        if name.startswith("NURTURE_") or name in {"NO_COLOR", "FORCE_COLOR"}:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Shops:
    return Shops(tmp_path_factory.mktemp("shops"))


@pytest.fixture
def shop(tmp_path: Path, shops: Shops) -> Shop:
    """The files only: no database yet."""
    return shops.copy("files", tmp_path)


@pytest.fixture
def applied(tmp_path: Path, shops: Shops) -> Shop:
    """With a database, and the files applied."""
    return shops.copy("applied", tmp_path)


@pytest.fixture
def busy(tmp_path: Path, shops: Shops) -> Shop:
    """Anna subscribed and was greeted ten minutes ago; then Ben ordered and was thanked."""
    return shops.copy("busy", tmp_path)


@pytest.fixture
def make_csv(tmp_path: Path) -> Callable[[str], Path]:
    def make(text: str) -> Path:
        path = tmp_path / "people.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return make

"""The project that is measured: one campaign, one marketing mail of a given size, and people who are due for it.

The mail is an ordinary one: a style sheet of sixty rules, a table layout, personal texts, a list of products, and links
that are tracked, for everybody has agreed to it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from nurture.app import App
from nurture.engine.advance import advance
from nurture.engine.apply import apply, plan
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.settings import load
from nurture.storage import schema, tables

SECRET = "a secret key for benchmarks, long enough to be one"
SMALL, LARGE = 10_000, 25_000  # characters of template: mails of about 20 and 58 KB
WAIT = timedelta(days=1)
CONNECTIONS = 40
CHUNK = 2_000
VARIETY = 2_000  # people who really sign up; more are copies of them

PROJECT = """\
version: 1
lifecycle:
  stages: [awareness, consideration, purchase]
  first: awareness
  moves:
    - {to: consideration, from: awareness, on: [Signed Up]}
    - {to: purchase, on: Order Completed, from: [awareness, consideration]}
zone: Europe/Helsinki
locale: en-GB
currency: EUR
seed: benchmark
senders:
  shop: {name: Northwind Garden, email: hello@northwind.example, reply_to: care@northwind.example}
postal_address: Northwind Garden, Mannerheimintie 1, 00100 Helsinki, Finland
topics:
  tips: {title: Tips and tutorials, description: Twice a month.}
categories: [value]
consent: {granted_by: [Signed Up]}
tracking: {clicks: true, opens: false, consent: clicks_seen}
caps:
  - {max: 2, per: 20 hours}
  - {max: 5, per: 7 days}
"""

_PRODUCT_NEEDS = ", ".join(f'"start.products[].{name}"' for name in ("id", "title", "image", "blurb", "price", "sale"))

CAMPAIGN = """\
version: 1
campaign: welcome
topic: tips
status: live
start: {event: Signed Up}
stop: {event: Order Completed}
goal: {event: Order Completed, within: 21 days, value: event.total}
steps:
  - {wait: 1 day}
  - {id: hello, send: hello, category: value}
  - {wait: 3 days}
  - {id: more, send: hello, category: value}
"""

BRAND = """\
name: Northwind & Garden
slug: northwind
link: "#1f6146"
ink: "#20302a"
"""

FIRST_NAMES = ("Zoë", "Ann", "Łukasz", "Bob O'Neil", "Mia", "Åsa", "Jean-Luc", "Ngọc")
WORDS = """
    apple autumn balcony bed begin border bulb climb colour compost cut early easy edge evening fern flower frost
    garden grow hedge herb late leaf light long meadow moss mulch night pear perennial plant plot pond pot prune rain
    root rose seed shade shed shrub small soil spring sow stem summer sun tall tree trowel tulip vine warm water week
    wild winter wood yard
""".split()  # noqa: SIM905


def prose(words: int, seed: int) -> str:
    """The same words for the same seed."""
    chosen = random.Random(seed).choices(WORDS, k=words)
    return " ".join(chosen).capitalize() + "."


def template(size: int) -> str:
    """A marketing mail of about `size` characters of source."""
    head = f"""---
subject: "{{{{ contact.first_name | default('Hello') }}}}, your garden is ready"
preheader: Three things to do before the first frost, and what can wait until spring
needs: [contact.first_name, start.plot, start.slug, start.days, start.beds, {_PRODUCT_NEEDS}]
---
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{{{ subject }}}}</title>
<style>
{_styles()}
</style></head>
<body><div class="preheader">{{{{ preheader }}}}</div>
<table class="wrapper" role="presentation"><tr><td align="center">
<table class="container" role="presentation" width="600">
<tr><td class="cell hero"><img src="https://img.northwind.example/{{{{ brand.slug }}}}/logo.png" width="120" height="40" alt="{{{{ brand.name }}}}">
<h1>Welcome, {{{{ contact.first_name | default('there') }}}}!</h1>
<p class="lead">Your plot <strong>{{{{ start.plot }}}}</strong> is {{{{ start.days }}}} days old.{{% if start.beds > 1 %}} It has {{{{ start.beds - 1 }}}} more beds.{{% endif %}}</p>
<table role="presentation"><tr><td class="btn"><a href="https://app.northwind.example/plots/{{{{ start.slug }}}}?utm_campaign=welcome">Open {{{{ start.plot }}}}</a></td></tr></table>
</td></tr>
"""
    sections: list[str] = []
    foot = """<tr><td class="cell">
<h2>Picked for you</h2>
<table role="presentation" width="100%">
{% for item in start.products %}<tr><td width="96"><img src="{{ item.image }}" width="80" height="80" alt="{{ item.title }}"></td>
<td><h3><a href="https://shop.northwind.example/p/{{ item.id }}">{{ item.title }}</a></h3><p class="muted">{{ item.blurb }}</p>
<p class="price">{{ item.price | money }}{% if item.sale %} <span class="badge">Sale</span>{% endif %}</p></td></tr>
{% endfor %}</table>
</td></tr>
<tr><td class="cell footer"><p>You get this because {{ contact.email }} signed up at {{ brand.name }}.
<a href="{{ unsubscribe_url }}">Unsubscribe</a> or <a href="{{ preferences_url }}">choose what you receive</a>.</p>
<p>{{ postal_address }}</p></td></tr>
</table></td></tr></table>
</body></html>
"""  # fmt: skip
    while len(head) + len(foot) + sum(map(len, sections)) < size - 600:
        sections.append(_section(len(sections)))
    return head + "".join(sections) + foot


def _section(number: int) -> str:
    def words(count: int, what: int) -> str:
        return prose(count, 100 * number + what)

    return (
        f'<tr><td class="cell sec{number % 12}"><h2>{words(4, 0)[:-1]}</h2>\n'
        f'<p class="lead">{words(38, 1)} {{{{ contact.first_name }}}}, {words(14, 2)}</p>\n'
        f"<p>{words(45, 3)}</p>\n<ul><li>{words(9, 4)}</li><li>{words(11, 5)}</li></ul>\n"
        f'<p><a href="https://www.northwind.example/guides/{number}?utm_source=nurture&amp;utm_medium=email">'
        f"Read the guide</a></p></td></tr>\n"
    )


def _styles() -> str:
    rules = [
        "body { margin: 0; padding: 0; background-color: #f2f0e8; -webkit-text-size-adjust: 100%; }",
        "table { border-collapse: collapse; mso-table-lspace: 0pt; mso-table-rspace: 0pt; }",
        "img { border: 0; display: block; outline: none; text-decoration: none; }",
        "a { color: {{ brand.link }}; text-decoration: underline; }",
        "p { margin: 0 0 16px 0; font-size: 16px; line-height: 24px; color: {{ brand.ink }}; }",
        "h1 { font-size: 28px; line-height: 34px; margin: 0 0 12px 0; font-weight: 700; }",
        "h2 { font-size: 22px; line-height: 28px; margin: 0 0 10px 0; }",
        "h3 { font-size: 18px; line-height: 24px; margin: 0 0 8px 0; }",
        "td { font-family: Arial, Helvetica, sans-serif; vertical-align: top; }",
        "ul li { margin-bottom: 6px; font-size: 15px; }",
        "table.wrapper { width: 100%; background-color: #f2f0e8; }",
        "table.container { width: 600px; background-color: #ffffff; }",
        "table.container td.cell { padding: 24px 32px; }",
        "td.hero h1 { color: #20302a; }",
        "td.footer p { font-size: 12px; line-height: 18px; color: #55625b; }",
        "td.footer a { color: #55625b; }",
        ".btn a { display: inline-block; padding: 12px 24px; color: #ffffff; text-decoration: none; }",
        ".btn { border-radius: 6px; background-color: {{ brand.link }}; text-align: center; }",
        ".muted { color: #55625b; font-size: 13px; }",
        ".price { font-weight: 700; font-size: 18px; }",
        ".badge { padding: 2px 8px; border-radius: 10px; background-color: #eef3ea; font-size: 12px; }",
        ".preheader { display: none; max-height: 0; overflow: hidden; }",
    ]
    for number in range(12):
        rules += [
            f".sec{number} {{ border-top: 1px solid #dcd8ca; padding-top: {10 + number}px; }}",
            f".sec{number} h2 {{ color: #{number:x}{number:x}6146; }}",
            f"td.sec{number} p.lead {{ font-size: {15 + number % 3}px; line-height: {22 + number % 3}px; }}",
        ]
    rules += [
        "@media only screen and (max-width: 600px) { .cell { padding: 16px !important; } }",
        "a:hover { text-decoration: none; }",
    ]
    return "\n".join(rules)


def files(size: int) -> dict[str, str]:
    """The sources of the project, by path."""
    return {
        "campaigns/_project.yaml": PROJECT,
        "campaigns/welcome.yaml": CAMPAIGN,
        "email_templates/brand.yaml": BRAND,
        "email_templates/hello.html": template(size),
    }


def email(number: int) -> str:
    """Everybody's address; some hundreds of domains, as no provider shall be the limit."""
    return f"contact{number:07d}@d{number % 500}.example.net"


def start_data(number: int) -> dict[str, Any]:
    """What the event says about this person, and the mail shows."""
    products = [
        {
            "id": 100 + item,
            "title": f"Item {item} — “new”",
            "image": f"https://img.northwind.example/p/{item}.jpg?x=1&y=2",
            "blurb": prose(12, item),
            "price": 19.9 + item,
            "sale": item % 2 == 0,
        }
        for item in range(3)
    ]
    return {
        "plot": f"Plot <{number}>",
        "slug": f"plot-{number}",
        "days": 14 + number % 9,
        "beds": 1 + number % 3,
        "products": products,
    }


def open_app(folder: Path, url: str, port: int = 25, connections: int = CONNECTIONS, **settings: str) -> App:
    """The application over a database, sending to a relay on this machine."""
    (folder / ".env").touch()
    return App(load(folder / ".env", environ(url, port, connections, **settings)), root=folder)


def environ(url: str, port: int = 25, connections: int = CONNECTIONS, **settings: str) -> dict[str, str]:
    """The settings of a process, as its environment."""
    return {
        "NURTURE_DATABASE_URL": url,
        "NURTURE_SECRET_KEY": SECRET,
        "NURTURE_BASE_URL": "https://mail.northwind.example",
        "NURTURE_DELIVERY": "smtp",
        "NURTURE_SMTP_URL": f"smtp://127.0.0.1:{port}?connections={connections}&messages=10000",
        "NURTURE_PER_DOMAIN": "100",
        "NURTURE_LOG_FORMAT": "json",
        **{f"NURTURE_{name.upper()}": value for name, value in settings.items()},
    }


def fill(app: App, people: int, size: int) -> None:
    """A new database in which that many, a multiple of `VARIETY` where there are more, are due for their mail."""
    few = min(people, VARIETY)
    prepare(app, few, size)
    if people > few:
        multiply(app, few, people // few)


def prepare(app: App, people: int, size: int, due: datetime | None = None) -> None:
    """A new database in which `people` have signed up, and are due for their mail at `due` (default: an hour ago)."""
    signed_up = (due or datetime.now(UTC) - timedelta(hours=1)) - WAIT
    schema.upgrade(app.database)
    planned = plan(app.database, files(size))
    apply(app.database, planned, signed_up - timedelta(days=1), "benchmark", confirmed=planned.to_confirm)
    app.require_ready()
    applied = app.applied()
    for first in range(0, people, CHUNK):
        ingest(app.database, _signed_up(range(first, min(first + CHUNK, people)), signed_up), signed_up)
        while advance(app.database, applied.programme, applied.needs, signed_up).claimed:
            pass


def multiply(app: App, people: int, times: int, spread: timedelta = timedelta()) -> None:
    """Make of the first `people`, as `prepare` left them, so many times as many: by copying their rows in SQL.

    The n-th copy of everybody is due n times `spread` later. Ledger and stage changes are not copied: nothing reads them
    on the way of a mail.
    """
    with app.database.write() as tx:
        for table in (tables.contacts, tables.events, tables.consents, tables.enrolments, tables.due):
            columns = [c.name for c in table.columns if c.name != "id" or table is tables.contacts]
            chosen = ", ".join(_copied(table.name, name, tx.dialect) for name in columns)
            mine = "id" if table is tables.contacts else "contact_id"
            tx.execute(
                text(
                    "WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < :last) "
                    f"INSERT INTO {table.name} ({', '.join(columns)}) "
                    f"SELECT {chosen} FROM copies CROSS JOIN {table.name} WHERE {mine} <= :people ORDER BY n, {mine}"
                ),
                {"last": times - 1, "people": people, "spread": spread // timedelta(microseconds=1)}
                if ":spread" in chosen
                else {"last": times - 1, "people": people},
            )
    if app.database.dialect == "postgresql":
        with app.database.write() as tx:
            tx.execute(text("ANALYZE"))


def _copied(table: str, column: str, dialect: str) -> str:
    """What stands in a column of the n-th copy."""
    number = f"({'id' if table == 'contacts' else 'contact_id'} + n * CAST(:people AS bigint))"
    if (table, column) == ("contacts", "id") or column == "contact_id":
        return number
    if column in {"email", "email_key"}:
        return f"'contact' || {number} || '@d' || ({number} % 500) || '.example.net'"
    if column == "address_key":
        return f"'copy-' || {number}"
    if column == "domain":
        return f"'d' || ({number} % 500) || '.example.net'"
    if column == "message_id":
        return f"message_id || '-' || {number}"
    if column == "due_at" or (table, column) == ("due", "at"):
        if dialect == "sqlite":
            return f"{column} + n * :spread"
        return f"{column} + n * CAST(:spread AS bigint) * interval '1 microsecond'"
    return column


def _signed_up(numbers: Sequence[int], at: datetime) -> list[IncomingEvent]:
    return [
        IncomingEvent(
            name="Signed Up",
            at=at,
            email=email(number),
            message_id=f"signed-up-{number}",
            traits={"first_name": FIRST_NAMES[number % len(FIRST_NAMES)], "clicks_seen": True},
            properties=start_data(number),
        )
        for number in numbers
    ]

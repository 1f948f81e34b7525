"""Clicks and opens: of those who agreed only, never anywhere else than a link of the mail led, machines apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from nurture.domain.ledger import FactKind
from nurture.domain.tokens import Purpose
from nurture.domain.tracking import MANY_LINKS, Hit, machine
from nurture.engine.explain import explain
from nurture.engine.ingest import IncomingEvent
from nurture.testing.house import ANA, START, House, sources
from nurture.testing.site import Served, serving

Build, Serve = Callable[..., House], Callable[..., Served]
TRACKING = "tracking: {clicks: true, opens: true, consent: may_track}\n"
CAMPAIGN = """\
start: {event: Signed Up}
stop: {event: Email Clicked}
steps:
  - {id: hello, send: hello}
  - {wait: 10 days}
  - {id: later, send: hello}
"""
MAIL = """\
---
subject: Hello
preheader: A few words about the garden, once in a while
needs: [start.items?]
---
<p>Hello <a href="https://shop.example/spring?a=1&amp;b=2">spring</a> <a href="mailto:us@shop.example">write</a></p>
{% for item in start.items | default([]) %}<p><a href="{{ item.url }}">{{ item.name }}</a>
<a href="https://shop.example/p/{{ item.name }}?q=1">all about it</a></p>{% endfor %}
<p>{{ postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>
"""
ITEMS = [{"name": "rose", "url": "https://shop.example/rose"}, {"name": "odd", "url": "tel:+358401234"}]
FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def house_of(build: Build, *, tracking: str = TRACKING, agrees: bool = True) -> House:
    house = build(files=sources(CAMPAIGN, project=tracking, templates={"hello": MAIL}))
    house.take(IncomingEvent(name="Newsletter Subscribed", email=ANA, traits={"may_track": agrees}))
    house.tell("Signed Up", items=ITEMS)
    house.drain()
    return house


def test_the_switch_is_on_her_own_page(build: Build, serve: Serve) -> None:
    house = house_of(build, agrees=False)
    page = "/p/" + house.app.keyring.token(Purpose.PREFERENCES, house.id_of(ANA), 1)
    client = serve(house).client
    assert "which of their links I follow" in client.get(page).text
    for allowed in (True, False):
        house.pass_time("+1 minute")
        data = {"choice": "tracking", **({"allowed": "yes"} if allowed else {})}
        assert ('value="yes" checked' in client.post(page, data=data).text) is allowed
        house.advance()
        exported = client.post(page, data={"choice": "export"}).json()
        assert exported["contact"]["attributes"]["may_track"] is allowed
        assert exported["events"][-1]["properties"] == {"allowed": allowed}


def html_of(house: House) -> str:
    inbox = house.app.inbox
    message = inbox.message(inbox.list()[0].key)
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def links(house: House) -> list[str]:
    return re.findall(r'<a href="([^"]*)"', html_of(house))


def path(link: str) -> str:
    return link.removeprefix("https://mail.northwind.example")


def clicks(house: House) -> list[tuple[FactKind, str | None]]:
    kinds = (FactKind.CLICKED, FactKind.OPENED)
    return [(each.kind, each.detail.get("machine")) for kind in kinds for each in house.facts(ANA, kind)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("tracking", "agrees"), [("", True), (TRACKING, False)])
def test_without_setting_and_consent_no_link_leads_over_us(build: Build, tracking: str, agrees: bool) -> None:
    house = house_of(build, tracking=tracking, agrees=agrees)
    assert "/c/" not in html_of(house)
    assert "/o/" not in html_of(house)
    assert links(house)[0] == "https://shop.example/spring?a=1&amp;b=2"


def test_a_click_leads_where_the_link_led_and_is_an_event_of_hers(build: Build, serve: Serve) -> None:
    house = house_of(build)
    found = links(house)
    assert [("/c/" in each) for each in found] == [True, False, True, True, False, True, False]
    assert (found[1], found[4], "/u/" in found[6]) == ("mailto:us@shop.example", "tel:+358401234", True)
    assert len(set(found)) == 7
    house.pass_time("+1 hour")
    site = serve(house)
    wanted = ["https://shop.example/spring?a=1&b=2", "https://shop.example/rose", "https://shop.example/p/rose?q=1"]
    for link, target in zip([found[0], found[2], found[3]], wanted, strict=True):
        answer = site.client.get(path(link), headers=FIREFOX)
        assert (answer.status_code, answer.headers["Location"], answer.headers["Cache-Control"]) == (
            302,
            target,
            "no-store",
        )
        house.pass_time("+10 seconds")
    picture = re.search(r'<img src="([^"]*/o/[^"]*)"', html_of(house))
    assert picture is not None
    assert site.client.get(path(picture[1]), headers=FIREFOX).headers["Content-Type"] == "image/gif"


def test_what_was_seen_is_recorded_at_the_end_and_explained(build: Build) -> None:
    house = house_of(build)
    found = links(house)
    house.pass_time("+1 hour")
    with serving(house.app) as site:
        for _ in range(2):
            site.client.get(path(found[0]), headers=FIREFOX)
        site.client.head(path(found[2]), headers=FIREFOX)
    house.drain()
    assert clicks(house) == [(FactKind.CLICKED, None), (FactKind.CLICKED, "it asked for the head only")]
    assert house.left_by() == ["stop"]  # a click is an event that campaigns may stop by
    story = explain(house.database, house.app.applied(), ANA, house.now)
    assert story is not None
    assert any(line.what == "a link of hello was followed" for line in story.lines)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_leads_elsewhere(build: Build, serve: Serve) -> None:
    house = house_of(build)
    site, link = serve(house), path(links(house)[0])
    start, label = link.rsplit("/", 1)
    ring, ids = house.app.keyring, (house.id_of(), house.mails()[0].delivery.seq)
    unsubscribe = f"/c/{ring.token(Purpose.UNSUBSCRIBE, *ids)}/{label}"
    for wrong in (
        f"{start}/AAAAAAAA", f"{start}/https://evil.example", f"{start}/%2F%2Fevil.example", f"{start}/%0d%0aX:1",
        f"{start}x/{label}", unsubscribe, f"{start}/{label}/", f"/c//{label}", f"{start}/\\evil.example",
    ):  # fmt: skip
        answer = site.client.get(wrong)
        assert (wrong, answer.status_code, "Location" in answer.headers) == (wrong, 404, False)
    assert (
        site.client.get(f"{link}?url=https://evil.example").headers["Location"] == "https://shop.example/spring?a=1&b=2"
    )
    assert site.client.get("/o/x.gif").status_code == 404


def hit(seconds: float = 60, label: str | None = "a", agent: str = FIREFOX["User-Agent"], **more: bool) -> Hit:
    return Hit(1, 1, START + timedelta(seconds=seconds), label, agent, **more)


APPLE, OUTLOOK = "Mozilla/5.0", "Mozilla/4.0 (compatible) BingPreview/1.0b"
GOOGLE = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"


@pytest.mark.parametrize(
    ("one", "is_machine"),
    [(hit(), False), (hit(is_head=True), True), (hit(prefetch=True), True), (hit(4.9), True), (hit(5), False),
     (hit(1.9, None), True), (hit(2, None), False), (hit(agent=""), True), (hit(agent=APPLE), True),
     (hit(agent=GOOGLE), True), (hit(agent=YAHOO), True), (hit(agent=OUTLOOK), True), (hit(agent="curl/8"), True)],
)  # fmt: skip
def test_machines_are_told_from_people(one: Hit, is_machine: bool) -> None:
    assert (machine(one, [one], START) is not None) == is_machine
    assert machine(one, [one], None) is not None


def test_who_follows_every_link_at_once_is_a_machine_from_the_first_on() -> None:
    burst = [hit(60 + n / 2, f"label {n}") for n in range(MANY_LINKS)]
    assert all(machine(each, burst, START) for each in burst)
    assert machine(burst[0], burst[:2], START) is None
    assert machine(burst[0], [hit(60 + 10 * n, f"label {n}") for n in range(9)], START) is None


@pytest.mark.parametrize("name", ["nurture.clicked_by_machine", "nurture.opened"])
def test_nothing_can_be_made_to_depend_on_machines(build: Build, name: str) -> None:
    with pytest.raises(AssertionError, match="nothing may depend on"):
        build(CAMPAIGN.replace("Email Clicked", name))

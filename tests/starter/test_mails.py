"""Every mail of the starter programme, for every example person: what people would really get."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from lxml import html as lxml_html

from nurture.domain.campaign import Campaign
from nurture.domain.enrolment import Grant
from nurture.domain.personal import Links, template_context
from nurture.domain.steps import MailKind, Send
from nurture.language.compile import compile_project
from nurture.language.source import read_project
from nurture.rendering.renderer import Rendered, Renderer
from nurture.yaml_text import load

ROOT = Path(__file__).resolve().parents[2]
SOURCES = read_project(ROOT)
COMPILED = compile_project(SOURCES)
NOW = datetime(2027, 3, 2, 9, tzinfo=UTC)
LINKS = Links(
    unsubscribe="https://mail.northwind.example/u/token-u",
    preferences="https://mail.northwind.example/p/token-p",
    view="https://mail.northwind.example/v/token-v",
    confirm="https://mail.northwind.example/c/token-c",
    answers="https://mail.northwind.example/a/token",
)


@dataclass(frozen=True)
class Mail:
    person: str
    campaign: Campaign
    send: Send
    tier: str | None = None

    def __str__(self) -> str:
        tier = f"-{self.tier}" if self.tier else ""
        return f"{self.send.template}-{self.person}{tier}"

    def context(self) -> dict[str, Any]:
        programme, person = COMPILED.programme, COMPILED.people[self.person]
        assert programme is not None
        contact = person.contact(NOW, first_stage=programme.lifecycle.first)
        grant = None
        if self.send.offer is not None:
            offer = self.campaign.offers[self.send.offer]
            tier = next(each for each in offer.tiers if each.name == self.tier)
            grant = Grant(offer.name, tier.name, tier.discount, "PATRON-7F3KQ-2MX4A", NOW, NOW + timedelta(days=21))
        start = person.start_data(self.campaign.name)
        return template_context(programme, self.campaign, self.send, contact, start, grant, LINKS)


def every_mail() -> Iterator[Mail]:
    programme = COMPILED.programme
    assert programme is not None
    for campaign in programme.campaigns.values():
        for send in campaign.sends:
            tiers = [tier.name for tier in campaign.offers[send.offer].tiers] if send.offer else [None]
            for person in COMPILED.people:
                yield from (Mail(person, campaign, send, tier) for tier in tiers)


MAILS = list(every_mail())


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    programme = COMPILED.programme
    assert programme is not None
    brand, _ = load(SOURCES["email_templates/brand.yaml"], "brand.yaml")
    return Renderer(
        SOURCES,
        brand={**programme.brand, **brand},
        postal_address=programme.postal_address,
        senders=programme.senders,
        topics=programme.topics,
        default_locale=programme.locale,
        default_zone=programme.zone,
        currency=programme.currency,
    )


def rendered(renderer: Renderer, mail: Mail) -> Rendered:
    return renderer.render(mail.send.template, mail.context(), subject=mail.send.subject)


def missing(needs: Iterator[Any] | Any, context: dict[str, Any]) -> list[str]:
    """Needed data that this person has not."""
    return [str(need) for need in needs if not need.optional and not _has(context, need.path)]


def _has(value: Any, path: tuple[str, ...]) -> bool:
    if not path:
        return value not in (None, "", [])
    if path[0] == "[]":
        return isinstance(value, list) and bool(value) and all(_has(item, path[1:]) for item in value)
    return isinstance(value, dict) and path[0] in value and _has(value[path[0]], path[1:])


def test_the_renderer_finds_no_fault_with_any_template(renderer: Renderer):
    transactional = frozenset(mail.send.template for mail in MAILS if mail.send.kind is MailKind.TRANSACTIONAL)
    assert [str(problem) for problem in renderer.check(transactional=transactional)] == []


@pytest.mark.parametrize("mail", MAILS, ids=str)
def test_a_mail_is_good_for_whoever_may_get_it(renderer: Renderer, mail: Mail):
    context = mail.context()
    lacking = missing(renderer.template(mail.send.template).needs, context)
    if mail.send.template == "referral/invitation" and mail.person in {"sam", "kerttu"}:
        assert lacking == ["contact.referral_url"]  # the campaign does not start without it
        return
    assert lacking == []
    result = rendered(renderer, mail)
    page = lxml_html.document_fromstring(result.html)

    assert "{{" not in result.html + result.text + result.subject
    assert "None" not in result.text.split()
    assert len(result.html.encode()) < 60_000
    assert 3 < len(result.subject) <= 60
    assert "\n" not in result.subject
    assert 40 <= len(result.preheader) <= 110
    assert result.preheader != result.subject
    assert len(page.findall(".//h1")) == 1
    assert result.html.startswith("<!DOCTYPE html")
    assert page.get("lang") == "en-GB"
    for table in page.iter("table"):
        assert table.get("role") == "presentation"
    for image in page.iter("img"):
        assert image.get("alt") is not None

    links = {str(link.get("href")) for link in page.iter("a")}
    assert links
    for link in links:
        assert link.startswith("https://")
        assert unescape(link) in result.text
    in_footer = {LINKS.unsubscribe, LINKS.preferences, LINKS.view}
    assert (in_footer <= links) == (mail.send.kind is MailKind.MARKETING)
    assert "Mannerheimintie 1" in result.text
    assert "Mannerheimintie 1" in page.text_content()
    assert max(len(line) for line in result.text.splitlines() if "https://" not in line) <= 200


@pytest.mark.parametrize("mail", [mail for mail in MAILS if mail.person == "sam"], ids=str)
def test_a_mail_greets_someone_without_a_name_too(renderer: Renderer, mail: Mail):
    if mail.send.template == "referral/invitation":
        return
    text = rendered(renderer, mail).text
    assert re.search(r"Hi ,|\w ,|\( ?\)|\w  \w", text) is None


def test_what_people_write_cannot_become_markup(renderer: Renderer):
    pixie = [mail for mail in MAILS if mail.person == "pixie"]
    for mail in pixie:
        result = rendered(renderer, mail)
        assert "<b>a window" not in result.html
        assert "<giant>" not in result.html


def test_the_button_reaches_outlook_as_well(renderer: Renderer):
    mail = next(mail for mail in MAILS if str(mail) == "cart/reminder-ana")
    html = rendered(renderer, mail).html
    box = re.search(r"<!--\[if mso\]><v:roundrect[^>]*href=\"([^\"]+)\"", html)
    assert box is not None
    assert box[1] == "https://northwind.example/cart/c-7781"


def test_dark_colours_survive_inlining(renderer: Renderer):
    mail = next(mail for mail in MAILS if str(mail) == "cart/reminder-ana")
    html = rendered(renderer, mail).html
    assert "prefers-color-scheme: dark" in html
    assert "[data-ogsc]" in html
    assert html.count("!important") > 20


def test_twenty_lines_in_a_cart_are_all_there(renderer: Renderer):
    mail = next(mail for mail in MAILS if str(mail) == "cart/reminder-otto")
    result = rendered(renderer, mail)
    items = mail.context()["start"]["items"]
    assert len(items) == 20
    for item in items:
        assert item["name"] in result.text

"""Answers by link: the link shows, the button tells; scanners answer nothing, and a day later nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from nurture.domain.tokens import Purpose
from nurture.storage.contacts import find
from nurture.testing.house import ANA, House
from nurture.testing.site import Served

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # says nothing about SQL
PROJECT = """\
surveys:
  nps:
    event: Score Given
    attribute: score
    answers: [0, 5, 10]
    texts:
      en: {question: Would you tell a friend?, thanks: Thank you!, answers: {"0": "No, never"}}
      fi: {question: Kertoisitko ystävälle?, thanks: Kiitos!}
"""
CAMPAIGN = """\
start: {event: Signed Up}
steps:
  - {id: ask, send: ask}
  - wait_for: {event: Score Given, up_to: 5 days, where: event.answer == 10}
    then:
      - record: Was Glad
"""
ASK = """\
---
subject: One question
preheader: It takes one tap to answer, and nobody is asked more than once a year
---
{% macro tap(href, label) %}<a href="{{ href }}">{{ label }}</a>{% endmacro %}
<p><a href="{{ answer_url('nps', 0) }}">0</a> {{ tap(answer_url("nps", "10"), "10") }}</p>
<p>{{ postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>
"""


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    made = build(CAMPAIGN, project=PROJECT, templates={"ask": ASK})
    made.consenting()
    made.tell("Signed Up")
    made.drain()
    return made


@pytest.fixture
def ten(house: House) -> str:
    """The path of the answer 10, as it stands in the mail."""
    inbox = house.app.inbox
    part = inbox.message(inbox.list()[0].key).get_body(("html",))
    assert part is not None
    links = re.findall(r'href="https?://[^/]+(/a/[^"]+)"', part.get_content())
    assert [link.rpartition("/nps/")[2] for link in links] == ["0", "10"]
    return links[1]


def score(house: House) -> Any:
    house.advance()
    with house.database.read() as tx:
        return find(tx, ANA).attributes.get("score")


def test_following_the_links_answers_nothing(site: Served, ten: str, stored: Callable[[], list[Any]]) -> None:
    before = stored()
    page = site.client.get(ten)
    assert (page.status_code, site.client.head(ten).status_code) == (200, 200)
    assert "Would you tell a friend?" in page.text
    assert "No, never" in page.text
    assert re.findall(r'value="(\w+)" required checked', page.text) == ["10"]
    assert "Kertoisitko" in site.client.get(ten, headers={"Accept-Language": "fi"}).text
    assert stored() == before


def test_an_answer_is_an_event_and_an_attribute_and_may_be_changed_for_a_day(
    house: House, site: Served, ten: str, stored: Callable[[], list[Any]]
) -> None:
    told = site.client.post(ten, data={"answer": "5"})
    assert "Thank you!" in told.text
    assert "Your answer is “5”." in told.text
    assert score(house) == 5
    for _ in range(2):
        house.pass_time("+1 hour")
        assert "Your answer is “10”." in site.client.post(ten, data={"answer": "10"}).text
    assert score(house) == 10
    given = [(name, said) for _, name, _, said in stored() if name == "Score Given"]
    assert [said["answer"] for _, said in given] == [5, 10], "said twice it is told once"
    assert given[0][1] == {"survey": "nps", "answer": 5, "campaign": "c", "delivery": house.mails()[0].delivery.seq}
    assert "Was Glad" in {name for _, name, _, _ in stored()}
    house.pass_time("+23 hours")
    late = site.client.post(ten, data={"answer": "0"})
    assert "can no longer be answered" in late.text
    assert "<form" not in late.text
    assert score(house) == 10


def test_what_is_no_link_or_no_answer_of_ours_says_so(
    house: House, site: Served, ten: str, stored: Callable[[], list[Any]]
) -> None:
    before = stored()
    other = house.app.keyring.token(Purpose.PREFERENCES, house.id_of(), 1)
    for path in (ten.replace("/10", "/7"), ten.replace("nps", "other"), f"/a/{other}/nps/10", "/a/x/nps/10", ten[:-9]):
        assert site.client.get(path).status_code == 404
        assert site.client.post(path, data={"answer": "10"}).status_code in {404, 405}
    for answer in ("", "7", "10\0", "\ud83d".encode("utf-8", "surrogatepass").decode("latin-1"), "1" * 300):
        assert site.client.post(ten, data={"answer": answer}).status_code == 400
    assert site.client.post(ten, json={"answer": "10"}).status_code == 415
    assert stored() == before


def test_a_mail_that_is_forgotten_cannot_be_answered(house: House, site: Served, ten: str) -> None:
    nobody = f"/a/{house.app.keyring.token(Purpose.ANSWER, house.id_of(), 999)}/nps/10"
    assert "can no longer be answered" in site.client.post(nobody, data={"answer": "10"}).text
    assert score(house) is None

"""What a template may know of a person: plain data, and no more than that."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import Enum

import pytest

from nurture.domain.contact import Contact
from nurture.domain.enrolment import Grant
from nurture.domain.event import Event, plain
from nurture.domain.personal import Links, sender_of, template_context, topic_title
from nurture.domain.steps import Send
from nurture.testing.worlds import programme

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
RULES = programme("title: The cart\nstart: {event: X}\nsteps:\n  - {id: one, send: a/one}\n")
LINKS = Links("https://x/u/1", "https://x/p/1", "https://x/v/1")
ANA = Contact(
    id=7, email="ana@people.example", created_at=NOW, attributes={"first_name": "Ana", "email": "old"}, version=3
)


class Colour(Enum):
    RED = "red"


def test_a_template_sees_the_person_the_start_and_the_links() -> None:
    campaign = RULES.campaigns["c"]
    send = campaign.nodes["one"]
    assert isinstance(send, Send)
    grant = Grant("thanks", "gold", "20%", "GOLD-1", NOW, NOW)
    context = template_context(RULES, campaign, send, ANA, {"items": ({"name": "Fork"},), "at": NOW}, grant, LINKS)
    assert context["contact"]["first_name"] == "Ana"
    assert context["contact"]["email"] == "ana@people.example"
    assert context["contact"]["locale"] == "en"
    assert context["start"] == context["event"] == {"items": [{"name": "Fork"}], "at": "2026-03-02T09:00:00+00:00"}
    assert context["offer"]["expires_at"] == "2026-03-02T09:00:00+00:00"
    assert (context["unsubscribe_url"], context["step"], context["topic"]) == ("https://x/u/1", "one", "Tips")
    assert not {"id", "version", "suppressed", "consent"} & set(context["contact"])
    assert json.loads(json.dumps(context)) == context


def test_without_a_grant_there_is_no_offer() -> None:
    campaign = RULES.campaigns["c"]
    send = campaign.nodes["one"]
    assert isinstance(send, Send)
    assert "offer" not in template_context(RULES, campaign, send, ANA, {}, None, LINKS)
    assert sender_of(RULES, send).email == "hello@northwind.example"
    assert topic_title(RULES, campaign) == "Tips"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({1: {2}}, {"1": [2]}),
        (NOW, "2026-03-02T09:00:00+00:00"),
        (NOW.date(), "2026-03-02"),
        (Event(1, "X", NOW), "2026-03-02T09:00:00+00:00"),
        (Colour.RED, "Colour.RED"),
        (b"x", "b'x'"),
        (True, True),
        (None, None),
    ],
)
def test_plain_data_is_json(value: object, expected: object) -> None:
    assert plain(value) == expected
    json.dumps(plain(value))

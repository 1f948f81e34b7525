"""Signing up: a form, one mail, one yes. Nobody is bombed, nobody is told who is on the list, nobody revived."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from httpx import Response

from nurture.domain.contact import Consent, Contact, SuppressionReason
from nurture.engine.people import suppress
from nurture.engine.retention import forget_unconfirmed
from nurture.storage.contacts import export, find
from nurture.testing.house import ANA, House
from nurture.testing.signup import CONFIRM, PROJECT
from nurture.testing.site import Served

NEW = "new@people.example"
HERE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # says nothing about SQL
ASK = """\
---
subject: Was it you?
preheader: Somebody gave this address in our sign-up form, with these words
needs: [start.wording?]
---
<p>{{ start.wording | default('') }} <a href="{{ confirm_url }}">Yes</a></p>
"""


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    return build(CONFIRM, project=PROJECT, templates={"ask": ASK})


def sign_up(house: House, site: Served, email: str = NEW, *, wait: float = 5, **more: object) -> Response:
    """Open the form, read it for a while, and send it."""
    opened = re.search(r'name="opened" value="([^"]+)"', site.client.get("/s/news").text)
    assert opened
    house.clock.jump_to(house.now + timedelta(seconds=wait))
    form = {"opened": opened[1], "email": email, "topic": ["tips"], "field-first_name": "Nea", **more}
    return site.client.post("/s/news", data=form)


def link_in_mail(house: House, email: str = NEW) -> str:
    house.live_until("+1 minute")
    (mail,) = house.mails(email)
    return f"/c/{house.app.keyring.token('opt-in', house.id_of(email), mail.delivery.seq)}"


def contact(house: House, email: str = NEW) -> Contact | None:
    with house.database.read() as tx:
        return find(tx, email)


def test_a_yes_is_a_mail_and_a_button_and_leaves_a_proof(house: House, site: Served) -> None:
    told = sign_up(house, site)
    assert told.status_code == 200
    assert "Look into your mailbox" in told.text
    link = link_in_mail(house)
    assert contact(house).consent is Consent.NONE
    assert "first_name" not in contact(house).attributes
    shown = site.client.get(link)
    assert "I would like your letters." in shown.text
    assert NEW not in shown.text
    house.live_until("+1 minute")
    assert contact(house).consent is Consent.NONE, "following a link says nothing"
    thanks = site.client.post(link)
    assert "Good to have you." in thanks.text
    site.client.post(link)
    house.live_until("+1 minute")
    her = contact(house)
    assert (her.consent, her.opted_out, her.attributes["first_name"]) == (Consent.GRANTED, {"offers"}, "Nea")
    with house.database.read() as tx:
        everything = export(tx, her.id)
    (yes,) = [each for each in everything["events"] if each["name"] == "Newsletter Subscribed"]
    assert yes["source"] == "form"
    assert yes["properties"]["wording"] == "I would like your letters."
    assert yes["properties"]["requested_from"] == yes["properties"]["confirmed_from"] == "127.0.0.1"
    assert yes["properties"]["requested_at"] < yes["properties"]["confirmed_at"]
    assert [(each["granted"], each["event_id"]) for each in everything["consents"]] == [(True, yes["id"])]


@HERE
def test_whatever_becomes_of_an_address_the_answer_is_the_same(house: House, site: Served) -> None:
    house.tell("Newsletter Subscribed")
    suppress(house.database, ["dead@people.example"], house.now, "test")
    answers = {sign_up(house, site, email).text for email in (NEW, NEW, ANA, "dead@people.example")}
    answers.add(sign_up(house, site, "bot@people.example", website="http://x").text)
    assert len(answers) == 1
    assert contact(house, "dead@people.example") is None
    assert contact(house, "bot@people.example") is None


def test_an_address_is_asked_once_a_day_and_three_times_a_month_whoever_knocks(house: House, site: Served) -> None:
    for day in range(6):
        for _ in range(2):
            sign_up(house, site)
        house.live_until("+1 day 1 hour")
        assert len(house.mails(NEW)) == min(day + 1, 3)


@HERE
def test_a_link_works_for_a_week_and_says_yes_once(house: House, site: Served) -> None:
    sign_up(house, site)
    link = link_in_mail(house)
    site.client.post(link)
    house.live_until("+1 day")
    house.tell("nurture.unsubscribed", NEW)
    house.live_until("+1 minute")
    site.client.post(link)
    house.live_until("+1 minute")
    assert contact(house).consent is Consent.WITHDRAWN
    house.live_until("+7 days")
    late = site.client.post(link)
    assert (late.status_code, "too old" in late.text) == (410, True)
    assert site.client.get("/c/nothing").status_code == 404
    assert site.client.post(link.replace("/c/", "/u/")).status_code in {404, 415}


@HERE
@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"wait": 0.5}, "press the button once more"),
        ({"wait": 90_000}, "press the button once more"),
        ({"opened": "forged"}, "press the button once more"),
        ({"email": "no address"}, "Please look at the address"),
        ({"email": "a\0b@people.example"}, "Your e-mail address"),
        ({"topic": ["secrets"]}, "Please tick"),
    ],
)
def test_what_cannot_be_taken_is_shown_once_more_and_mails_nobody(
    house: House, site: Served, told: dict[str, object], says: str
) -> None:
    answer = sign_up(house, site, **told)
    assert says in answer.text
    assert answer.status_code == 200
    assert contact(house) is None


@HERE
def test_one_source_may_not_knock_without_end(house: House, site: Served) -> None:
    assert [site.client.post("/s/news", data={"email": NEW}).status_code for _ in range(12)][-1] == 429


@HERE
def test_a_suppressed_person_is_not_revived(house: House, site: Served) -> None:
    sign_up(house, site)
    link = link_in_mail(house)
    suppress(house.database, [NEW], house.now, "test")
    site.client.post(link)
    house.live_until("+1 minute")
    assert contact(house).suppressed is SuppressionReason.MANUAL


@HERE
def test_a_form_speaks_the_language_that_is_asked_for(house: House, site: Served) -> None:
    for told in (
        site.client.get("/s/news", headers={"Accept-Language": "fi"}),
        site.client.get("/s/news?language=fi"),
        site.client.post("/s/news", data={"language": "fi", "email": NEW}),
    ):
        assert "Haluan kirjeitänne." in told.text
        assert told.headers["content-language"] == "fi"
    assert site.client.get("/s/other").status_code == 404


def test_who_never_says_yes_is_forgotten_after_thirty_days_and_may_be_asked_again(house: House, site: Served) -> None:
    house.tell("Viewed", ANA)
    sign_up(house, site, ANA)
    sign_up(house, site)
    sign_up(house, site, "sure@people.example")
    site.client.post(link_in_mail(house, "sure@people.example"))
    house.live_until("+29 days")
    assert forget_unconfirmed(house.database, house.now) == 0
    house.live_until("+2 days")
    assert forget_unconfirmed(house.database, house.now) == 1
    assert contact(house) is None
    assert contact(house, ANA) is not None, "she was here before"
    assert contact(house, "sure@people.example").consent is Consent.GRANTED
    assert sign_up(house, site).status_code == 200
    house.live_until("+1 minute")
    assert contact(house) is not None

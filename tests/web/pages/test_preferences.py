"""The preference centre: what she chooses holds, following the link changes nothing, and what is hers she gets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.delivery import DeliveryState
from nurture.domain.tokens import Purpose
from nurture.storage.contacts import find
from nurture.storage.suppressions import suppression_of
from nurture.testing.house import ANA, House
from nurture.testing.site import Served

Link = Callable[..., str]


@pytest.fixture
def centre(house: House, link: Link) -> str:
    house.consenting()
    house.pass_time("+1 minute")
    return link("/p/", Purpose.PREFERENCES)


def ana(house: House) -> Any:
    house.advance()
    with house.database.read() as tx:
        return find(tx, ANA)


def test_following_the_link_changes_nothing(site: Served, centre: str, stored: Callable[[], list[Any]]) -> None:
    before = stored()
    page = site.client.get(centre)

    assert page.status_code == 200
    assert ANA not in page.text
    assert "set-cookie" not in page.headers
    assert stored() == before


def test_topics_are_left_and_taken_again(house: House, site: Served, centre: str) -> None:
    topics = sorted(house.app.applied().programme.topics)
    left = site.client.post(centre, data={"choice": "topics", "topic": topics[:1]})
    assert "Saved" in left.text
    assert left.text.count(" checked") == 1, "before her turn, too"
    assert ana(house).opted_out == set(topics[1:])
    house.pass_time("+1 minute")
    site.client.post(centre, data={"choice": "topics", "topic": topics})
    assert ana(house).opted_out == frozenset()
    house.pass_time("+1 minute")
    site.client.post(centre, data={"choice": "nothing"})
    assert ana(house).consent is Consent.WITHDRAWN


def test_during_a_pause_no_mail_goes_and_after_it_they_do(house: House, site: Served, centre: str) -> None:
    until = (house.now + timedelta(days=10)).date().isoformat()
    assert "2026" in site.client.post(centre, data={"choice": "pause", "until": until}).text
    assert ana(house).paused_until.date().isoformat() <= until
    house.tell("Signed Up")
    house.drain()
    assert "skipped person_paused" in house.told()
    assert "Go on now" in site.client.get(centre).text
    site.client.post(centre, data={"choice": "go-on"})
    assert ana(house).paused_until is None
    house.tell("Signed Up", happened=None, again=True)
    house.drain()
    assert house.mails()[-1].delivery.state is DeliveryState.SENT


def test_fewer_mails_are_hers_to_ask_for(house: House, site: Served, centre: str) -> None:
    asked = site.client.post(centre, data={"choice": "fewer", "days": "14"})
    assert "Saved" in asked.text
    assert '<option value="14" selected>' in asked.text
    assert ana(house).own_cap_days == 14
    assert site.client.post(centre, data={"choice": "export"}).json()["contact"]["own_cap_days"] == 14
    house.pass_time("+1 minute")
    site.client.post(centre, data={"choice": "fewer", "days": "-1"})
    assert ana(house).own_cap_days is None


@pytest.mark.parametrize("until", ["", "soon", "2026-03-01", "2030-01-01", "9999-12-31", "0001-01-01"])
def test_a_pause_needs_a_day_within_a_year(house: House, site: Served, centre: str, until: str) -> None:
    assert "Please choose a day" in site.client.post(centre, data={"choice": "pause", "until": until}).text
    assert ana(house).paused_until is None


def test_language_and_zone_are_hers_to_choose(house: House, site: Served, centre: str) -> None:
    told = site.client.post(centre, data={"choice": "place", "language": "fi", "zone": "Asia/Tokyo"})
    assert '<html lang="fi"' in told.text
    assert (ana(house).locale, ana(house).zone) == ("fi", "Asia/Tokyo")
    site.client.post(centre, data={"choice": "place", "language": "xx", "zone": "Mars"})
    assert (ana(house).locale, ana(house).zone) == ("fi", "Asia/Tokyo")


def test_she_gets_what_is_stored_and_is_forgotten_only_when_sure(house: House, site: Served, centre: str) -> None:
    exported = site.client.post(centre, data={"choice": "export"})
    assert exported.headers["content-disposition"].startswith("attachment")
    assert exported.json()["contact"]["email"] == ANA
    assert exported.json()["consents"]
    assert "cannot be undone" in site.client.post(centre, data={"choice": "erase"}).text
    assert ana(house) is not None
    assert "Your data is erased" in site.client.post(centre, data={"choice": "erase", "sure": "yes"}).text
    assert ana(house) is None
    with house.database.read() as tx:
        kept = suppression_of(tx, ANA)
    assert kept is not None
    assert kept.reason is SuppressionReason.ERASED
    assert "not on our list" in site.client.get(centre).text


def test_links_of_another_purpose_and_odd_choices_do_nothing(
    site: Served, centre: str, link: Link, stored: Callable[[], list[Any]]
) -> None:
    before = stored()
    assert site.client.post(link("/p/", Purpose.UNSUBSCRIBE), data={"choice": "nothing"}).status_code == 404
    assert site.client.post(centre, data={"choice": "anything"}).status_code == 400
    assert stored() == before

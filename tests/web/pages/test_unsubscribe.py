"""The way out: exactly by RFC 8058, at once, and never by a GET."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select

from nurture.domain.contact import Consent
from nurture.domain.delivery import DeliveryState
from nurture.domain.tokens import Purpose
from nurture.engine.recipient import SECOND_THOUGHTS
from nurture.storage.contacts import erase, find
from nurture.storage.tables import deliveries
from nurture.testing.house import ANA, House
from nurture.testing.marks import FIRST_ON_SQLITE
from nurture.testing.processes import Shop
from nurture.testing.site import Served, serving
from nurture.testing.smtp import Act, ScriptedServer

Link = Callable[..., str]
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def way_out(house: House, link: Link) -> str:
    """The unsubscribe link in a mail Ana got."""
    house.consenting()
    house.tell("Signed Up")
    house.drain()
    assert house.state() is DeliveryState.SENT
    house.pass_time("+1 minute")
    return link("/u/", Purpose.UNSUBSCRIBE)


def ana(house: House) -> Any:
    house.advance()
    with house.database.read() as tx:
        return find(tx, ANA)


@pytest.mark.parametrize("form", [{"data": ONE_CLICK}, {"files": {"List-Unsubscribe": (None, "One-Click")}}])
def test_one_click_is_one_post_without_cookies_or_redirects(
    house: House, site: Served, way_out: str, form: dict[str, Any]
) -> None:
    answer = site.client.post(way_out, **form)

    assert answer.status_code == 200
    assert not answer.history
    assert "set-cookie" not in answer.headers
    assert site.woken == 1
    assert ana(house).opted_out == {"tips"}, "what the mail was about, and no more"
    assert ana(house).consent is Consent.GRANTED


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_whoever_only_follows_the_link_changes_nothing(
    house: House, site: Served, way_out: str, method: str, stored: Callable[[], list[Any]]
) -> None:
    before = stored()
    answer = site.client.request(method, way_out)

    assert answer.status_code == 200
    assert stored() == before
    assert "set-cookie" not in answer.headers
    assert ANA not in answer.text


@pytest.mark.parametrize("data", [{}, {"List-Unsubscribe": "one-click"}, {"choice": "none"}])
def test_a_form_that_says_nothing_changes_nothing(
    site: Served, way_out: str, data: dict[str, str], stored: Callable[[], list[Any]]
) -> None:
    before = stored()
    assert site.client.post(way_out, data=data or {"x": "y"}).status_code == 400
    assert site.client.post(way_out, json=ONE_CLICK).status_code == 415
    assert stored() == before


def test_the_page_stops_a_topic_or_everything_and_a_mistake_is_undone(house: House, site: Served, way_out: str) -> None:
    page = site.client.get(way_out).text
    assert 'value="topic"' in page
    assert 'value="all"' in page
    assert "a***@people.example" in page

    gone = site.client.post(way_out, data={"choice": "all"})
    assert "You are unsubscribed" in gone.text
    assert ana(house).consent is Consent.WITHDRAWN
    house.pass_time("+1 minute")
    assert "Good to have you back" in site.client.post(way_out, data={"choice": "undo"}).text
    assert ana(house).consent is Consent.GRANTED
    assert ana(house).opted_out == frozenset()


def test_a_mistake_of_long_ago_is_no_mistake(house: House, site: Served, way_out: str) -> None:
    site.client.post(way_out, data=ONE_CLICK)
    house.advance()
    house.clock.jump_to(house.now + SECOND_THOUGHTS * 2)
    answer = site.client.post(way_out, data={"choice": "undo"})

    assert "Good to have you back" not in answer.text
    assert ana(house).opted_out == {"tips"}


def test_undo_gives_no_consent_that_never_was(house: House, site: Served, link: Link) -> None:
    house.tell("Signed Up")
    house.drain()
    way_out = link("/u/", Purpose.UNSUBSCRIBE, seq=0)
    gone = site.client.post(way_out, data={"choice": "all"})
    site.client.post(way_out, data={"choice": "undo"})

    assert 'value="undo"' not in gone.text
    assert ana(house).consent is Consent.WITHDRAWN


def test_one_click_for_a_mail_nobody_knows_any_more_stops_everything(
    house: House, site: Served, way_out: str, link: Link
) -> None:
    site.client.post(link("/u/", Purpose.UNSUBSCRIBE, seq=4711), data=ONE_CLICK)

    assert ana(house).consent is Consent.WITHDRAWN


def test_links_of_others_and_of_other_purposes_open_nothing(
    house: House, site: Served, way_out: str, link: Link, stored: Callable[[], list[Any]]
) -> None:
    before = stored()
    others = [link("/u/", purpose) for purpose in Purpose if purpose is not Purpose.UNSUBSCRIBE]
    for other in [*others, way_out[:-1], way_out + "x", way_out.swapcase(), "/u/x"]:
        assert site.client.get(other).status_code == 404
        assert site.client.post(other, data=ONE_CLICK).status_code == 404
    assert stored() == before


def test_a_forgotten_person_can_leave_as_often_as_she_likes(house: House, site: Served, way_out: str) -> None:
    house.database.transact(lambda tx: erase(tx, house.id_of(), house.now))

    assert site.client.post(way_out, data=ONE_CLICK).status_code == 200
    assert "You are not on our list" in site.client.get(way_out).text


def test_the_page_speaks_the_language_of_its_reader(house: House, site: Served, way_out: str) -> None:
    told = site.client.get(way_out, headers={"Accept-Language": "xx, de;q=0.5, fi;q=0.9, sv;q=0"})
    assert told.headers["content-language"] == "fi"
    assert '<html lang="fi"' in told.text
    assert "Peru tilaus" in told.text


def test_a_page_may_load_nothing_but_its_own(site: Served, way_out: str) -> None:
    answer = site.client.get(way_out)

    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "<script" not in answer.text
    assert "style=" not in answer.text


@FIRST_ON_SQLITE
def test_a_no_holds_at_the_next_gate_of_a_daemon_in_the_middle_of_its_work(shop: Shop, server: ScriptedServer) -> None:
    all_said = Event()  # until then so slow that many stand claimed before their gates
    server.script["RCPT"] = lambda _line: Act(delay=0 if all_said.is_set() else 1)
    shop.people(60)
    daemon = shop.start()
    shop.until_sent(3)
    columns = deliveries.c.contact_id, deliveries.c.seq, deliveries.c.state
    with serving(shop.app) as site:
        for contact_id in range(60, 40, -1):
            token = shop.app.keyring.token(Purpose.UNSUBSCRIBE, contact_id, 0)
            assert site.client.post(f"/u/{token}", data=ONE_CLICK).status_code == 200
        with shop.app.database.read() as tx:
            at_the_no = {row[0]: row[2] for row in tx.execute(select(*columns)) if row[0] > 40}
    all_said.set()
    shop.until_settled(40)
    assert daemon.end() == 0
    with shop.app.database.read() as tx:
        sent = {row[0] for row in tx.execute(select(*columns)) if row[2] == "sent" and row[0] > 40}
    passed = {contact_id for contact_id, state in at_the_no.items() if state in {"gated", "sent"}}
    assert len(passed) < 20
    assert sent <= passed

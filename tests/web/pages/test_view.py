"""View in browser: the mail as it went, whatever was applied since, and nothing that was not sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nurture.domain.delivery import DeliveryState
from nurture.domain.tokens import Purpose
from nurture.storage.contacts import erase
from nurture.testing.house import ANA, House
from nurture.testing.site import Served

Link = Callable[..., str]


@pytest.fixture
def mailed(house: House, link: Link) -> str:
    house.consenting()
    house.tell("Signed Up")
    house.drain()
    assert house.state() is DeliveryState.SENT
    return link("/v/", Purpose.VIEW)


def test_a_mail_is_shown_as_it_went_also_after_its_template_has_changed(
    house: House, site: Served, mailed: str, link: Link
) -> None:
    shown = site.client.get(mailed)
    assert shown.status_code == 200
    assert f"Hello {ANA}" in shown.text
    assert link("/u/", Purpose.UNSUBSCRIBE) in shown.text

    template = "email_templates/hello.html"
    house.apply({**house.files, template: house.files[template].replace("<p>Hello", "<p>Moin")})
    assert site.client.get(mailed).text == shown.text


def test_a_mail_can_do_nothing_in_the_browser_and_nobody_is_told(
    site: Served, mailed: str, stored: Callable[[], list[object]]
) -> None:
    before = stored()
    policy = site.client.get(mailed).headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert stored() == before


def test_what_was_not_sent_or_is_gone_is_not_shown(house: House, site: Served, mailed: str, link: Link) -> None:
    house.tell("Signed Up", "bo@people.example")
    house.take()
    house.advance()
    assert site.client.get(link("/v/", Purpose.VIEW, "bo@people.example", 1)).status_code == 410
    assert site.client.get(link("/v/", Purpose.VIEW, seq=4711)).status_code == 410
    assert site.client.get(link("/v/", Purpose.PREFERENCES)).status_code == 404
    house.database.transact(lambda tx: erase(tx, house.id_of(), house.now))
    gone = site.client.get(mailed)
    assert gone.status_code == 410
    assert "not kept any more" in gone.text

"""HubSpot and a running daemon: what changed there comes in, and a change of stage here goes out, once."""

from __future__ import annotations

from nurture.engine.ingest import IncomingEvent, ingest
from nurture.storage.contacts import find
from nurture.storage.duties import marked
from nurture.storage.subscriptions import FOLLOWED
from nurture.testing.hubspot import TOKEN, HubSpotServer
from nurture.testing.processes import Shop, until

MOVES = """\
lifecycle:
  stages: [subscriber, customer]
  moves:
    - {to: customer, on: HubSpot Stage Changed, if: event.stage == 'customer'}
    - {to: customer, on: Order Completed}
"""


def test_a_daemon_takes_in_what_changed_and_tells_what_changes_here(file_shop: Shop) -> None:
    shop = file_shop
    shop.apply(lifecycle=MOVES)

    def stage(email: str) -> str | None:
        with shop.app.database.read() as tx:
            contact = find(tx, email)
        return contact.stage if contact is not None else None

    def is_followed() -> bool:
        with shop.app.database.read() as tx:
            return marked(tx, FOLLOWED) is not None

    with HubSpotServer() as hubspot:
        hubspot.add(1, "2026-03-02T08:00:00.001Z", email="ana@people.example", lifecyclestage="customer")
        hubspot.add(2, "2026-03-02T08:00:00.002Z", email="bea@people.example", lifecyclestage="lead")
        shop.environ |= {"NURTURE_HUBSPOT_TOKEN": TOKEN, "NURTURE_HUBSPOT_URL": hubspot.url}
        daemon = shop.start()
        until(lambda: stage("ana@people.example") == "customer", 60, "Ana's stage came in")
        until(lambda: stage("bea@people.example") == "subscriber" and is_followed(), 60, "so did Bea")
        ingest(shop.app.database, [IncomingEvent(name="Order Completed", email="bea@people.example")], shop.now)
        until(lambda: bool(hubspot.updates), 60, "Bea's stage went out")
        assert daemon.end() == 0
        assert hubspot.updates == [("bea@people.example", {"lifecyclestage": "customer"})], "Ana's was theirs"

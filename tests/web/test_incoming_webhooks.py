"""Webhooks of shops over a real server: signed, durable, once each, and what they ask about people is done."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from nurture.engine.incoming_webhooks import ill_formed
from nurture.engine.protocols import replay
from nurture.storage.contacts import find
from nurture.storage.quarantine import held
from nurture.testing.house import House, sources
from nurture.web.site import Face

SECRET = "what the shop signs with"
FILES = {
    "campaigns/_webhooks.yaml": """\
version: 1
webhooks:
  shop: {from: shopify, secret: [SHOP_SECRET, OLD_SHOP_SECRET]}
  woo: {from: woocommerce, secret: SHOP_SECRET}
  unset: {from: stripe, secret: NOT_THERE}
  booking:
    from: generic
    secret: SHOP_SECRET
    id: /id
    events:
      - {when: {/type: made}, event: Course Booked, email: /who, with: {seats: /seats}}
""",
    "campaigns/_events.yaml": """\
version: 1
events:
  Course Booked: {seats: number, room: text?}
""",
}
ORDER = {"id": 42, "email": "ana@example.com", "created_at": "2026-03-02T08:00:00Z", "total_price": "80.00"}


@pytest.fixture
def database(_sqlite_template, tmp_path):
    import shutil

    from nurture.storage.database import Database

    shutil.copy(_sqlite_template, tmp_path / "nurture.db")  # one kind of database: no SQL here is of its own
    with Database(f"sqlite:///{tmp_path / 'nurture.db'}", address_secret="s", leases_by_server=False) as opened:
        yield opened


@pytest.fixture
def house(database, tmp_path):
    campaign = "start: {event: Order Completed}\nsteps:\n  - {id: thanks, send: thanks}\n"
    house = House(database, tmp_path, {**sources(campaign), **FILES}, environment={"SHOP_SECRET": SECRET})
    house.apply()
    return house


@pytest.fixture
def site(house, serve):
    return serve(house, {Face.EVENTS})


def post(site, name, data, *, secret=SECRET, header="x-shopify-hmac-sha256", **headers):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    if header == "x-nurture-signature":
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return site.client.post(f"/v1/webhooks/{name}", content=body, headers={header: signature, **headers})


def shopify(site, topic, data, delivery="w-1", **options):
    headers = {"X-Shopify-Topic": topic, "X-Shopify-Webhook-Id": delivery}
    return post(site, "shop", data, **headers, **options)


def quarantined(house):
    with house.database.read() as tx:
        return [(each.source, each.reason) for each in held(tx)]


def test_an_order_is_stored_once_and_wakes_the_daemon(site, house, stored):
    for delivery in ("w-1", "w-1", "w-2"):
        assert shopify(site, "orders/paid", ORDER, delivery).json() == {"taken": 2}
    assert [(name, data["total"]) for _, name, _, data in stored()] == [("Order Completed", 80)]
    assert site.woken
    assert quarantined(house) == []


@pytest.mark.parametrize("secret", ["guessed", ""])
def test_what_is_not_signed_with_the_secret_is_turned_away_unread(site, stored, house, secret):
    answer = shopify(site, "orders/paid", b"not even JSON", secret=secret)
    assert answer.status_code == 401
    assert "signature" in answer.json()["detail"]
    assert (stored(), quarantined(house)) == ([], [])


def test_whoever_guesses_is_slowed_down(site):
    answers = [shopify(site, "orders/paid", ORDER, secret="guessed").status_code for _ in range(32)]
    assert set(answers[:30]) == {401}
    assert answers[-1] == 429


def test_no_such_webhook_and_one_without_its_secret_differ_for_the_shop(site, house):
    assert post(site, "nobody", {}).status_code == 404
    answer = post(site, "unset", {})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert ("error", "webhook without a secret", {"webhook": "unset", "set": "NOT_THERE"}) in house.journal.lines


def test_the_greeting_of_woocommerce_is_answered(site, stored):
    assert site.client.post("/v1/webhooks/woo", content=b"webhook_id=7").status_code == 200
    assert stored() == []


def test_what_cannot_be_taken_waits_with_its_reason_and_is_replayed(site, house, stored):
    for number, (name, data, header) in enumerate([
        ("shop", ORDER, "x-shopify-hmac-sha256"),
        ("shop", b"\xff{", "x-shopify-hmac-sha256"),
        ("booking", {"id": 1, "type": "made", "who": "ana@example.com", "seats": "two"}, "x-nurture-signature"),
        ("booking", {"id": 2, "type": "unmade"}, "x-nurture-signature"),
    ]):  # fmt: skip
        headers = {"X-Shopify-Topic": "themes/update", "X-Shopify-Webhook-Id": f"w-{number}"}
        assert post(site, name, data, header=header, **headers).json() == {"taken": 0}
    reasons = [reason for _, reason in quarantined(house)]
    assert len(reasons) == 4
    for reason, part in zip(reasons, ["themes/update", "UTF-8", "property seats is not a number", "none of the events"],
                            strict=True):  # fmt: skip
        assert part in reason
    files = dict(house.files)
    files["campaigns/_events.yaml"] = files["campaigns/_events.yaml"].replace("seats: number", "seats: text")
    house.apply(files)
    with house.database.read() as tx:
        result = replay(house.database, held(tx), house.now, house.app.applied().programme)
    assert (result.taken, len(result.still)) == (1, 3)
    assert [(name, data) for _, name, _, data in stored()] == [("Course Booked", {"seats": "two"})]


def test_a_shop_may_ask_to_export_and_to_erase(site, house, stored):
    shopify(site, "customers/create", {"id": 5, "email": "ana@example.com"})
    shopify(site, "carts/update", {"token": "ca", "line_items": []}, "w-2")
    contact_id = stored()[0][0]
    shopify(site, "customers/data_request", {"customer": {"id": 5, "email": "ana@example.com"}}, "w-3")
    ((_, reason),) = quarantined(house)
    assert f"nurture contacts export {contact_id}" in reason
    assert "ana@" not in reason
    assert shopify(site, "customers/redact", {"customer": {"id": 5}}, "w-4").status_code == 200
    with house.database.read() as tx:
        assert find(tx, "ana@example.com") is None
        assert held(tx) == []  # what waited about her has gone with her
    assert [name for _, name, _, _ in stored()] == ["Cart Updated"]


def test_a_cart_of_nobody_becomes_hers_when_she_writes_her_address(site, stored):
    shopify(site, "carts/create", {"token": "ca", "line_items": []}, "w-1")
    shopify(site, "checkouts/create", {"token": "ck", "cart_token": "ca", "email": "ana@example.com"}, "w-2")
    assert len({contact for contact, *_ in stored()}) == 1


def test_a_visitor_cannot_pass_for_a_customer_of_the_shop(site, house, stored):
    from nurture.engine.ingest import IncomingEvent

    event = IncomingEvent(name="Seen", anonymous_id="nurture.shop:5", email="eve@example.com", guest=True)
    ((_, why),) = house.take(event).rejected
    assert "nurture's own" in why
    assert stored() == []


def test_an_event_without_a_schema_is_not_judged():
    assert ill_formed({}, "Course Booked", {}) is None
    assert ill_formed({"Other": {}}, None, {}) is None

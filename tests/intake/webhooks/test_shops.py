"""What shops' webhooks mean, by messages written after their documentation."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from nurture.domain.incoming import MappedEvent, WebhookSource
from nurture.intake.events import SignalError
from nurture.intake.webhooks.message import Ask, Asked
from nurture.intake.webhooks.read import meaning_of, message_of
from nurture.intake.webhooks.signatures import is_genuine, sign

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
BODY = b'{"id": 1}'
SECRET = "a secret of the shop"


def told(kind, headers, data, **mapping):
    source = WebhookSource("shop", kind, ("SHOP_SECRET",), **mapping)
    return meaning_of(source, message_of(source, headers, data))


def shopify(topic, **data):
    return told("shopify", {"x-shopify-topic": topic, "x-shopify-webhook-id": "w-1"}, data)


def woocommerce(topic, **data):
    return told("woocommerce", {"x-wc-webhook-topic": topic, "x-wc-webhook-delivery-id": "d-1"}, data)


def stripe(topic, **data):
    created = int(NOW.timestamp())
    return told("stripe", {}, {"id": "evt_1", "type": topic, "created": created, "data": {"object": data}})


ORDER = {
    "id": 820982911946154508, "name": "#9999", "email": "ana@example.com", "created_at": "2026-03-02T10:00:00+02:00",
    "processed_at": "2026-03-02T10:00:05+02:00", "checkout_token": "ck", "total_price": "80.50", "currency": "EUR",
    "customer": {"id": 115310627314723954}, "discount_codes": [{"code": "TEN", "amount": "10.00"}],
    "customer_locale": "fi", "line_items": [
        {"product_id": 7, "title": "Spade", "price": "19.90", "quantity": 2, "sku": "S-7"}, "not an object",
    ],
}  # fmt: skip


def mac(key: str, content: bytes) -> bytes:
    return hmac.new(key.encode(), content, hashlib.sha256).digest()


def plain_base64(key: str) -> str:
    return base64.b64encode(mac(key, BODY)).decode()


def stamped(at: datetime = NOW, key: str = SECRET) -> dict[str, str]:
    stamp = int(at.timestamp())
    return {"stripe-signature": f"t={stamp},v0=00,v1=00,v1={mac(key, f'{stamp}.'.encode() + BODY).hex()}"}


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("shopify", {"x-shopify-hmac-sha256": plain_base64(SECRET)}),
        ("woocommerce", {"x-wc-webhook-signature": plain_base64(SECRET)}),
        ("stripe", stamped()),
        ("generic", sign(SECRET, "m-1", NOW, BODY)),
        ("generic", {"x-nurture-signature": "sha256=" + mac(SECRET, BODY).hex()}),
    ],
)
def test_a_signature_is_that_of_these_bytes_and_this_secret(kind, headers):
    assert is_genuine(kind, headers, BODY, ["an older one", SECRET], NOW)
    assert not is_genuine(kind, headers, BODY + b" ", [SECRET], NOW)
    assert not is_genuine(kind, headers, BODY, ["another", ""], NOW)
    assert not is_genuine(kind, {}, BODY, [SECRET], NOW)
    assert not is_genuine(kind, dict.fromkeys(headers, "é"), BODY, [SECRET], NOW)


@pytest.mark.parametrize("away", [timedelta(minutes=5, seconds=1), timedelta(minutes=-6)])
@pytest.mark.parametrize("kind", ["stripe", "generic"])
def test_a_signature_is_good_for_five_minutes(kind, away):
    headers = stamped(NOW - away) if kind == "stripe" else sign(SECRET, "m", NOW - away, BODY)
    assert not is_genuine(kind, headers, BODY, [SECRET], NOW)


def test_a_signature_agrees_with_the_example_of_standard_webhooks():
    """From the specification: the message, its headers, and the signature that belongs to them."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    made = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), body)
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_order_of_shopify_is_one_event_however_often_it_is_told():
    created, alias = shopify("orders/create", **ORDER)
    assert (created.name, created.email, created.customer) == (
        "Order Completed", "ana@example.com", "115310627314723954",
    )  # fmt: skip
    assert created.at == datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert created.locale == "fi"
    assert created.properties == {
        "order_id": "820982911946154508", "order_name": "#9999", "checkout_id": "ck", "total": 80.5, "currency": "EUR",
        "code": "TEN", "items": [{"id": "7", "name": "Spade", "sku": "S-7", "price": 19.9, "quantity": 2}],
    }  # fmt: skip
    assert shopify("orders/paid", **ORDER)[0].message_id == created.message_id
    assert shopify("orders/cancelled", **ORDER)[0].message_id != created.message_id
    (refund,) = shopify("refunds/create", id=9, order_id=ORDER["id"], transactions=[{"amount": "10.00"}])
    assert refund.customer == alias.customer
    assert refund.properties["total"] == 10


def test_a_checkout_of_shopify_belongs_to_its_cart_until_it_has_an_address():
    (early,) = shopify("checkouts/create", token="ck", cart_token="ca", total_price="12.00", email=None)
    (late,) = shopify("checkouts/update", token="ck", cart_token="ca", total_price="12.00", email="ana@example.com")
    (cart,) = shopify("carts/update", token="ca", line_items=[])
    assert early.customer == late.customer == cart.customer == "cart:ca"
    assert (early.email, late.email) == (None, "ana@example.com")
    assert late.properties == {"checkout_id": "ck", "value": 12}


@pytest.mark.parametrize(
    ("state", "name"), [("subscribed", "Newsletter Subscribed"), ("unsubscribed", "nurture.unsubscribed")]
)
def test_consent_given_in_the_shop_is_told_once_with_its_time(state, name):
    consent = {"email_marketing_consent": {"state": state, "consent_updated_at": "2026-03-02T08:00:00Z"}}
    signed_up, told_with_it = shopify("customers/create", id=5, email="ana@example.com", **consent)
    (told_alone,) = shopify(
        "customers_email_marketing_consent/update", customer_id=5, email_address="ana@example.com", **consent
    )
    assert signed_up.name == "Signed Up"
    assert (told_alone.name, told_alone.at) == (name, datetime(2026, 3, 2, 8, tzinfo=UTC))
    assert told_alone == told_with_it


@pytest.mark.parametrize(
    ("topic", "what"),
    [("customers/data_request", Ask.EXPORT), ("customers/redact", Ask.ERASE), ("shop/redact", Ask.ERASE_ALL)],
)
def test_privacy_topics_are_wishes_not_events(topic, what):
    customer = {} if what is Ask.ERASE_ALL else {"customer": {"id": 5, "email": "ana@example.com"}}
    asked = shopify(topic, **customer)
    assert isinstance(asked, Asked)
    assert asked.what is what
    assert (asked.email == "ana@example.com") is bool(customer)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("processing", "Order Completed"), ("completed", "Order Completed"), ("refunded", "Order Refunded"),
        ("cancelled", "Order Cancelled"), ("pending", None), (["odd"], None),
    ],
)  # fmt: skip
def test_an_order_of_woocommerce_is_what_its_status_says(status, name):
    order = {
        "id": 727, "number": "727", "status": status, "currency": "EUR", "total": "29.35", "customer_id": 0,
        "date_created_gmt": "2026-03-02T08:00:00", "billing": {"email": "ana@example.com"},
    }  # fmt: skip
    found = woocommerce("order.updated", **order)
    assert [(each.name, each.customer, each.at, each.properties["total"]) for each in found] == (
        [(name, None, datetime(2026, 3, 2, 8, tzinfo=UTC), 29.35)] if name else []
    )


@pytest.mark.parametrize(
    ("topic", "data", "name", "properties"),
    [
        ("checkout.session.completed", {"id": "cs_1", "amount_total": 8050, "currency": "eur", "payment_status": "paid",
         "customer_details": {"email": "ana@example.com"}}, "Order Completed",
         {"order_id": "cs_1", "checkout_id": "cs_1", "total": 80.5, "currency": "EUR"}),
        ("checkout.session.expired", {"id": "cs_1", "amount_total": 500, "currency": "jpy",
         "customer_email": "ana@example.com", "after_expiration": {"recovery": {"url": "https://pay.example/r"}}},
         "Checkout Started", {"checkout_id": "cs_1", "value": 500, "currency": "JPY", "url": "https://pay.example/r"}),
        ("invoice.paid", {"id": "in_1", "amount_paid": 1234, "currency": "kwd", "customer_email": "ana@example.com"},
         "Order Completed", {"order_id": "in_1", "total": 1.234, "currency": "KWD"}),
        ("charge.refunded", {"payment_intent": "pi_1", "amount_refunded": 100, "currency": "eur",
         "billing_details": {"email": "ana@example.com"}}, "Order Refunded",
         {"order_id": "pi_1", "total": 1, "currency": "EUR"}),
        ("customer.subscription.trial_will_end", {"id": "sub_1", "customer": "cus_1", "trial_end": 1772442000,
         "items": {"data": [{"price": {"id": "price_1", "nickname": "Pro"}}]}}, "Trial Ending",
         {"subscription_id": "sub_1", "plan": "Pro", "ends_at": "2026-03-02T09:00:00+00:00"}),
        ("customer.subscription.created", {"id": "sub_1", "customer": "cus_1", "status": "trialing"}, "Trial Started",
         {"subscription_id": "sub_1"}),
    ],
)  # fmt: skip
def test_events_of_stripe_are_canonical_with_amounts_in_whole_units(topic, data, name, properties):
    (found,) = stripe(topic, **data)
    assert (found.name, found.at) == (name, NOW)
    assert found.properties == properties
    assert found.is_somebodys


@pytest.mark.parametrize(
    ("topic", "data"),
    [("checkout.session.completed", {"payment_status": "unpaid"}), ("invoice.paid", {"amount_paid": 0})],
)
def test_what_is_not_paid_is_no_order(topic, data):
    assert stripe(topic, id="x", customer="cus_1", **data) == []


def test_a_session_with_an_invoice_and_that_invoice_are_one_order():
    (session,) = stripe("checkout.session.completed", id="cs_1", invoice="in_1", customer="cus_1", amount_total=100)
    (invoice,) = stripe("invoice.paid", id="in_1", customer="cus_1", amount_paid=100)
    assert session.message_id == invoice.message_id


MAPPED = {
    "id": ("id",),
    "events": (
        MappedEvent(event="Course Booked", when={("type",): "made"}, email=("who", "email"), at=("at",),
                    properties={"booking_id": ("id",), "source": "web", "seat": ("seats", "0")}),
        MappedEvent(event=None, email=("who", "email"), traits={"city": ("who", "city")}),
    ),
}  # fmt: skip


def test_a_generic_webhook_is_read_by_its_mapping():
    data = {"id": 17, "type": "made", "at": "2026-03-02T08:00:00Z", "seats": ["A1"],
            "who": {"email": "ana@example.com", "city": "Turku"}}  # fmt: skip
    booked, traits = told("generic", {}, data, **MAPPED)
    assert booked.properties == {"booking_id": 17, "source": "web", "seat": "A1"}
    assert (booked.message_id, traits.message_id) == ("17", "17:1")
    assert traits.traits == {"city": "Turku"}


@pytest.mark.parametrize(
    ("kind", "headers", "data", "why"),
    [
        ("shopify", {"x-shopify-topic": "themes/update", "x-shopify-webhook-id": "1"}, {}, "'themes/update' is not"),
        ("shopify", {"x-shopify-topic": "orders/create"}, {}, "topic and id"),
        ("stripe", {}, {"type": "invoice.paid"}, "topic and id"),
        ("woocommerce", {}, [1], "no JSON object"),
        ("shopify", {"x-shopify-topic": "orders/create", "x-shopify-webhook-id": "1"},
         {"id": 1, "line_items": [{"title": "x"}], "name": "\ud800"}, None),
    ],
)  # fmt: skip
def test_what_is_not_understood_says_why_and_nothing_else_is_raised(kind, headers, data, why):
    if why is None:
        assert told(kind, headers, data)
        return
    with pytest.raises(SignalError, match=why):
        told(kind, headers, data)


@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, [[]], [None], {"a": []}, True, 1e308, "\0"])
def test_odd_values_anywhere_break_nothing(odd):
    keys = ["id", "email", "customer", "line_items", "created_at", "total_price", "transactions", "billing", "items",
            "discount_codes", "status", "email_marketing_consent", "customer_details", "currency", "amount_total",
            "after_expiration", "preferred_locales", "customer_id", "locale", "name", "token", "order_id"]  # fmt: skip
    from nurture.intake.webhooks import shopify as s
    from nurture.intake.webhooks import stripe as p
    from nurture.intake.webhooks import woocommerce as w

    data = dict.fromkeys(keys, odd)
    for topic in s.TOPICS:
        shopify(topic, **data)
    for topic in w.TOPICS:
        woocommerce(topic, **data)
    for topic in p.TOPICS:
        stripe(topic, **data)

"""Stripe's webhooks (events of checkout, invoices, charges, customers, subscriptions) as canonical events.

They come in no certain order, so each has the time at which Stripe made it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from nurture.intake.webhooks.message import Meaning, Message, Told, email, inside, locale, number, objects, stated, text

# Amounts are in the smallest unit, which is a hundredth but for these ("Supported currencies").
_WHOLE = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"]
)
_THOUSANDTHS = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])


def message(_: Mapping[str, str], data: Mapping[str, Any]) -> Message:
    return Message(text(data.get("type")) or "", text(data.get("id")) or "", data)


def _told(
    told: Message, name: str | None, properties: Mapping[str, Any], message_id: str | None = None, **more: Any
) -> Meaning:
    data = _object(told)
    addresses = (
        inside(data, "customer_details", "email"), data.get("customer_email"), inside(data, "billing_details", "email"),
        data.get("receipt_email"),
    )  # fmt: skip
    found = next(filter(None, map(email, addresses)), None)
    who = {"email": found, "customer": text(data.get("customer")), **more}
    return [
        Told(
            name=name, message_id=message_id or told.id, at=_at(told.data.get("created")), properties=properties, **who
        )
    ]


def _object(told: Message) -> Mapping[str, Any]:
    found = inside(told.data, "data", "object")
    return found if isinstance(found, dict) else {}


def _customer(told: Message) -> Meaning:
    data = _object(told)
    first, _, last = (text(data.get("name")) or "").partition(" ")
    languages = data.get("preferred_locales")
    return _told(
        told,
        "Signed Up" if told.topic == "customer.created" else None,
        {},
        email=email(data.get("email")),
        customer=text(data.get("id")),
        traits=stated(
            first_name=first, last_name=last, phone=text(data.get("phone")),
            country=text(inside(data, "address", "country")),
        ),
        locale=locale(languages[0]) if isinstance(languages, list) and languages else None,
    )  # fmt: skip


def _session(told: Message) -> Meaning:
    """What is not paid yet is told again when it is. With an invoice the invoice is the order."""
    data = _object(told)
    if data.get("payment_status") == "unpaid":
        return []
    order = text(data.get("invoice")) or text(data.get("id"))
    properties = _money(data, "amount_total", "total", order_id=order, checkout_id=text(data.get("id")))
    return _told(told, "Order Completed", properties, f"order-completed:{order}")


def _expired(told: Message) -> Meaning:
    data = _object(told)
    url = text(inside(data, "after_expiration", "recovery", "url"), 2000)
    properties = _money(data, "amount_total", "value", checkout_id=text(data.get("id")), url=url)
    return _told(told, "Checkout Started", properties)


def _invoice(told: Message) -> Meaning:
    data = _object(told)
    order = text(data.get("id"))
    number_, subscription = text(data.get("number")), text(data.get("subscription"))
    if told.topic == "invoice.payment_failed":
        properties = _money(data, "amount_due", "total", order_id=order, subscription_id=subscription)
        return _told(told, "Payment Failed", properties)
    if data.get("amount_paid") == 0:  # a trial begins with an invoice of nothing
        return []
    properties = _money(data, "amount_paid", "total", order_id=order, order_name=number_, subscription_id=subscription)
    return _told(told, "Order Completed", properties, f"order-completed:{order}")


def _refund(told: Message) -> Meaning:
    data = _object(told)
    order = text(data.get("invoice")) or text(data.get("payment_intent"))
    return _told(told, "Order Refunded", _money(data, "amount_refunded", "total", order_id=order))


def _subscription(event: str) -> Callable[[Message], Meaning]:
    def read(told: Message) -> Meaning:
        data = _object(told)
        price = inside(next(iter(objects(inside(data, "items", "data"))), {}), "price")
        ends = _at(data.get("trial_end")) if event == "Trial Ending" else _at(data.get("ended_at"))
        properties = stated(
            subscription_id=text(data.get("id")),
            plan=text(inside(price, "nickname")) or text(inside(price, "id")),
            ends_at=ends.isoformat() if ends else None,
        )
        name = "Trial Started" if event == "Subscription Started" and data.get("status") == "trialing" else event
        return _told(told, name, properties)

    return read


def _money(data: Mapping[str, Any], source: str, name: str, **more: Any) -> dict[str, Any]:
    """An amount in whole units of its currency."""
    amount, currency = number(data.get(source)), (text(data.get("currency")) or "").lower()
    parts = 1 if currency in _WHOLE else 1000 if currency in _THOUSANDTHS else 100
    money = {name: number(amount / parts) if amount is not None else None, "currency": currency.upper()}
    return stated(**money, **more)


def _at(value: Any) -> datetime | None:
    """Seconds since 1970."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 34:
        return None
    return datetime.fromtimestamp(value, UTC)


TOPICS: Mapping[str, Callable[[Message], Meaning]] = {
    "customer.created": _customer,
    "customer.updated": _customer,
    "checkout.session.completed": _session,
    "checkout.session.async_payment_succeeded": _session,
    "checkout.session.expired": _expired,
    "invoice.paid": _invoice,
    "invoice.payment_failed": _invoice,
    "charge.refunded": _refund,
    "customer.subscription.created": _subscription("Subscription Started"),
    "customer.subscription.trial_will_end": _subscription("Trial Ending"),
    "customer.subscription.deleted": _subscription("Subscription Cancelled"),
}

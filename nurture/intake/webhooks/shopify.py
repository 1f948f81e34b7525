"""Shopify's webhooks (Admin API: customers, carts, checkouts, orders, refunds, privacy) as canonical events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nurture.intake.webhooks.message import (
    Ask,
    Asked,
    Meaning,
    Message,
    Told,
    email,
    inside,
    instant,
    locale,
    number,
    objects,
    stated,
    text,
)


def message(headers: Mapping[str, str], data: Mapping[str, Any]) -> Message:
    topic = headers.get("x-shopify-topic", "")
    return Message(topic, headers.get("x-shopify-webhook-id") or headers.get("x-shopify-event-id") or "", data)


def _customer(told: Message) -> Meaning:
    found = [_identified(told, "Signed Up" if told.topic == "customers/create" else None)]
    return [*found, *_consent(told.data, found[0].customer, found[0].email)]


def _identified(told: Message, event: str | None) -> Told:
    data = told.data
    who = text(data.get("id"))
    return Told(
        name=event,
        message_id=f"signed-up:{who}" if event else told.id,
        email=email(data.get("email")),
        customer=who,
        at=instant(data.get("created_at")) if event else None,
        traits=stated(
            first_name=text(data.get("first_name")),
            last_name=text(data.get("last_name")),
            phone=text(data.get("phone")),
            country=text(inside(data, "default_address", "country_code")),
        ),
        locale=locale(data.get("locale")),
    )


def _consent(data: Mapping[str, Any], who: str | None, address: str | None) -> list[Told]:
    """Her yes is an event that the project may take for one; her no is a stop, whatever the project says."""
    state = inside(data, "email_marketing_consent", "state")
    changed = text(inside(data, "email_marketing_consent", "consent_updated_at"))
    name = {"subscribed": "Newsletter Subscribed", "unsubscribed": "nurture.unsubscribed"}.get(str(state))
    if name is None or changed is None:
        return []
    properties = {"source": "shop"}
    return [
        Told(name=name, message_id=f"consent:{who}:{changed}", email=address, customer=who, at=instant(changed),
             properties=properties)
    ]  # fmt: skip


def _consent_changed(told: Message) -> Meaning:
    data = told.data
    return _consent(data, text(data.get("customer_id")), email(data.get("email_address")))


def _cart(told: Message) -> Meaning:
    data = told.data
    cart = text(data.get("token")) or text(data.get("id"))
    return [
        Told(
            name="Cart Updated",
            message_id=told.id,
            customer=f"cart:{cart}" if cart else None,
            at=instant(data.get("updated_at")),
            properties=stated(cart_id=cart, items=_items(data)),
        )
    ]


def _checkout(told: Message) -> Meaning:
    """Before she has written her address she is the cart's owner, whom the address then names."""
    data = told.data
    who, cart = text(inside(data, "customer", "id")), text(data.get("cart_token"))
    return [
        Told(
            name="Checkout Started",
            message_id=told.id,
            email=email(data.get("email")) or email(inside(data, "customer", "email")),
            customer=f"cart:{cart}" if cart else who,
            at=instant(data.get("updated_at")) or instant(data.get("created_at")),
            properties=stated(
                checkout_id=text(data.get("token")) or text(data.get("id")),
                value=number(data.get("total_price")),
                currency=_currency(data),
                items=_items(data),
                url=text(data.get("abandoned_checkout_url"), 2000),
            ),
            locale=locale(data.get("customer_locale")),
        )
    ]


def _order(event: str, at: str) -> Callable[[Message], Meaning]:
    def read(told: Message) -> Meaning:
        data = told.data
        order = text(data.get("id"))
        address = email(data.get("email")) or email(inside(data, "customer", "email"))
        found = [
            Told(
                name=event,
                message_id=f"{event.lower().replace(' ', '-')}:{order}",
                email=address,
                customer=text(inside(data, "customer", "id")),
                at=instant(data.get(at)) or instant(data.get("created_at")),
                properties=stated(
                    order_id=order,
                    order_name=text(data.get("name")),
                    checkout_id=text(data.get("checkout_token")),
                    total=number(data.get("total_price")),
                    currency=_currency(data),
                    code=text(inside(next(iter(objects(data.get("discount_codes"))), {}), "code")),
                    items=_items(data),
                ),
                locale=locale(data.get("customer_locale")),
            )
        ]
        if address and order:  # refunds name the order only
            found.append(Told(name=None, message_id=f"order:{order}", email=address, customer=f"order:{order}"))
        return found

    return read


def _refund(told: Message) -> Meaning:
    """A refund names its order only: whose it is, we know from the order."""
    data = told.data
    refund, order = text(data.get("id")), text(data.get("order_id"))
    paid = [number(each.get("amount")) or 0 for each in objects(data.get("transactions"))]
    return [
        Told(
            name="Order Refunded",
            message_id=f"refund:{refund}",
            customer=f"order:{order}" if order else None,
            at=instant(data.get("created_at")),
            properties=stated(order_id=order, refund_id=refund, total=number(sum(paid))),
        )
    ]


def _privacy(what: Ask) -> Callable[[Message], Meaning]:
    def read(told: Message) -> Meaning:
        return Asked(what, email(inside(told.data, "customer", "email")), text(inside(told.data, "customer", "id")))

    return read


def _nothing(_: Message) -> Meaning:
    return []


def _items(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        stated(
            id=text(each.get("product_id")) or text(each.get("variant_id")) or text(each.get("id")),
            name=text(each.get("title")),
            sku=text(each.get("sku")),
            price=number(each.get("price")),
            quantity=number(each.get("quantity")),
            image=text(inside(each, "featured_image", "url"), 2000),
            url=text(each.get("url"), 2000),
        )
        for each in objects(data.get("line_items"))
    ]


def _currency(data: Mapping[str, Any]) -> str | None:
    return text(data.get("presentment_currency")) or text(data.get("currency"))


TOPICS: Mapping[str, Callable[[Message], Meaning]] = {
    "customers/create": _customer,
    "customers/update": _customer,
    "customers_email_marketing_consent/update": _consent_changed,
    "carts/create": _cart,
    "carts/update": _cart,
    "checkouts/create": _checkout,
    "checkouts/update": _checkout,
    "orders/create": _order("Order Completed", "created_at"),
    "orders/paid": _order("Order Completed", "processed_at"),
    "orders/cancelled": _order("Order Cancelled", "cancelled_at"),
    "orders/fulfilled": _order("Order Fulfilled", "updated_at"),
    "refunds/create": _refund,
    "app/uninstalled": _nothing,
    "customers/data_request": _privacy(Ask.EXPORT),
    "customers/redact": _privacy(Ask.ERASE),
    "shop/redact": _privacy(Ask.ERASE_ALL),
}

"""WooCommerce's webhooks (REST API v3: customers and orders) as canonical events. What an order is, its status says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nurture.intake.webhooks.message import (
    Meaning,
    Message,
    Told,
    email,
    inside,
    instant,
    number,
    objects,
    stated,
    text,
)

_BY_STATUS = {
    "processing": "Order Completed",
    "completed": "Order Completed",
    "cancelled": "Order Cancelled",
    "refunded": "Order Refunded",
}


def message(headers: Mapping[str, str], data: Mapping[str, Any]) -> Message:
    return Message(headers.get("x-wc-webhook-topic", ""), headers.get("x-wc-webhook-delivery-id", ""), data)


def _customer(told: Message) -> Meaning:
    data, created = told.data, told.topic == "customer.created"
    who = text(data.get("id"))
    traits = stated(
        first_name=text(data.get("first_name")) or text(inside(data, "billing", "first_name")),
        last_name=text(data.get("last_name")) or text(inside(data, "billing", "last_name")),
        phone=text(inside(data, "billing", "phone")),
        country=text(inside(data, "billing", "country")),
    )
    return [
        Told(
            name="Signed Up" if created else None,
            message_id=f"signed-up:{who}" if created else told.id,
            email=email(data.get("email")),
            customer=who,
            at=_gmt(data, "date_created_gmt") if created else None,
            traits=traits,
        )
    ]


def _order(told: Message) -> Meaning:
    """One event for each thing that becomes of an order, however often the order is saved."""
    data = told.data
    name, order, who = _BY_STATUS.get(str(data.get("status"))), text(data.get("id")), text(data.get("customer_id"))
    if name is None:
        return []
    at = "date_paid_gmt" if name == "Order Completed" else "date_modified_gmt"
    return [
        Told(
            name=name,
            message_id=f"{name.lower().replace(' ', '-')}:{order}",
            email=email(inside(data, "billing", "email")),
            customer=who if who != "0" else None,  # a guest
            at=_gmt(data, at) or _gmt(data, "date_created_gmt"),
            properties=stated(
                order_id=order,
                order_name=text(data.get("number")),
                total=number(data.get("total")),
                currency=text(data.get("currency")),
                code=text(inside(next(iter(objects(data.get("coupon_lines"))), {}), "code")),
                items=_items(data),
            ),
        )
    ]


def _items(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        stated(
            id=text(each.get("product_id")),
            name=text(each.get("name")),
            sku=text(each.get("sku")),
            price=number(each.get("price")),
            quantity=number(each.get("quantity")),
            image=text(inside(each, "image", "src"), 2000),
        )
        for each in objects(data.get("line_items"))
    ]


def _gmt(data: Mapping[str, Any], name: str) -> Any:
    """WooCommerce writes GMT without saying so."""
    value = data.get(name)
    return instant(f"{value}Z") if isinstance(value, str) and not value.endswith("Z") else instant(value)


TOPICS: Mapping[str, Callable[[Message], Meaning]] = {
    "customer.created": _customer,
    "customer.updated": _customer,
    "order.created": _order,
    "order.updated": _order,
}

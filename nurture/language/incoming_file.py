"""The shape of _events.yaml and _webhooks.yaml. Closed: `meta` is the only free space."""

# ruff: noqa: RUF012  # pydantic copies the defaults of its fields

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from nurture.language.fields import NameField, OrOne, Text, refuse
from nurture.language.steps import Meta, Strict, Version

_KINDS = ("text", "number", "yes or no", "time", "list", "object", "anything")
_ENVIRONMENT = re.compile(r"[A-Z][A-Z0-9_]{1,99}")


def parse_kind(text: str) -> str:
    """`number`, or `number?` for what may be missing. Raises ValueError."""
    if text.removesuffix("?").strip() not in _KINDS:
        raise ValueError(
            f"{text!r} is no kind of value; write {', '.join(_KINDS)}, with ? behind it if it may be missing"
        )
    return text


def parse_environment(text: str) -> str:
    """The name of a variable of the environment. Raises ValueError."""
    if not _ENVIRONMENT.fullmatch(text) or text.startswith("NURTURE_"):
        raise ValueError("this names no variable of the environment; write its name, as SHOP_WEBHOOK_SECRET")
    return text


def parse_pointer(text: str) -> str:
    """A JSON Pointer. Raises ValueError."""
    if not text.startswith("/") or len(text) > 200:
        raise ValueError(f"{text!r} is no JSON Pointer; write the way to the value, as /customer/email")
    return text


KindField = Annotated[str, Text("N105", "a kind of value", parse_kind, "text", "number?")]
EnvironmentField = Annotated[
    str, Text("N105", "a variable of the environment", parse_environment, "SHOP_WEBHOOK_SECRET",
              pattern=f"^{_ENVIRONMENT.pattern}$")
]  # fmt: skip
PointerField = Annotated[str, Text("N105", "a JSON Pointer", parse_pointer, "/customer/email", pattern="^/")]


class EventsFile(Strict):
    """What events bring with them: checked where expressions and templates name it, and when it comes in."""

    version: Version
    """Always 1."""
    events: dict[str, dict[str, KindField]]
    """Event to its properties, each with its kind: text, number, yes or no, time, list, object or anything."""
    meta: Meta = {}
    """Anything of your own."""


class MappedEventRule(Strict):
    """What one kind of message means."""

    event: str | None = None
    """The event; left out, the message only says who somebody is."""
    when: dict[PointerField, Any] = {}
    """What must stand in the message, such as /type: booking.made; the rule fits all if left out."""
    email: PointerField | None = None
    """Where the person's address stands."""
    user: PointerField | None = None
    """Where your own id of the person stands."""
    at: PointerField | None = None
    """Where the time stands, with its offset; now if left out."""
    zone: PointerField | None = None
    """Where the person's time zone stands."""
    locale: PointerField | None = None
    """Where the person's language stands."""
    properties: dict[str, Any] = Field({}, alias="with")
    """The event's properties: a JSON Pointer takes what it finds, anything else is itself."""
    traits: dict[str, Any] = {}
    """The person's attributes, in the same way."""

    @model_validator(mode="after")
    def _somebody(self) -> MappedEventRule:
        if self.email is None and self.user is None:
            raise refuse("N104", "it does not say whose event it is", "write email: or user:, with a JSON Pointer")
        return self


class WebhookSourceRule(Strict):
    """A system that calls /v1/webhooks/NAME."""

    kind: Literal["shopify", "woocommerce", "stripe", "generic"] = Field(alias="from")
    """Who calls; a generic one is read as `events` says."""
    secrets: Annotated[list[EnvironmentField], Field(min_length=1, max_length=4), OrOne()] = Field(alias="secret")
    """The variable of the environment that holds the secret; two while it is changed."""
    id: PointerField | None = None
    """Where a generic message says which one it is; its webhook-id header if left out."""
    events: list[MappedEventRule] = []
    """What messages mean; every rule that fits makes an event."""

    @model_validator(mode="after")
    def _mapped(self) -> WebhookSourceRule:
        if (self.kind == "generic") != bool(self.events):
            raise refuse("N108", "a generic webhook needs events, and one of a shop has its own", "from: generic")
        return self


class WebhooksFile(Strict):
    """The systems whose webhooks are taken."""

    version: Version
    """Always 1."""
    webhooks: dict[NameField, WebhookSourceRule]
    """Name, as in /v1/webhooks/NAME, to what it is."""
    meta: Meta = {}
    """Anything of your own."""

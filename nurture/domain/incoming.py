"""What the project says about signals from outside: whose webhooks are taken, and what their events look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from nurture.domain.event import NOTHING
from nurture.domain.frozen import frozen

Pointer = tuple[str, ...]  # the steps of a JSON Pointer (RFC 6901)


@frozen
class MappedEvent:
    """What one kind of foreign message means. It is meant where every pointer of `when` finds its value.

    Of `properties` and `traits` a pointer takes what it finds, anything else stands for itself. `event` None only says
    who somebody is.
    """

    event: str | None
    when: Mapping[Pointer, Any] = field(default=NOTHING)  # type: ignore[arg-type]
    email: Pointer | None = None
    user: Pointer | None = None
    at: Pointer | None = None
    zone: Pointer | None = None
    locale: Pointer | None = None
    properties: Mapping[str, Pointer | Any] = field(default=NOTHING)
    traits: Mapping[str, Pointer | Any] = field(default=NOTHING)


@frozen
class WebhookSource:
    """A system that calls us. `kind`: shopify, woocommerce, stripe or generic; `secrets`: names of the environment.

    `id`: where a generic message says which one it is, if its headers do not.
    """

    name: str
    kind: str
    secrets: tuple[str, ...]
    id: Pointer | None = None
    events: tuple[MappedEvent, ...] = ()


@frozen
class Property:
    """One property of an event: its kind (see `KINDS`), and whether it may be missing."""

    kind: str
    optional: bool = False


# What a property can be, and what it is in JSON.
KINDS: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "yes or no": (bool,),
    "time": (str,),
    "list": (list,),
    "object": (dict,),
    "anything": (object,),
}
EventSchema = Mapping[str, Property]


def misfit(schema: EventSchema, properties: Mapping[str, Any]) -> str | None:
    """Why these properties are not those of the event, None if they are. What the schema does not name may be there."""
    for name, wanted in schema.items():
        value = properties.get(name)
        if value is None:
            if not wanted.optional:
                return f"its property {name} is missing"
            continue
        fits = isinstance(value, KINDS[wanted.kind]) and (wanted.kind != "number" or not isinstance(value, bool))
        if fits and wanted.kind == "time":
            try:
                datetime.fromisoformat(value)
            except ValueError:
                fits = False
        if not fits:
            return f"its property {name} is not {_ARTICLE.get(wanted.kind, '')}{wanted.kind}"
    return None


_ARTICLE = {"number": "a ", "time": "a ", "list": "a ", "object": "an "}

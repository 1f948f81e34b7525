"""_events.yaml and _webhooks.yaml compiled, and the needs of templates held against them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nurture.domain.campaign import Campaign, EventStart
from nurture.domain.incoming import EventSchema, MappedEvent, Pointer, Property, WebhookSource
from nurture.language.contract import TemplateHead
from nurture.language.event_properties import Schemas, unknown_property
from nurture.language.incoming_file import EventsFile, MappedEventRule, WebhooksFile
from nurture.language.names import Scope

OWN = "nurture."


def compile_schemas(rule: EventsFile, scope: Scope) -> dict[str, EventSchema]:
    made: dict[str, EventSchema] = {}
    for event, properties in rule.events.items():
        scope.event(event, ("events", event))
        if event.startswith(OWN):
            scope.file.report("N105", ("events", event), f"{event} is an event of our own", "leave it out", key=True)
        made[event] = {
            name: Property(kind.removesuffix("?").strip(), kind.endswith("?")) for name, kind in properties.items()
        }
    return made


def compile_sources(rule: WebhooksFile, scope: Scope) -> dict[str, WebhookSource]:
    made = {}
    for name, source in rule.webhooks.items():
        for index, each in enumerate(source.events):
            if each.event is not None:
                place = ("webhooks", name, "events", index, "event")
                scope.event(each.event, place)
                if each.event.casefold().startswith(OWN):
                    scope.file.report("N105", place, f"names that begin with {OWN} are our own", "choose another")
        made[name] = WebhookSource(
            name=name,
            kind=source.kind,
            secrets=tuple(source.secrets),
            id=_pointer(source.id),
            events=tuple(_mapped(each) for each in source.events),
        )
    return made


def _mapped(rule: MappedEventRule) -> MappedEvent:
    return MappedEvent(
        event=rule.event,
        when={_steps(pointer): value for pointer, value in rule.when.items()},
        email=_pointer(rule.email),
        user=_pointer(rule.user),
        at=_pointer(rule.at),
        zone=_pointer(rule.zone),
        locale=_pointer(rule.locale),
        properties=_values(rule.properties),
        traits=_values(rule.traits),
    )


def _values(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _steps(value) if isinstance(value, str) and value.startswith("/") else value
        for name, value in raw.items()
    }


def _pointer(text: str | None) -> Pointer | None:
    return _steps(text) if text is not None else None


def _steps(text: str) -> Pointer:
    """RFC 6901: `~1` is a slash, `~0` a tilde."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))


def check_templates(campaigns: Iterable[Campaign], heads: Mapping[str, TemplateHead], schemas: Schemas) -> None:
    """Every need of start data in a template, held against the event that starts the campaign."""
    told: set[tuple[str, int]] = set()
    for campaign in campaigns:
        if not isinstance(campaign.start, EventStart):
            continue
        for send in campaign.sends:
            head = heads.get(send.template)
            for need in head.needs if head is not None else ():
                if need.root not in {"start", "event"} or (send.template, need.index) in told:
                    continue
                name = need.parts[0].removesuffix("[]")
                for message, hint, _ in unknown_property(name, schemas, (campaign.start.event,), 0):
                    told.add((send.template, need.index))
                    assert head is not None
                    head.file.report("N407", ("needs", need.index), message, hint)

"""HubSpot both ways: its contacts and stages come in by polling, our stage changes go out through the outbox.

In: pages of what was changed since the last time, in the order of change, each durable with how far it was read; told
again it changes nothing. Out: a stage that HubSpot told us is not told back.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from nurture.domain.incoming import WebhookSource
from nurture.domain.programme import Programme
from nurture.engine.callers import NoRedirect
from nurture.engine.incoming_webhooks import event_of
from nurture.engine.ingest import ingest
from nurture.errors import NurtureError
from nurture.intake.hubspot import PROPERTIES, STAGES, read_contact
from nurture.intake.json_text import parse_json
from nurture.storage.contacts import get_many
from nurture.storage.database import Database
from nurture.storage.duties import mark, marked
from nurture.storage.outbox import Call

HUBSPOT = "nurture.hubspot"  # the name of its calls in the outbox
SOURCE = WebhookSource("hubspot", "hubspot", ())
MARK, TIMEOUT, PAGE, MOST = "hubspot", 20.0, 100, 8 << 20
OVERLAP = timedelta(minutes=1)  # HubSpot's index lags behind its contacts
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


class HubSpotError(NurtureError):
    """HubSpot did not answer as it should; what was not read will be, at the next time."""


@dataclass(frozen=True, slots=True)
class HubSpot:
    """The API at `url`, with the token of a private app. Raises HubSpotError for every answer but 2xx."""

    url: str
    token: str

    def __call__(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        request = urllib.request.Request(  # noqa: S310 - http(s), by the setting
            f"{self.url}{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", "User-Agent": "nurture"},
            method=method,
        )
        try:
            with urllib.request.build_opener(NoRedirect).open(request, timeout=TIMEOUT) as answer:
                return parse_json(answer.read(MOST))
        except urllib.error.HTTPError as error:
            error.close()
            wait = error.headers.get("Retry-After")
            again = f"; it asks to come again in {wait[:20]} seconds" if wait else ""
            raise HubSpotError(f"HubSpot answered {error.code}{again}{_HINTS.get(error.code, '')}") from None
        except (OSError, ValueError, RecursionError, HTTPException) as error:
            raise HubSpotError(f"HubSpot could not be asked ({type(error).__name__})") from None


_HINTS = {
    401: ": look at NURTURE_HUBSPOT_TOKEN",
    403: ": its private app needs the scopes crm.objects.contacts.read and .write",
}


@dataclass(slots=True)
class Pulled:
    """`odd`: contacts that could not be read."""

    contacts: int = 0
    events: int = 0
    odd: int = 0


def pull(database: Database, hubspot: HubSpot, now: datetime, *, pages: int = 1000) -> Pulled:
    """Take in what was changed since the last time. Raises HubSpotError; what was read until then is kept."""
    result = Pulled()
    with database.read() as tx:
        kept = marked(tx, MARK)
    since = datetime.fromisoformat(kept["since"]) - OVERLAP if kept is not None else BEGINNING
    offset = 0
    for _ in range(pages):
        answer = hubspot("POST", "/crm/v3/objects/contacts/search", _search(since, offset))
        listed = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(listed, list):
            raise HubSpotError("HubSpot's answer has no results")
        found = [read for each in listed if (read := read_contact(each)) is not None]
        events = [event_of(SOURCE, told) for each in found for told in each.told]
        taken = ingest(database, events, now, trusted=True)
        result.contacts += len(found)
        result.events += taken.stored
        result.odd += len(listed) - len(found) + len(taken.rejected)
        last = max((each.modified for each in found), default=since)
        if last > since:  # the next page begins where this one ends; within one instant, behind it
            since, offset = last, 0
            database.transact(lambda tx, at=since: mark(tx, MARK, {"since": at.isoformat()}, now))  # type: ignore[misc]
            if len(listed) < PAGE:
                break
        elif len(listed) < PAGE:
            break
        else:
            offset += len(listed)
    return result


def _search(since: datetime, offset: int) -> dict[str, Any]:
    changed = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(int(since.timestamp() * 1000))}
    return {
        "filterGroups": [{"filters": [changed]}],
        "sorts": [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}],
        "properties": list(PROPERTIES),
        "limit": PAGE,
        "after": str(offset),
    }


def push(database: Database, programme: Programme, hubspot: HubSpot, call: Call) -> str | None:
    """Tell of one stage change; None once it is known there, or does not concern it, else what went wrong."""
    with database.read() as tx:
        contact = get_many(tx, [call.contact_id]).get(call.contact_id)
    if contact is None or contact.email is None:
        return None
    if call.payload["data"]["detail"].get("to") != contact.stage:
        return None  # she has moved on, which another call tells
    stage = stage_there(programme, contact.stage)
    if stage is None or contact.attributes.get("hubspot_stage") == stage:
        return None  # it came from there
    path = f"/crm/v3/objects/contacts/{quote(contact.email, safe='')}?idProperty=email"
    try:
        hubspot("PATCH", path, {"properties": {"lifecyclestage": stage}})
    except HubSpotError as error:
        return None if str(error).startswith("HubSpot answered 404") else str(error)  # nobody it knows
    return None


def stage_there(programme: Programme, stage: str | None) -> str | None:
    """HubSpot's word for a stage of ours: the same, or an alias of it in `lifecycle`."""
    if stage in STAGES:
        return stage
    aliases = programme.lifecycle.aliases
    return next((word for word in STAGES if aliases.get(word) == stage and stage is not None), None)

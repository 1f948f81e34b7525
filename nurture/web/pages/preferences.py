"""/p/{token}: the preference centre. Topics, a pause, zone and language, what comes next, export and erasure.

GET shows, and changes nothing; every POST does the one thing its button says, and shows the page again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from fastapi import FastAPI, Request, Response
from starlette.datastructures import FormData

from nurture.domain.consent import UNSUBSCRIBED
from nurture.domain.contact import OWN_CAPS, Consent, Contact
from nurture.domain.programme import Programme
from nurture.domain.timing import zone_of
from nurture.domain.tokens import Purpose
from nurture.engine import recipient
from nurture.intake.whereabouts import known_zone
from nurture.rendering.catalogues import long_date
from nurture.web.pages.desk import Desk, field, form_of, veiled
from nurture.web.pages.languages import ENGLISH, TRANSLATED, best_language
from nurture.web.problem import Refusal
from nurture.web.site import Site

ADDRESS = "/p/{token}"
LONGEST_PAUSE = timedelta(days=366)
LANGUAGES = {ENGLISH: "English", "fi": "Suomi", "de": "Deutsch", "sv": "Svenska"}  # each in its own words
assert set(LANGUAGES) == {ENGLISH, *TRANSLATED}
PROOF = {"by": "preferences"}


def mount(web: FastAPI, desk: Desk) -> None:
    @web.api_route(ADDRESS, methods=["GET", "HEAD"], include_in_schema=False)
    async def show(request: Request, token: str) -> Response:
        programme = await desk.programme()
        bearer = await desk.bearer(Purpose.PREFERENCES, token)
        if bearer is None:
            return desk.unknown(request, programme)
        if bearer.addressee is None:
            return desk.answer(request, programme, "nobody.html")
        return await _page(desk, request, programme, bearer.addressee.contact)

    @web.post(ADDRESS, include_in_schema=False)
    async def change(request: Request, token: str) -> Response:
        form = await form_of(request)
        programme = await desk.programme()
        bearer = await desk.bearer(Purpose.PREFERENCES, token)
        if bearer is None:
            return desk.unknown(request, programme)
        if bearer.addressee is None:
            return desk.answer(request, programme, "nobody.html")
        desk.take(f"p {bearer.contact_id}")
        contact = bearer.addressee.contact
        choice = field(form, "choice")
        if choice == "export":
            return await _export(desk, contact)
        if choice == "erase":
            return await _erase(desk, request, programme, contact, form)
        change = _CHANGES.get(choice)
        if change is None:
            raise Refusal(400, "The form does not say what to change.")
        told = await desk.site.threads.run(change, desk, programme, contact, form)
        desk.site.wake()
        after = await desk.bearer(Purpose.PREFERENCES, token)
        assert after is not None
        now_called = after.addressee.contact if after.addressee is not None else contact
        return await _page(desk, request, programme, now_called, **{"saved": True, **told})


# --- in threads; each gives what the page shows until her next turn has taken it in


def _topics(desk: Desk, programme: Programme, contact: Contact, form: FormData) -> dict[str, Any]:
    ticked = {value for value in form.getlist("topic") if isinstance(value, str)}
    wanted = {topic: topic in ticked for topic in programme.topics}
    site = desk.site
    recipient.choose_topics(site.app.database, contact.id, wanted, PROOF, site.now)
    return {"wanted": wanted}


def _nothing(desk: Desk, programme: Programme, contact: Contact, _: FormData) -> dict[str, Any]:
    site = desk.site
    recipient.say(site.app.database, contact.id, UNSUBSCRIBED, PROOF, site.now)
    return {"wanted": dict.fromkeys(programme.topics, False)}


def _pause(desk: Desk, programme: Programme, contact: Contact, form: FormData) -> dict[str, Any]:
    site = desk.site
    try:
        day = date.fromisoformat(field(form, "until"))
        until = datetime.combine(day, time(), zone_of(contact.zone, programme.zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return {"odd_date": True, "saved": False}
    if not site.now < until <= site.now + LONGEST_PAUSE:
        return {"odd_date": True, "saved": False}
    recipient.pause(site.app.database, contact.id, until, site.now)
    return {"paused": until}


def _go_on(desk: Desk, _: Programme, contact: Contact, __: FormData) -> dict[str, Any]:
    recipient.pause(desk.site.app.database, contact.id, None, desk.site.now)
    return {"paused": None}


def _fewer(desk: Desk, _: Programme, contact: Contact, form: FormData) -> dict[str, Any]:
    said = field(form, "days")
    days = int(said) if said in map(str, OWN_CAPS) else None
    recipient.want_fewer(desk.site.app.database, contact.id, days, desk.site.now)
    return {"own_cap": days}


def _tracking(desk: Desk, programme: Programme, contact: Contact, form: FormData) -> dict[str, Any]:
    if programme.tracking is None:
        return {"saved": False}
    allowed = field(form, "allowed") == "yes"
    recipient.allow_tracking(desk.site.app.database, contact.id, programme.tracking, allowed, desk.site.now)
    return {"allowed": allowed}


def _place(desk: Desk, _: Programme, contact: Contact, form: FormData) -> dict[str, Any]:
    zone, language = known_zone(field(form, "zone")), field(form, "language")
    same = contact.locale is not None and best_language(contact.locale) == language
    locale = language if language in LANGUAGES and not same else None  # `de-AT` stays, where she chooses German
    recipient.live_at(desk.site.app.database, contact.id, zone, locale, desk.site.now)
    return {}


_CHANGES: dict[str, Callable[[Desk, Programme, Contact, FormData], dict[str, Any]]] = {
    "topics": _topics,
    "nothing": _nothing,
    "pause": _pause,
    "go-on": _go_on,
    "fewer": _fewer,
    "tracking": _tracking,
    "place": _place,
}


# --- answers


async def _page(desk: Desk, request: Request, programme: Programme, contact: Contact, **told: Any) -> Response:
    site = desk.site
    zone = zone_of(contact.zone, programme.zone)
    gets = contact.consent is Consent.GRANTED and contact.suppressed is None
    paused = contact.paused_until if contact.paused_until and contact.paused_until > site.now else None
    wanted = {topic: gets and topic not in contact.opted_out for topic in programme.topics}
    context: dict[str, Any] = {
        "saved": False,
        "odd_date": False,
        "paused": paused,
        "wanted": wanted,
        "own_cap": contact.own_cap_days,
        "allowed": programme.tracking is not None and programme.tracking.of(contact),
        **told,
    }
    tomorrow = site.now.astimezone(zone).date() + timedelta(days=1)
    return desk.answer(
        request,
        programme,
        "preferences.html",
        contact=contact,
        address=veiled(contact.email),
        topics=programme.topics,
        tracking=programme.tracking,
        coming=await site.threads.run(_coming, site, contact),
        gets=any(context["wanted"].values()) or (gets and not programme.topics),
        day=lambda at, language: long_date(at.astimezone(zone).date(), language),
        earliest=tomorrow.isoformat(),
        latest=(tomorrow + LONGEST_PAUSE - timedelta(days=2)).isoformat(),
        zones=_zones(),
        zone=zone.key,
        languages=LANGUAGES,
        **context,
    )


def _coming(site: Site, contact: Contact) -> list[recipient.Coming]:
    return recipient.coming(site.app.database, site.app.applied(), contact, site.now)


async def _export(desk: Desk, contact: Contact) -> Response:
    found = await desk.site.threads.run(recipient.handed_over, desk.site.app.database, contact.id)
    text = json.dumps(found, ensure_ascii=False, indent=2)
    headers = {"Content-Disposition": 'attachment; filename="my-data.json"'}
    return Response(text.encode("utf-8", "replace"), media_type="application/json", headers=headers)


async def _erase(desk: Desk, request: Request, programme: Programme, contact: Contact, form: FormData) -> Response:
    if field(form, "sure") != "yes":
        return desk.answer(request, programme, "erase.html", contact=contact, address=veiled(contact.email))
    site = desk.site
    await site.threads.run(recipient.forget, site.app.database, contact.id, site.now)
    return desk.answer(request, programme, "erased.html", contact=contact)


@cache
def _zones() -> list[str]:
    """Zones named after places."""
    regions = (
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    )
    return sorted({"UTC", *(name for name in available_timezones() if name.partition("/")[0] in regions)})

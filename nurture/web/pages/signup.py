"""/s/{form}: a form to sign up by, and /c/{token}: the yes to it, out of the mail that the form has sent.

Whatever becomes of an address, the visitor reads the same: nobody can learn who is on the list, nor have it mailed more
than once a day. A form that stands on somebody else's page, or was posted by a machine, is shown once more: only what
our own page has handed out a moment ago is taken.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.datastructures import FormData

from nurture.domain.forms import Form
from nurture.domain.programme import Programme
from nurture.domain.tokens import Purpose
from nurture.engine import signup
from nurture.intake.addresses import address_problem
from nurture.web.pages.desk import Desk, field, form_of, preferences_path, veiled
from nurture.web.pages.languages import accepted

FORM, CONFIRM = "/s/{name}", "/c/{token}"
TRAP = "website"  # a field no person sees
QUICKEST, SLOWEST = timedelta(seconds=2), timedelta(days=1)
PER_SOURCE, PER_FORM = 10, 600  # posts a minute
LONGEST_FIELD = 100


def mount(web: FastAPI, desk: Desk) -> None:
    @web.api_route(FORM, methods=["GET", "HEAD"], include_in_schema=False)
    async def show(request: Request, name: str) -> Response:
        programme = await desk.programme()
        form = programme.forms.get(name)
        if form is None:
            return desk.unknown(request, programme)
        return _form(desk, request, programme, form, FormData(), request.query_params.get("language", ""))

    @web.post(FORM, include_in_schema=False)
    async def take(request: Request, name: str) -> Response:
        told = await form_of(request)
        programme = await desk.programme()
        form = programme.forms.get(name)
        if form is None:
            return desk.unknown(request, programme)
        desk.take(f"s {_where(request)}", PER_SOURCE)
        desk.take(f"form {name}", PER_FORM)
        language = _language(request, programme, form, field(told, "language"))
        if not told.get(TRAP):
            odd = _odd(desk, form, told)
            if odd:
                return _form(desk, request, programme, form, told, language, **odd)
            asked = _asked(form, told, language, _where(request))
            await desk.site.threads.run(signup.ask, desk.site.app.database, form, asked, desk.site.now)
            desk.site.wake()
        return desk.answer(request, programme, "look.html", language=language)

    @web.api_route(CONFIRM, methods=["GET", "HEAD"], include_in_schema=False)
    async def offer(request: Request, token: str) -> Response:
        return await _confirmation(desk, request, token, said=False)

    @web.post(CONFIRM, include_in_schema=False)
    async def yes(request: Request, token: str) -> Response:
        return await _confirmation(desk, request, token, said=True)


async def _confirmation(desk: Desk, request: Request, token: str, *, said: bool) -> Response:
    site, programme = desk.site, await desk.programme()
    bearer = await desk.bearer(Purpose.OPT_IN, token)
    found = None
    if bearer is not None:
        found = await site.threads.run(signup.request_of, site.app.database, programme, bearer, site.now)
    if bearer is None or found is None:
        return desk.unknown(request, programme)
    language = found.form.language([str(found.asked.get("language"))])
    if not found.open:
        return desk.answer(request, programme, "late.html", status=410, language=language, form=found.form.name)
    if said:
        desk.take(f"c {bearer.contact_id}")
        await site.threads.run(signup.confirm, site.app.database, found, _where(request), site.now)
        site.wake()
    return desk.answer(
        request,
        programme,
        "thanks.html" if said else "confirm.html",
        language=language,
        text=found.form.texts[language],
        spoken=language,
        wording=found.asked["wording"],
        topics=[programme.topics[topic] for topic in found.topics],
        address=veiled(found.contact.email),
        preferences=preferences_path(desk, bearer),
    )


def _form(
    desk: Desk, request: Request, programme: Programme, form: Form, told: FormData, language: str, **odd: Any
) -> Response:
    """The form, with what was filled in, and what is to be mended."""
    spoken = _language(request, programme, form, language)
    ticked = told.getlist("topic") if told else form.topics[:1]
    return desk.answer(
        request,
        programme,
        "signup.html",
        language=spoken,
        spoken=spoken,
        form=form,
        text=form.texts[spoken],
        topics={topic: programme.topics[topic] for topic in form.topics if topic in programme.topics},
        ticked={each for each in ticked if isinstance(each, str)},
        values=_fields(form, told),
        email=field(told, "email", 254),
        page=field(told, "page"),
        opened=desk.site.app.keyring.token(Purpose.SIGN_UP, int(desk.site.now.timestamp()), 0),
        trap=TRAP,
        **{"odd_address": False, "no_topic": False, "again": False, **odd},
    )


def _odd(desk: Desk, form: Form, told: FormData) -> dict[str, bool]:
    """What keeps this from being taken."""
    email = field(told, "email", 254)
    odd = {
        "odd_address": not email or address_problem(email) is not None,
        "no_topic": len(form.topics) > 1 and not _topics(form, told),
        "again": not _is_fresh(desk, field(told, "opened")),
    }
    return {name: True for name, holds in odd.items() if holds}


def _is_fresh(desk: Desk, opened: str) -> bool:
    """Whether our own page was opened long enough ago to have been read, and not too long."""
    read = desk.site.app.keyring.read(Purpose.SIGN_UP, opened)
    return read is not None and QUICKEST <= timedelta(seconds=desk.site.now.timestamp() - read[0]) <= SLOWEST


def _asked(form: Form, told: FormData, language: str, where: str) -> signup.Asked:
    email, page = field(told, "email", 254), field(told, "page")
    return signup.Asked(email, _topics(form, told), _fields(form, told), language, where, page)


def _fields(form: Form, told: FormData) -> dict[str, str]:
    return {name: field(told, f"field-{name}", LONGEST_FIELD) for name in form.fields}


def _topics(form: Form, told: FormData) -> tuple[str, ...]:
    if len(form.topics) < 2:
        return form.topics
    ticked = told.getlist("topic")
    return tuple(topic for topic in form.topics if topic in ticked)


def _language(request: Request, programme: Programme, form: Form, chosen: str) -> str:
    return form.language([chosen, *accepted(request.headers.get("accept-language")), programme.locale])


def _where(request: Request) -> str:
    return request.client.host if request.client is not None else ""

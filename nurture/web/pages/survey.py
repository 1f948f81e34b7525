"""/a/{token}/{survey}/{answer}: an answer to a survey. The link shows which one it is; the button gives it.

Scanners follow every link of a mail: by that nothing is answered.
"""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from nurture.domain.tokens import Purpose
from nurture.engine import surveys
from nurture.web.pages.desk import Desk, field, form_of
from nurture.web.pages.languages import accepted
from nurture.web.problem import Refusal

ADDRESS = "/a/{token}/{name}/{answer}"


def mount(web: FastAPI, desk: Desk) -> None:
    @web.api_route(ADDRESS, methods=["GET", "HEAD"], include_in_schema=False)
    async def show(request: Request, token: str, name: str, answer: str) -> Response:
        return await _page(desk, request, token, name, answer)

    @web.post(ADDRESS, include_in_schema=False)
    async def take(request: Request, token: str, name: str, answer: str) -> Response:
        form = await form_of(request)
        return await _page(desk, request, token, name, answer, field(form, "answer"))


async def _page(desk: Desk, request: Request, token: str, name: str, answer: str, said: str | None = None) -> Response:
    site, programme = desk.site, await desk.programme()
    survey, bearer = programme.surveys.get(name), await desk.bearer(Purpose.ANSWER, token)
    if survey is None or bearer is None or survey.answer(answer) is None:
        return desk.unknown(request, programme)
    if bearer.addressee is None:
        return desk.answer(request, programme, "nobody.html")
    taken = False
    if said is not None:
        chosen = survey.answer(said)
        if chosen is None:
            raise Refusal(400, "The form does not say which answer it is.")
        desk.take(f"a {bearer.contact_id}")
        taken = await site.threads.run(surveys.take, site.app.database, bearer, survey, chosen, site.now)
        site.wake()
    stands = await site.threads.run(surveys.given, site.app.database, bearer, survey, site.now)
    wanted = [bearer.addressee.contact.locale, *accepted(request.headers.get("accept-language")), programme.locale]
    language = survey.language(wanted)
    labels = survey.labels(language)
    return desk.answer(
        request,
        programme,
        "survey.html",
        language=language,
        spoken=language,
        text=survey.texts[language],
        labels=labels,
        chosen=str(stands.answer) if taken or not stands.is_open else answer,
        kept=labels.get(str(stands.answer)),
        taken=taken,
        is_open=stands.is_open,
    )

"""The mails: all of them at a glance, and each as a person would get it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from nurture.domain.retry import Attempt
from nurture.engine.preview import Mail, Previewed, mails, named, preview
from nurture.engine.revisions import Applied
from nurture.errors import NurtureError
from nurture.intake.addresses import address_problem
from nurture.rendering.pictures import pictures_in
from nurture.sending.allow_list import AllowList
from nurture.settings import Delivery
from nurture.web.html import environment
from nurture.web.pages.desk import field, form_of
from nurture.web.problem import Refusal
from nurture.web.studio.desk import POLICY, Desk
from nurture.web.studio.sheet import Sheet, in_light, sheet, whom

# Mails are foreign to us: they may be looked at, in a frame without rights, and load pictures as a mail program does.
FRAME_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; font-src https: data:; "
    "frame-ancestors 'self'"
)
FRAME_HEADERS = {"Content-Security-Policy": FRAME_POLICY, "X-Frame-Options": "SAMEORIGIN"}
LOOKS = ("light", "dark")


class Shown:
    """The sheets made last, by mail and person: the frames of a page show what it tells of, and are not made again."""

    MOST = 8

    def __init__(self) -> None:
        self._made: dict[tuple[str, str | None], tuple[Applied, Sheet]] = {}

    def put(self, applied: Applied, person: str | None, made: Sheet) -> None:
        self._made.pop((made.mail.name, person), None)
        self._made[made.mail.name, person] = applied, made
        if len(self._made) > self.MOST:
            del self._made[next(iter(self._made))]

    def get(self, applied: Applied, person: str | None, name: str) -> Sheet | None:
        """None where the files have changed since."""
        of, made = self._made.get((name, person), (None, None))
        return made if of is applied else None


def mount(router: APIRouter, desk: Desk) -> None:
    shown = Shown()

    @router.get("/mails")
    async def every(request: Request) -> Response:
        files = await desk.files()
        if files.applied is None:
            return desk.answer(request, "broken.html", files, at="mails", title="Mails")
        groups = await desk.site.threads.run(_groups, files.applied)
        return desk.answer(request, "mails.html", files, at="mails", title="Mails", groups=groups)

    @router.get("/mail/{name:path}")
    async def one(request: Request, name: str) -> Response:
        files = await desk.files()
        if files.applied is None:
            return desk.answer(request, "broken.html", files, at="mails", title=name)
        mail = _mail(files.applied, name)
        person = _person(request)
        made = await desk.site.threads.run(_sheet, desk, files.applied, mail, person)
        shown.put(files.applied, person, made)
        around = [one.name for one in mails(files.applied)]
        place = around.index(mail.name)
        return desk.answer(
            request,
            "mail.html",
            files,
            at="mails",
            title=mail.name,
            sheet=made,
            person=person,
            people=sorted(files.applied.compiled.people),
            fitting=_fitting(files.applied, mail),
            has_database=await desk.site.threads.run(desk.workshop.database) is not None,
            before=around[place - 1] if place else None,
            after=around[place + 1] if place + 1 < len(around) else None,
            groups=_grouped(files.applied),
            to=(desk.site.app.settings.allow_list or ("",))[0],
        )

    @router.get("/frame/{name:path}")
    async def frame(request: Request, name: str, look: str = "light") -> Response:
        files = await desk.files()
        if files.applied is None:
            raise Refusal(404, "The files have errors.")
        mail, person = _mail(files.applied, name), _person(request)
        made = shown.get(files.applied, person, mail.name)
        if made is None:
            made = await desk.site.threads.run(_sheet, desk, files.applied, mail, person, False)
        return framed(made.previewed.composed.rendered.html if made.previewed else "", _text(made), look)

    @router.post("/send/{name:path}")
    async def send(request: Request, name: str) -> Response:
        form = await form_of(request)
        files = await desk.files()
        if files.applied is None:
            raise Refusal(422, "The files have errors; nothing was sent.")
        mail = _mail(files.applied, name)
        told = await _send(desk, files.applied, mail, field(form, "as") or None, field(form, "to"))
        answer = HTMLResponse(environment().get_template("studio/sent.html").render(**told))
        answer.headers["Content-Security-Policy"] = POLICY
        return answer


def framed(html: str, text: str, look: str) -> Response:
    """A mail alone, for a frame: its HTML in the light asked for, or its text where it has no HTML."""
    look = look if look in LOOKS else "light"
    if not html:
        html = (
            environment()
            .from_string("<!DOCTYPE html><html><head></head><pre>{{ text }}</pre></html>")
            .render(text=text)
        )
    # Links do not lead away: the mail is a picture here.
    return HTMLResponse(in_light(html, look), headers=FRAME_HEADERS)


def _text(made: Sheet) -> str:
    if made.previewed is None:
        return made.mistake.message if made.mistake is not None else ""
    return made.previewed.composed.rendered.text


def _person(request: Request) -> str | None:
    return request.query_params.get("as", "").strip()[:320] or None


def _mail(applied: Applied, name: str) -> Mail:
    try:
        return named(applied, name)[0]
    except NurtureError as error:
        raise Refusal(404, str(error)) from None


def _options(desk: Desk) -> dict[str, Any]:
    settings = desk.site.app.settings
    return {"base_url": settings.base_url, "bounce_domain": settings.bounce_domain}


def _sheet(desk: Desk, applied: Applied, mail: Mail, person: str | None, checked: bool = True) -> Sheet:
    database = desk.workshop.database() if person else None
    pictures = pictures_in(desk.site.app.root) if checked else None
    return sheet(applied, mail, person, database, desk.site.now, _options(desk), checked=checked, pictures=pictures)


def _fitting(applied: Applied, mail: Mail) -> list[str]:
    return sorted(name for name, person in applied.compiled.people.items() if mail.campaign.name in person.starts)


def _grouped(applied: Applied) -> list[tuple[str, list[Mail]]]:
    """Mails by campaign; templates without a step come last."""
    found: dict[str, list[Mail]] = {}
    for mail in mails(applied):
        found.setdefault(mail.campaign.title if mail.campaign.name else "Without a campaign", []).append(mail)
    return list(found.items())


def _groups(applied: Applied) -> list[tuple[str, list[tuple[Mail, str]]]]:
    return [(title, [(mail, _subject(applied, mail)) for mail in group]) for title, group in _grouped(applied)]


def _subject(applied: Applied, mail: Mail) -> str:
    """What the file says: to render every mail for a list would be slow."""
    prefix = f"email_templates/{mail.send.template}."
    texts = (text for path, text in sorted(applied.sources.items()) if path.startswith(prefix))
    lines = (line for text in texts for line in text.split("\n")[:30] if line.startswith("subject:"))
    return mail.send.subject or next(lines, "subject:").partition(":")[2].strip().strip("\"'")


async def _send(desk: Desk, applied: Applied, mail: Mail, person: str | None, to: str) -> dict[str, str]:
    app = desk.site.app
    if problem := address_problem(to):
        return {"failed": f"{to or 'No address'} {problem}"}
    transport = app.transport()
    try:
        if isinstance(transport, AllowList):
            if not transport.allows(to):
                return {"failed": f"NURTURE_ALLOW_LIST does not let mail go to {to}."}
        elif app.settings.delivery is Delivery.SMTP:
            return {"failed": "Name your own address in NURTURE_ALLOW_LIST first; without it nothing leaves from here."}
        try:
            made = await desk.site.threads.run(_test, desk, applied, mail, person, to)
        except NurtureError as error:
            return {"failed": str(error)}
        attempt = await transport.send(made.composed.mail, _open)
    finally:
        await transport.close(5)
    if not _went(attempt):
        return {"failed": f"Not sent. {attempt.text}"}
    where = "the local inbox" if app.settings.delivery is Delivery.INBOX else "the relay"
    return {"sent": f"Sent to {to}; it is with {where}."}


def _test(desk: Desk, applied: Applied, mail: Mail, person: str | None, to: str) -> Previewed:
    database = desk.workshop.database() if person else None
    now = desk.site.now
    somebody = whom(applied, mail, person, database, now)
    signer = desk.site.app.signer()
    return preview(applied, mail, somebody, now, **_options(desk), signer=signer, to=to, mark="[TEST] ")


async def _open() -> bool:
    return True


def _went(attempt: Attempt) -> bool:
    return attempt.fault is None and attempt.phase == "done" and attempt.code is not None and attempt.code < 300

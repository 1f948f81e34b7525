"""What the pages share: whose a link is, the language and look of an answer, and limits on how often one may ask."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from nurture.domain.contact import Contact
from nurture.domain.programme import Programme
from nurture.domain.tokens import Purpose
from nurture.engine.recipient import Bearer, bearer_of
from nurture.web.access import Rates
from nurture.web.html import FOR_EVER, page
from nurture.web.pages.branding import Brand, brand_of
from nurture.web.pages.languages import accepted, best_language, phrases
from nurture.web.problem import Refusal
from nurture.web.security import CONTENT_POLICY
from nurture.web.site import Site

PER_MINUTE = 60  # posts by one link
MAX_FORM = 16 << 10
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


class Desk:
    """The pages of one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._rates = Rates()
        self._brand: tuple[int, Brand] | None = None

    def mount(self, web: FastAPI) -> None:
        @web.api_route("/brand/{digest}/brand.css", methods=["GET", "HEAD"], include_in_schema=False)
        async def brand_css(digest: str) -> Response:
            brand = self.brand(await self.programme())
            if digest != brand.digest:
                raise Refusal(404, "There is no such file.")
            return Response(brand.css, media_type="text/css", headers={"Cache-Control": FOR_EVER})

    async def programme(self) -> Programme:
        """The applied campaigns."""
        return (await self.site.threads.run(self.site.app.applied)).programme

    async def bearer(self, purpose: Purpose, token: str) -> Bearer | None:
        """Whose a link is; None for a token that is not ours."""
        app = self.site.app
        return await self.site.threads.run(bearer_of, app.database, app.keyring, purpose, token)

    def brand(self, programme: Programme) -> Brand:
        if self._brand is None or self._brand[0] != programme.revision:
            sender = next(iter(programme.senders.values()), None)
            self._brand = (programme.revision, brand_of(programme.brand, sender.name or "" if sender else ""))
        return self._brand[1]

    def take(self, name: str, per_minute: int = PER_MINUTE) -> None:
        """Count something that changes something. Raises Refusal (429)."""
        self._rates.take(name, per_minute, self.site.app.clock.monotonic())

    def answer(
        self,
        request: Request,
        programme: Programme,
        template: str,
        *,
        status: int = 200,
        contact: Contact | None = None,
        language: str | None = None,
        **context: Any,
    ) -> Response:
        """A page in `language`, else in hers: what she chose, what her browser asks for, that of the project."""
        chosen = contact.locale if contact is not None else None
        spoken = accepted(request.headers.get("accept-language"))
        tongue = best_language(language, chosen, *spoken, programme.locale)
        brand = self.brand(programme)
        told = page(
            f"pages/{template}",
            status,
            _=phrases(tongue),
            lang=tongue,
            brand=brand,
            path=request.url.path,
            **context,
        )
        told.headers["Content-Language"] = tongue
        if brand.logo_origin is not None:
            told.headers["Content-Security-Policy"] = CONTENT_POLICY.replace("img-src", f"img-src {brand.logo_origin}")
        return told

    def unknown(self, request: Request, programme: Programme) -> Response:
        """For links that are not ours, or not whole."""
        return self.answer(request, programme, "unknown.html", status=404)


def kind_of(request: Request) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def form_of(request: Request) -> FormData:
    """A form, urlencoded or multipart (fields only). Raises Refusal: 400, 413, 415."""
    if kind_of(request) not in FORMS:
        raise Refusal(415, "A form is needed: urlencoded or multipart.")
    if int(request.headers.get("content-length", "0")) > MAX_FORM:
        raise Refusal(413, f"The form is larger than {MAX_FORM:,} bytes.")
    try:
        return await request.form(max_files=0, max_fields=50, max_part_size=MAX_FORM)
    except (MultiPartException, HTTPException, UnicodeDecodeError):
        raise Refusal(400, "The form cannot be read.") from None


def field(form: FormData, name: str, most: int = 200) -> str:
    """A field's text without blanks around it; empty where it is missing, too long or no text."""
    value = form.get(name, "")
    text = value.strip() if isinstance(value, str) else ""
    return text if len(text) <= most and "\0" not in text else ""


def preferences_path(desk: Desk, bearer: Bearer) -> str:
    """Where she chooses what she gets."""
    return "/p/" + desk.site.app.keyring.token(Purpose.PREFERENCES, bearer.contact_id, bearer.seq)


def veiled(address: str | None) -> str:
    """Enough of an address for its owner to know it: `a***@people.example`."""
    local, at, domain = (address or "").rpartition("@")
    return f"{local[:1]}***@{domain}" if at else ""

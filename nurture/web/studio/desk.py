"""What every page of the studio shares: who may ask, the frame around a page, and the policy for its content."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response

from nurture.web.html import page
from nurture.web.problem import Refusal
from nurture.web.site import Site
from nurture.web.studio.workshop import Files, Workshop

ROOT = "/studio"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGES = ("/programme", "/mails", "/simulation", "/plan", "/inbox")  # what the navigation leads to
HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def mark_of(folder: Path) -> str:
    """By what one knows the studio of a project's folder; it does not say which folder that is."""
    return hashlib.blake2b(str(folder.resolve()).encode(), digest_size=12).hexdigest()


class Desk:
    """The site's part for the studio. Its token stands in every page and must come back with every change."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.workshop = Workshop(site.app)
        self.token = secrets.token_urlsafe(24)

    async def admit(self, request: Request) -> None:
        """Only this machine, by its own name: a page elsewhere that points its name at 127.0.0.1 is turned away.

        Raises Refusal (403).
        """
        if (urlsplit(f"//{request.headers.get('host', '')}").hostname or "") not in HERE:
            raise Refusal(403, "The studio answers to 127.0.0.1 and localhost only.")
        if request.method in {"GET", "HEAD"}:
            return
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            raise Refusal(403, "This form belongs to another page.")
        given = request.headers.get("x-studio-token", "")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise Refusal(403, "The page is of an earlier studio; load it again.")

    async def files(self) -> Files:
        return await self.site.threads.run(self.workshop.files)

    def answer(self, request: Request, template: str, files: Files, *, status: int = 200, **context: Any) -> Response:
        """A page of the studio; `here` is where it is."""
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        told = page(
            f"studio/{template}",
            status,
            root=ROOT,
            here=here,
            token=self.token,
            pages=PAGES,
            files=files,
            standing=self.site.live.standing if self.site.live is not None else None,
            **context,
        )
        told.headers["Content-Security-Policy"] = POLICY
        return told

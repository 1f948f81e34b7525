"""Events in, by every protocol."""

from __future__ import annotations

from fastapi import FastAPI

from nurture.web import cloudevents, segment, webhooks
from nurture.web.access import access_of
from nurture.web.reception import Reception
from nurture.web.site import Site


def mount(web: FastAPI, site: Site) -> None:
    reception = Reception(site, access_of(web, site))
    segment.mount(reception)
    cloudevents.mount(web, reception)
    webhooks.mount(web, reception)

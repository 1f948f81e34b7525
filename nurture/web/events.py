"""Events in, by every protocol."""

from __future__ import annotations

from fastapi import FastAPI

from nurture.web import cloudevents, incoming_webhooks, segment
from nurture.web.access import access_of
from nurture.web.reception import Reception
from nurture.web.site import Site


def mount(web: FastAPI, site: Site) -> None:
    reception = Reception(site, access_of(web, site))
    segment.mount(reception)
    cloudevents.mount(web, reception)
    incoming_webhooks.mount(web, reception)

"""The recipient's own pages, reached by the signed links in her mails. No login, no cookie, no script.

A GET changes nothing, whoever follows the links of a mail: scanners do.
"""

from __future__ import annotations

from fastapi import FastAPI

from nurture.web.pages import preferences, signup, survey, tracked, unsubscribe, view
from nurture.web.pages.desk import Desk
from nurture.web.site import Site


def mount(web: FastAPI, site: Site) -> None:
    desk = Desk(site)
    desk.mount(web)
    unsubscribe.mount(web, desk)
    preferences.mount(web, desk)
    view.mount(web, desk)
    signup.mount(web, desk)
    survey.mount(web, desk)
    tracked.mount(web, desk)

"""A population on the virtual clock: the report of `nurture simulate --people`, with its charts."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response

from nurture.domain.timing import zone_of
from nurture.engine.revisions import Applied
from nurture.engine.simulation.page import STYLE, body
from nurture.engine.simulation.run import made_up, simulate
from nurture.errors import NurtureError
from nurture.web.studio.desk import Desk

PEOPLE, DAYS, SEED = 500, 30, 7
MOST_PEOPLE, MOST_DAYS = 5_000, 180  # more is for the command, which has all cores and a progress bar


def mount(router: APIRouter, desk: Desk) -> None:
    @router.get("/population.css")
    async def style() -> Response:
        return Response(STYLE, media_type="text/css")

    @router.get("/population")
    async def population(request: Request) -> Response:
        files = await desk.files()
        if files.applied is None:
            return desk.answer(request, "broken.html", files, at="simulation", title="Population")
        given = request.query_params
        asked = {
            "people": _number(given.get("people"), PEOPLE, MOST_PEOPLE),
            "days": _number(given.get("days"), DAYS, MOST_DAYS),
            "seed": _number(given.get("seed"), SEED, 10**9),
        }
        told, refused = "", ""
        if given.get("people"):
            try:
                told = await desk.site.threads.run(_report, files.applied, asked, desk.site.now)
            except NurtureError as error:
                refused = str(error)
        return desk.answer(
            request,
            "population.html",
            files,
            at="simulation",
            title="Population",
            asked=asked,
            told=told,
            refused=refused,
            most={"people": MOST_PEOPLE, "days": MOST_DAYS},
        )


def _number(text: str | None, otherwise: int, most: int) -> int:
    return min(max(int(text), 1), most) if text and text.isdecimal() and len(text) < 12 else otherwise


def _report(applied: Applied, asked: dict[str, int], now: datetime) -> str:
    """From the beginning of today, so that the same question has the same answer all day."""
    zone = zone_of(applied.programme.zone)
    begin = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    end = begin + timedelta(days=asked["days"])
    setting, parts = made_up(applied.compiled, asked["people"], asked["seed"], begin, end)
    return body(simulate(setting, parts, source=f"{asked['people']:,} made-up people", seed=asked["seed"]))

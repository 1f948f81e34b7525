"""The programme: a map of the lifecycle with every campaign as a route, and each campaign as a drawn flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from nurture.domain.campaign import Campaign
from nurture.domain.programme import Programme
from nurture.engine.programme_words import days_words, start_words
from nurture.language.problems import Problem
from nurture.storage.controls import paused_campaigns
from nurture.storage.reports import stage_counts, standing
from nurture.web.problem import Refusal
from nurture.web.studio import flow, routes
from nurture.web.studio.desk import Desk


@dataclass(frozen=True, slots=True)
class Live:
    """Who is where now, by the database: people by stage, and by campaign and step."""

    stages: Mapping[str, int]
    inside: Mapping[str, Mapping[str | None, int]]
    paused: frozenset[str]

    def people(self, campaign: str) -> int:
        return sum(self.inside.get(campaign, {}).values())


def mount(router: APIRouter, desk: Desk) -> None:
    run = desk.site.threads.run

    @router.get("/programme")
    async def programme(request: Request) -> Response:
        files = await desk.files()
        if files.applied is None:
            return desk.answer(request, "broken.html", files, at="programme", title="Programme")
        shown = files.applied.programme
        live = await run(_live, desk, shown, tuple(shown.campaigns))
        problems, whole = await _problems(desk, request)
        found = {name: [one.is_error for one in _of(each, problems)] for name, each in shown.campaigns.items()}
        people = {name: live.people(name) for name in shown.campaigns} if live is not None else None
        groups = [
            ("What moves people", routes.moves(shown)),
            ("Campaigns", routes.campaigns(shown, people, found)),
        ]
        stages, counts = shown.lifecycle.stages, live.stages if live is not None else None
        return desk.answer(
            request,
            "programme.html",
            files,
            at="programme",
            title="Programme",
            maps=[routes.draw(stages, groups, counts, narrow=narrow) for narrow in (False, True)],
            campaigns=shown.campaigns,
            words={name: start_words(each) for name, each in shown.campaigns.items()},
            live=live,
            problems=problems,
            whole=whole,
        )

    @router.get("/campaign/{name}")
    async def campaign(request: Request, name: str) -> Response:
        files = await desk.files()
        if files.applied is None:
            return desk.answer(request, "broken.html", files, at="programme", title=name)
        shown = files.applied.programme
        one = shown.campaigns.get(name)
        if one is None:
            raise Refusal(404, f"There is no campaign {name}.")
        live = await run(_live, desk, shown, (name,))
        problems, whole = await _problems(desk, request)
        mine = _of(one, problems)
        people = live.inside[name] if live is not None else {}
        return desk.answer(
            request,
            "campaign.html",
            files,
            at="programme",
            title=name,
            campaign=one,
            drawings=[flow.draw(one, people, mine, size) for size in (flow.DESK, flow.PHONE)],
            facts=_facts(shown, one),
            live=live,
            problems=mine,
            whole=whole,
            others=list(shown.campaigns),
        )


async def _problems(desk: Desk, request: Request) -> tuple[Sequence[Problem], bool]:
    """What is known of these files at once; all there is to know where the page asks again with `checked`."""
    if request.query_params.get("checked"):
        return await desk.site.threads.run(desk.workshop.problems), True
    return await desk.site.threads.run(desk.workshop.known)


def _of(campaign: Campaign, problems: Sequence[Problem]) -> list[Problem]:
    mails = tuple(f"email_templates/{send.template}." for send in campaign.sends)
    return [one for one in problems if one.file == campaign.file or one.file.startswith(mails or ("\0",))]


def _live(desk: Desk, programme: Programme, names: Sequence[str]) -> Live | None:
    database = desk.workshop.database()
    if database is None:
        return None
    with database.read() as tx:
        inside = {name: standing(tx, name) for name in names}
        return Live(stage_counts(tx), inside, frozenset(paused_campaigns(tx)) & programme.campaigns.keys())


def _facts(programme: Programme, campaign: Campaign) -> list[tuple[str, str]]:
    """What holds for the campaign as a whole, as (name, words)."""
    again = campaign.again
    facts = [
        ("Owner", campaign.owner or ""),
        ("Topic", programme.topics[campaign.topic].title if campaign.topic else ""),
        ("Priority", str(campaign.priority)),
        ("One passage for each", campaign.key.source if campaign.key is not None else ""),
        ("Again", "never" if again.never else f"after {again.after.text}" if again.after is not None else "always"),
        ("If it starts meanwhile", campaign.meanwhile.value),
        ("Held out", f"{100 * campaign.hold_out:g} %" if campaign.hold_out else ""),
    ]
    window = campaign.send_window
    if window is not None:
        days = "business days" if window.business_days else days_words(window.days or ())
        facts.append(("Mails leave", " ".join(part for part in (str(window.hours or ""), days) if part)))
    for offer in campaign.offers.values():
        tiers = ", ".join(tier.discount for tier in offer.tiers)
        facts.append((f"Offer {offer.name}", f"{tiers}; ends after {offer.expires.text}"))
    return [(name, words) for name, words in facts if words]

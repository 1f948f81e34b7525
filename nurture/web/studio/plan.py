"""The plan: what applying the files would change, for whom, and the mails of the next day before and after."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from nurture.engine.apply import Planned, plan
from nurture.engine.differences import file_changes
from nurture.language.edits import Change
from nurture.web.studio.desk import Desk


def mount(router: APIRouter, desk: Desk) -> None:
    @router.get("/plan")
    async def planned(request: Request) -> Response:
        files = await desk.files()
        database = await desk.site.threads.run(desk.workshop.database)
        made = None
        if database is not None and files.broken is None:
            made = await desk.site.threads.run(plan, database, files.sources, desk.site.now)
        return desk.answer(
            request,
            "plan.html",
            files,
            at="plan",
            title="Plan",
            planned=made,
            groups=_by_campaign(made) if made is not None else [],
            mails=_mails(made) if made is not None else [],
            changed=file_changes(made.before, made.sources) if made is not None and made.against else (),
        )


def _by_campaign(planned: Planned) -> list[tuple[str | None, list[tuple[Change, int]]]]:
    """Changes and how many people each concerns; None is what holds over all campaigns."""
    found: dict[str | None, list[tuple[Change, int]]] = {}
    for change in planned.changes:
        found.setdefault(change.campaign, []).append((change, planned.people(change)))
    return list(found.items())


def _mails(planned: Planned) -> list[tuple[str, int, int]]:
    """(mail, before, after) of the next day, where there are any."""
    expected = planned.expected
    if expected is None:
        return []
    return [
        (f"{campaign}/{step}", expected.before.get((campaign, step), 0), expected.after.get((campaign, step), 0))
        for campaign, step in sorted(expected.before.keys() | expected.after.keys())
    ]

"""`nurture explain`: why somebody got a mail, or did not, and what comes next."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from nurture.cli.contact_view import contact_data
from nurture.cli.lazy import Command
from nurture.cli.output import answer, bad, faint, good, plural, printable, say, show, strong, when
from nurture.cli.session import Session, json_option, pass_session
from nurture.errors import NurtureError

if TYPE_CHECKING:
    from nurture.engine.explain import CampaignStory, Explanation, Told

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")


@click.command(cls=Command)
@click.argument("contact")
@click.option("--campaign", metavar="CAMPAIGN", help="Only about this campaign.")
@click.option("--step", metavar="STEP", help="Only about this step.")
@click.option("--last", type=click.IntRange(1, 1000), default=30, show_default=True, help="How many lines of the past.")
@json_option
@pass_session
def explain(session: Session, contact: str, campaign: str | None, step: str | None, last: int) -> None:
    """Why somebody got a mail, or did not, and what comes next.

    CONTACT is an address, the id another system gave, or our own number. The past is told as it was written down when
    it was decided, with the values the conditions saw.
    """
    from nurture.engine.explain import explain as explain_contact
    from nurture.engine.people import unknown_campaign

    applied = session.applied()
    if campaign is not None and campaign not in applied.programme.campaigns:
        raise unknown_campaign(applied.programme, campaign)
    found = explain_contact(
        session.database, applied, contact, session.clock.now(), campaign=campaign, step=step, last=last
    )
    if found is None:
        raise NurtureError(f"nobody here is called {printable(contact)}; nurture contacts list shows who is")
    data = {**asdict(found), "contact": contact_data(found.contact)}
    answer(data, lambda: _tell(found, all_campaigns=campaign is None))


def _tell(found: Explanation, *, all_campaigns: bool) -> None:
    contact = found.contact
    name = printable(contact.email or contact.external_id or contact.id)
    since = f" since {when(contact.stage_since, found.zone)}" if contact.stage_since else ""
    show(strong(name) + f"  stage {contact.stage or '-'}{since}")
    paint = good if found.mailable == "gets marketing mail" else bad
    show(f"  {paint(found.mailable)}; caps: {', '.join(found.caps) or 'none'}")
    if found.lines:
        show()
        for line in found.lines:
            _tell_line(line, found.zone)
    inside = [story for story in found.campaigns if story.state == "inside"]
    for story in inside:
        show()
        _tell_inside(story)
    refused = [story for story in found.campaigns if story.state == "never" and (story.told or not all_campaigns)]
    if refused:
        show()
    for story in refused:
        show(f"{faint('not in')} {story.campaign}: {_local(story.never, found.zone)}")
    others = sum(story.state == "never" for story in found.campaigns) - len(refused)
    if others:
        show(faint(f"Never in {plural(others, 'other campaign')}; --campaign NAME says why not."))
    if all_campaigns and not inside:
        show("In no campaign now.")
    whose = "hers" if found.zone_is_hers else "the project's, since none is known for this person"
    say(faint(f"Times in {found.zone}, {whose}. Judged by revision {found.revision}."))


def _tell_line(line: Told, zone: str) -> None:
    what = f"{line.campaign}: {line.what}" if line.campaign else line.what
    why = f"  {faint(_local(line.why, zone))}" if line.why else ""
    show(f"{when(line.at, zone).rjust(21)}  {printable(what)}{why}")


def _local(text: str, zone: str) -> str:
    """Text with its instants on her own clock."""
    return _INSTANT.sub(lambda found: when(datetime.fromisoformat(found[0]), zone), printable(text))


def _tell_inside(story: CampaignStory) -> None:
    show(f"{strong('in ' + story.campaign)}")
    for text in story.next:
        show(f"  next: {printable(text)}")
    if story.stops:
        show(f"  could stop it: {printable(', '.join(story.stops))}")

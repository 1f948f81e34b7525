"""`nurture explain`: why somebody got a mail, or did not, and what comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from nurture.cli.contact_view import contact_data
from nurture.cli.folding import folded, terminal_width
from nurture.cli.lazy import Command
from nurture.cli.output import answer, bad, careful, faint, good, plural, printable, show, strong
from nurture.cli.session import Session, json_option, pass_session
from nurture.errors import NurtureError

if TYPE_CHECKING:
    from nurture.engine.explain import CampaignStory, Explanation, Place, Told

USUAL = 80  # columns of a terminal
_UNHAPPY = ("skips", "does not", "holds", "cancels", "was refused", "lets", "would send", "turn failed")


@click.command(cls=Command)
@click.argument("contact")
@click.option("--campaign", metavar="CAMPAIGN", help="Only about this campaign.")
@click.option("--step", metavar="STEP", help="Only about this step.")
@click.option("--at", metavar="TIME", help="As it was or will be then: 2026-03-12T09:30, or +3d.")
@click.option("--next", "following", type=click.IntRange(0, 1000), default=3, show_default=True,
              help="How many lines of what comes next, for each campaign she is in.")  # fmt: skip
@click.option("--last", type=click.IntRange(1, 1000), default=30, show_default=True, help="How many lines of the past.")
@json_option
@pass_session
def explain(
    session: Session, contact: str, campaign: str | None, step: str | None, at: str | None, following: int, last: int
) -> None:
    """Why somebody got a mail, or did not, and what comes next.

    CONTACT is an address, the id another system gave, or our own number. The past is told as it was written down when
    it was decided, with the values the conditions saw; the future is played forward by the rules that are applied, as
    if nothing else happened to her. Without a zone, TIME is on the project's clock.
    """
    from nurture.engine.explain import explain as explain_contact
    from nurture.engine.people import unknown_campaign

    applied = session.applied()
    if campaign is not None and campaign not in applied.programme.campaigns:
        raise unknown_campaign(applied.programme, campaign)
    now = session.clock.now()
    moment = _moment(at, now, applied.programme.zone) if at is not None else None
    found = explain_contact(
        session.database, applied, contact, now, campaign=campaign, step=step, at=moment, last=last,
        following=following,
    )  # fmt: skip
    if found is None:
        raise NurtureError(f"nobody here is called {printable(contact)}; nurture contacts list shows who is")
    data = {**asdict(found), "contact": contact_data(found.contact)}
    answer(data, lambda: show("\n".join(told(found, campaign or step, terminal_width()))))


def _moment(text: str, now: datetime, zone: str) -> datetime:
    """`+3d` from now, or an instant. Raises a usage error."""
    from nurture.language.values import parse_moment

    try:
        found = parse_moment(text)
        return now + found if isinstance(found, timedelta) else found.at(zone)
    except ValueError as error:
        raise click.UsageError(f"--at {text!r}: {error}") from None


def told(found: Explanation, about: str | None = None, width: int | None = None) -> list[str]:
    """The explanation as lines. `about` is what it was narrowed to; `width` folds what is longer."""
    lines = [*_head(found)]
    lines += _past(found.lines, found)
    for story in found.campaigns:
        if story.state == "inside":
            lines += ["", *_inside(story, found)]
    lines += _outside(found.campaigns, everything=about is None)
    whose = "hers" if found.zone_is_hers else "the project's, since none is known for this person"
    lines += ["", faint(f"Times in {found.zone}, {whose}. Revision {found.revision} is applied.")]
    return [part for line in lines for part in folded(line, width)]


def _head(found: Explanation) -> Iterator[str]:
    contact, clock = found.contact, found.clock
    name = printable(contact.email or contact.external_id or contact.id)
    since = f" since {clock.said(contact.stage_since)}" if contact.stage_since else ""
    yield strong(name) + f"  stage {contact.stage or '-'}{since}"
    if found.tense != "now":
        said = "as it was" if found.tense == "past" else "as it will be if nothing else happens"
        yield careful(f"  {said} on {clock.said(found.at)}")
    if found.mailable:
        paint = good if found.mailable.startswith("gets marketing mail") else bad
        yield "  " + paint(printable(found.mailable))
    for cap in found.caps:
        yield f"  cap {printable(cap)}"


def _past(lines: Sequence[Told], found: Explanation) -> Iterator[str]:
    revisions = {line.revision for line in lines if not line.expected}
    revision = None
    if lines:
        yield ""
    if found.older:
        yield faint(f"{plural(found.older, 'older line')}; --last {found.older + len(lines)} shows all")
    for line in lines:
        if line.expected:
            if revision != "expected":
                revision = "expected"
                yield faint("expected:")
        elif len(revisions) > 1 and revision != str(line.revision):
            revision = str(line.revision)
            yield faint(f"decided by revision {revision}:")
        yield from _line(line, found.clock.said(line.at))


def _line(line: Told, when: str, indent: str = "  ") -> Iterator[str]:
    what = printable(f"{line.campaign}: {line.what}" if line.campaign else line.what)
    paint = careful if line.what.startswith(_UNHAPPY) else good if line.what.startswith("sends") else str
    yield from _with_reasons(f"{indent}{when}  ", what, paint, line.why, f"{indent}    ")


def _with_reasons(lead: str, what: str, paint: Callable[[str], str], why: Sequence[str], indent: str) -> Iterator[str]:
    """The only reason stands behind what happened, where both fit a line of a terminal; else each has its own line."""
    if len(why) == 1 and len(lead + what + why[0]) <= USUAL - 2:
        yield f"{lead}{paint(what)}  {faint(printable(why[0]))}"
        return
    yield lead + paint(what)
    for text in why:
        yield indent + faint(_kept(text))


def _kept(text: str) -> str:
    """Printable, with the indent it came with."""
    return " " * (len(text) - len(text.lstrip())) + printable(text.lstrip())


def _inside(story: CampaignStory, found: Explanation) -> Iterator[str]:
    for place in story.places:
        yield from _place(story, place, found)


def _place(story: CampaignStory, place: Place, found: Explanation) -> Iterator[str]:
    key = f" [{printable(place.key)}]" if place.key else ""
    at = f", at {place.node}: {printable(place.now)}" if place.now else ""
    yield (
        strong(f"in {story.campaign}{key}") + at + (careful(", held out: gets no mail of it") if place.held_out else "")
    )
    for number, line in enumerate(place.next):
        label = ("then:" if found.tense == "past" else "next:") if number == 0 else ""
        lead = f"  {label:<6}{found.clock.said(line.at)}  "
        yield from _with_reasons(lead, printable(line.what), str, line.why, " " * 12)
    for number, text in enumerate(place.stops):
        if number == 0:
            yield "  could stop it:"
        yield f"    {_kept(text)}"


def _outside(stories: Sequence[CampaignStory], *, everything: bool) -> Iterator[str]:
    """Told in full where asked for, or where she nearly was; the others are counted."""
    shown = [one for one in stories if one.state != "inside" and (one.told or not everything)]
    for story in shown:
        yield ""
        yield strong(f"not in {story.campaign}") + ("" if story.state == "left" else ", and never was")
        yield from (f"  {_kept(text)}" for text in story.outside)
    others = sum(one.state == "never" for one in stories) - sum(one.state == "never" for one in shown)
    if others:
        yield ""
        yield faint(f"Never in {plural(others, 'other campaign')}; --campaign NAME says why not.")

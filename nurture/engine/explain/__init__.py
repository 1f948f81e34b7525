"""Explain: why a person did, did not, or will get a mail.

The past is told from the ledger, with the values that conditions saw when it was decided; the future by playing
`decide` forward from where she stands; what could change it by the trace of the expression evaluator.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nurture.domain.campaign import Campaign
from nurture.domain.caps import caps_over
from nurture.domain.contact import Contact
from nurture.domain.eligibility import ineligible
from nurture.domain.programme import Programme
from nurture.domain.steps import MailKind
from nurture.domain.timing import zone_of
from nurture.engine.explain.dossier import Dossier, of_contact
from nurture.engine.explain.fact_words import Clock, Told, Written, told
from nurture.engine.explain.outside import why_not
from nurture.engine.explain.place_in_campaign import Place, coming, place, tells
from nurture.engine.explain.stops import cap_line
from nurture.engine.revisions import Applied
from nurture.errors import NurtureError
from nurture.storage.contacts import find
from nurture.storage.database import Database

__all__ = ["CampaignStory", "Explanation", "Place", "Told", "explain", "tell"]

LINES, NEXT = 30, 3


@dataclass(frozen=True, slots=True)
class CampaignStory:
    """One campaign: `state` is inside, left or never. `places` are her enrolments, `outside` why there are none."""

    campaign: str
    state: str
    told: tuple[Told, ...]
    places: tuple[Place, ...] = ()
    outside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say about one person at one moment.

    `tense` is past, now or future: what `at` is to the present. `mailable` and `caps` are empty for a moment of the
    past that nothing was written about. `older` counts lines of the ledger that are not shown.
    """

    contact: Contact
    at: datetime
    tense: str
    zone: str
    zone_is_hers: bool
    mailable: str
    caps: tuple[str, ...]
    lines: tuple[Told, ...]
    older: int
    campaigns: tuple[CampaignStory, ...]
    revision: int

    @property
    def clock(self) -> Clock:
        """Tells instants as this explanation does."""
        return Clock(zone_of(self.zone), self.at)


def explain(
    database: Database,
    applied: Applied,
    name: str,
    now: datetime,
    *,
    campaign: str | None = None,
    step: str | None = None,
    at: datetime | None = None,
    last: int = LINES,
    following: int = NEXT,
) -> Explanation | None:
    """Everything there is to say about one person; None if nobody has that address or id.

    `at` is the moment to tell of, past or future; `last` and `following` are how many lines of the ledger and of what
    comes next. Raises NurtureError for a step that no campaign has or had.
    """
    with database.read() as tx:
        contact = find(tx, name)
        if contact is None:
            return None
        dossier = of_contact(tx, applied, contact, now, last)
    return tell(applied.programme, dossier, campaign=campaign, step=step, at=at, last=last, following=following)


def tell(
    programme: Programme,
    dossier: Dossier,
    *,
    campaign: str | None = None,
    step: str | None = None,
    at: datetime | None = None,
    last: int = LINES,
    following: int = NEXT,
) -> Explanation:
    """The same of a dossier."""
    tense = "now" if at is None or at == dossier.now else "past" if at < dossier.now else "future"
    if at is not None and tense != "now":
        dossier = dossier.at(programme, at)
    _check_step(programme, dossier, campaign, step)
    contact = dossier.contact
    zone = zone_of(contact.zone, programme.zone)
    clock = Clock(zone, dossier.now)
    about = [each for each in dossier.written if _about(each, campaign, step)]
    ahead = coming(programme, dossier)
    names = [campaign] if campaign is not None else _concerned(programme, dossier, step)
    return Explanation(
        contact=contact,
        at=dossier.now,
        tense=tense,
        zone=zone.key,
        zone_is_hers=contact.zone is not None and zone_of(contact.zone).key == contact.zone,
        mailable=_mailable(contact, dossier.now, clock) if dossier.person is not None else "",
        caps=tuple(cap_line(cap, dossier, clock) for cap in caps_over(contact, programme.caps)),
        lines=tuple(told(each, clock, programme, dossier.written) for each in about[-last:]),
        older=max(len(about) - last, 0),
        campaigns=tuple(
            _story(programme, programme.campaigns[one], dossier, ahead, clock, following, step) for one in names
        ),
        revision=programme.revision,
    )


def _concerned(programme: Programme, dossier: Dossier, step: str | None) -> list[str]:
    """All campaigns, or those that have the step."""
    return [
        name
        for name, one in sorted(programme.campaigns.items())
        if step is None
        or step in one.nodes
        or any(w.fact.campaign == name and w.fact.step == step for w in dossier.written)
    ]


def _check_step(programme: Programme, dossier: Dossier, campaign: str | None, step: str | None) -> None:
    if step is None:
        return
    known = {name for one in programme.campaigns.values() if campaign in {None, one.name} for name in one.nodes}
    known |= {
        w.fact.step for w in (*dossier.written, *dossier.after) if w.fact.step and campaign in {None, w.fact.campaign}
    }
    if step in known:
        return
    from difflib import get_close_matches

    near = get_close_matches(step, sorted(known), n=2)
    where = f"{campaign} has no step" if campaign is not None else "no campaign has a step"
    hint = f"did you mean {' or '.join(near)}?" if near else "nurture campaigns show CAMPAIGN lists them"
    raise NurtureError(f"{where} {step!r}; {hint}")


def _about(each: Written, campaign: str | None, step: str | None) -> bool:
    fact = each.fact
    if campaign is not None and fact.campaign not in {campaign, None}:
        return False
    return fact.step == step if step is not None else tells(each)


def _mailable(contact: Contact, now: datetime, clock: Clock) -> str:
    reason = ineligible(contact, MailKind.MARKETING, None, now)
    if reason is None:
        left = f", but not of topic {', '.join(sorted(contact.opted_out))}" if contact.opted_out else ""
        return f"gets marketing mail{left}"
    until = contact.paused_until
    paused = f" until {clock.said(until)}" if until is not None and now < until else ""
    named = f" ({contact.suppressed.value})" if contact.suppressed is not None else ""
    return f"gets no marketing mail: {reason.value.replace('_', ' ')}{named}{paused}"


def _story(
    programme: Programme,
    campaign: Campaign,
    dossier: Dossier,
    ahead: list[Written],
    clock: Clock,
    following: int,
    step: str | None,
) -> CampaignStory:
    inside = dossier.inside(campaign.name)
    lines = tuple(
        told(each, clock, programme, dossier.written) for each in dossier.written if each.fact.campaign == campaign.name
    )
    if inside:
        places = tuple(place(programme, campaign, one, dossier, ahead, clock, following, step) for one in inside)
        return CampaignStory(campaign.name, "inside", lines, places)
    state = "left" if any(each.campaign == campaign.name for each in dossier.enrolments) else "never"
    return CampaignStory(
        campaign.name, state, lines, outside=tuple(why_not(programme, campaign, dossier, ahead, clock))
    )

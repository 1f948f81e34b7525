"""Preview: the mail of any step for an example person or a real one, exactly as it would be built.

Links and return paths are made with a key that is thrown away: whoever clicks one in a preview or a test mail changes
nothing about anybody.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from nurture.domain.campaign import Campaign, CampaignStatus, ManualStart, Offer
from nurture.domain.case import Case
from nurture.domain.contact import Contact
from nurture.domain.delivery import Delivery
from nurture.domain.enrolment import Enrolment, Grant
from nurture.domain.offers import grant
from nurture.domain.snapshot import Snapshot
from nurture.domain.steps import MailKind, Send
from nurture.domain.timing import Duration
from nurture.domain.tokens import Keyring
from nurture.engine.compose import Composed, Composer
from nurture.engine.people import find
from nurture.engine.revisions import Applied
from nurture.errors import NurtureError
from nurture.language.people import Person
from nurture.rendering.message import MessageSigner
from nurture.storage.database import Database
from nurture.storage.reports import enrolments_of
from nurture.storage.snapshots import load_snapshots

LATE = Duration(elapsed=timedelta(days=1), text="1 day")


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that can be looked at: a step of a campaign, or a template that no step sends."""

    campaign: Campaign
    send: Send

    @property
    def name(self) -> str:
        """`abandoned-cart/reminder`; for a template without a step, the template's name."""
        return f"{self.campaign.name}/{self.send.id}" if self.campaign.name else self.send.template


@dataclass(frozen=True, slots=True)
class Somebody:
    """Whom a preview is for. `told` says who she is; `starts` is her start data by campaign, `start` for the others."""

    told: str
    snapshot: Snapshot
    start: Mapping[str, Any] = field(default_factory=dict)
    starts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    enrolments: Mapping[str, Enrolment] = field(default_factory=dict)

    def start_data(self, campaign: str) -> Mapping[str, Any]:
        return self.starts.get(campaign, self.start)

    def fits(self, campaign: str) -> bool:
        """Whether there is data for this very campaign."""
        return campaign in self.starts


@dataclass(frozen=True, slots=True)
class Previewed:
    """`notes` say what would keep this mail from this person, or what was made up for the preview."""

    mail: Mail
    somebody: Somebody
    composed: Composed
    notes: tuple[str, ...]


def mails(applied: Applied) -> list[Mail]:
    """Everything that can be looked at: every step that sends, then the templates that no step does."""
    campaigns = applied.programme.campaigns.values()
    found = [Mail(campaign, send) for campaign in campaigns for send in campaign.sends]
    used = {mail.send.template for mail in found}
    return found + [_alone(name) for name in applied.renderer.names() if name not in used]


def named(applied: Applied, name: str) -> list[Mail]:
    """The mails somebody means: `campaign/step`, a template, a campaign (all its mails), or a step's id.

    Raises NurtureError with the nearest names.
    """
    known = mails(applied)
    if found := [mail for mail in known if name in {mail.name, mail.send.template}]:
        return found[:1]
    if found := [mail for mail in known if mail.campaign.name == name]:
        return found
    if found := [mail for mail in known if mail.send.id == name and mail.campaign.name]:
        if len(found) == 1:
            return found
        raise NurtureError(f"several campaigns have a step {name}: {', '.join(mail.name for mail in found)}")
    raise NurtureError(f"there is no mail {name!r}; {_near(name, known)}")


def _near(name: str, known: Sequence[Mail]) -> str:
    from difflib import get_close_matches

    names = {mail.name for mail in known} | {mail.send.template for mail in known}
    near = get_close_matches(name, sorted(names), n=2)
    return f"did you mean {' or '.join(near)}?" if near else "nurture preview lists them all"


def _alone(template: str) -> Mail:
    """A template without a step, as if it were a service mail."""
    send = Send(id="preview", template=template, kind=MailKind.TRANSACTIONAL, late=LATE)
    campaign = Campaign("", "Preview", None, None, CampaignStatus.DRAFT, 0, ManualStart(), {send.id: send}, send.id)
    return Mail(campaign, send)


def example(applied: Applied, person: Person, now: datetime) -> Somebody:
    """An example person as somebody to write to."""
    programme = applied.programme
    contact = person.contact(now, first_stage=programme.lifecycle.first)
    history: dict[str, list[Any]] = {}
    for event in person.events(now, programme.zone):
        history.setdefault(event.name, []).append(event)
    return Somebody(f"{person.name} (example)", Snapshot(contact, history=history), person.start, person.starts)


def real(database: Database, applied: Applied, name: str, now: datetime) -> Somebody:
    """A real contact, with the data of her newest enrolment in each campaign. Raises NurtureError."""
    with database.read() as tx:
        contact = find(tx, name)
        snapshot = load_snapshots(tx, [contact.id], applied.needs, now)[0]
        enrolments = {enrolment.campaign: enrolment for enrolment in enrolments_of(tx, contact.id)}
    starts = {campaign: enrolment.start for campaign, enrolment in enrolments.items()}
    return Somebody(contact.email or name, snapshot, {}, starts, enrolments)


def best_example(applied: Applied, mail: Mail, now: datetime) -> Somebody:
    """An example person who has data for this campaign; of several the plainest, by her short address.

    Raises NurtureError where there are none.
    """
    people = [example(applied, person, now) for person in applied.compiled.people.values()]
    if not people:
        raise NurtureError("there are no example people; write one in campaigns/people/, or name a contact with --as")
    return min(
        people, key=lambda one: (not one.fits(mail.campaign.name), len(one.snapshot.contact.email or ""), one.told)
    )


def preview(
    applied: Applied,
    mail: Mail,
    somebody: Somebody,
    now: datetime,
    *,
    base_url: str,
    bounce_domain: str | None = None,
    signer: MessageSigner | None = None,
    to: str | None = None,
    mark: str = "",
    keyring: Keyring | None = None,
) -> Previewed:
    """Build the mail, to her own address or `to` another. Raises TemplateError, as the daemon would."""
    contact = somebody.snapshot.contact
    if to is not None:
        contact = replace(contact, email=to)
    notes: list[str] = []
    enrolment = _enrolment(mail, somebody, now)
    _give_offer(applied, mail, somebody, enrolment, now, notes)
    notes += _would_be_skipped(applied, mail, somebody, enrolment, now)
    keyring = keyring or Keyring([secrets.token_hex(32)])
    composer = Composer(keyring, base_url=base_url, bounce_domain=bounce_domain, signer=signer)
    composed = composer.compose(
        applied,
        mail.campaign,
        mail.send,
        contact,
        enrolment,
        _delivery(mail, contact, now),
        now,
        mark=mark,
    )
    return Previewed(mail, somebody, composed, tuple(notes))


def _enrolment(mail: Mail, somebody: Somebody, now: datetime) -> Enrolment:
    known = somebody.enrolments.get(mail.campaign.name)
    if known is not None:
        return replace(known, grants=dict(known.grants))
    name = mail.campaign.name
    return Enrolment(1, name, "", 0, now, start=somebody.start_data(name), node=mail.send.id, since=now)


def _give_offer(
    applied: Applied, mail: Mail, somebody: Somebody, enrolment: Enrolment, now: datetime, notes: list[str]
) -> None:
    name = mail.send.offer
    if name is None:
        return
    granted = grant(Case(applied.programme, somebody.snapshot, now), mail.campaign, enrolment, name)
    if not isinstance(granted, Grant):
        notes.append(
            f"she would not get the offer {name} ({granted.value.replace('_', ' ')}); shown with the last tier"
        )
        granted = _made_up(mail.campaign.offers[name], now)
    enrolment.grants[name] = granted


def _made_up(offer: Offer, now: datetime) -> Grant:
    tier = offer.tiers[-1]
    code = tier.code.partition(":")[2]
    return Grant(offer.name, tier.name, tier.discount, f"{code}-PREVIEW", now, now + offer.expires.approximate)


def _would_be_skipped(
    applied: Applied, mail: Mail, somebody: Somebody, enrolment: Enrolment, now: datetime
) -> list[str]:
    condition = mail.send.condition
    if condition is None:
        return []
    facts = Case(applied.programme, somebody.snapshot, now).facts(enrolment)
    holds = condition.holds(facts)
    if holds:
        return []
    return [f"she would not get it now: {condition.source} is {'unknown' if holds is None else 'false'}"]


def _delivery(mail: Mail, contact: Contact, now: datetime) -> Delivery:
    return Delivery(
        contact_id=contact.id,
        seq=1,
        enrolment=1,
        campaign=mail.campaign.name,
        step=mail.send.id,
        visit=1,
        kind=mail.send.kind,
        template=mail.send.template,
        category=mail.send.category,
        priority=mail.campaign.priority,
        planned_at=now,
        due_at=now,
        not_before=now,
        expires_at=now + timedelta(days=1),
        revision=0,
    )

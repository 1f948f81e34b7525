"""Audience: which of the contacts could get which live mail as things are now, and what it comes out as for each.

She could get a mail when nothing about her forbids it (address, consent, topic, suppression) and either she is inside
the campaign and the mail is still ahead of her, or the campaign's start could take her in and a way through its steps
leads to the mail. What only she or time can change (a condition that asks for events, mails, segments or the clock)
stands in nobody's way; whatever else a condition asks is answered by what is known about her now. Who is outside has
the data of her newest event that starts the campaign, else that of the example person who fits the campaign.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from nurture.domain.campaign import Campaign, CampaignStatus, DateStart, EventStart, SegmentStart
from nurture.domain.case import Case
from nurture.domain.conditions import Condition, Facts
from nurture.domain.contact import Contact
from nurture.domain.eligibility import ineligible
from nurture.domain.enrolment import Enrolment, EnrolmentState, Grant
from nurture.domain.event import NOTHING, Event
from nurture.domain.flow import was_received
from nurture.domain.ledger import Reason
from nurture.domain.needs import SnapshotNeeds
from nurture.domain.offers import grant
from nurture.domain.personal import Links, template_context
from nurture.domain.snapshot import Snapshot
from nurture.domain.steps import Branch, Send
from nurture.engine.preview import Mail, best_example
from nurture.engine.revisions import Applied
from nurture.errors import NurtureError, TemplateError
from nurture.language.checks import ways_on
from nurture.rendering.checks import SIZE_ERROR, SUBJECT_WARNING, reads

RECENT = timedelta(days=30)  # so far back the event is looked for that a campaign could have started with
MOST_TOLD = 20  # different reasons a mail
MOST_KEPT = 100_000  # sizes of mails; many people get the same but for the links
_ADDRESS = re.compile(r"[^\s'\"<>]+@[^\s'\"<>]+")
_LINKS = Links(*(f"https://mail.example/{letter}/{'x' * 43}" for letter in "upvca"))  # as long as real ones


@dataclass(slots=True)
class Found:
    """How many mails it happened to, and the id of the first contact."""

    count: int = 0
    contact_id: int = 0

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, count: int, contact_id: int) -> None:
        self.contact_id = self.contact_id or contact_id
        self.count += count


@dataclass(slots=True)
class Outcome:
    """What one mail comes out as, over everybody: `missing` by what kept it from being made, sizes in bytes of HTML."""

    mails: int = 0
    missing: dict[str, Found] = field(default_factory=dict)
    longest_subject: int = 0
    longest_for: int = 0
    heaviest: int = 0
    heaviest_for: int = 0
    cut_off: Found = field(default_factory=Found)
    too_long: Found = field(default_factory=Found)

    def made(self, contact_id: int, subject: int, weight: int) -> None:
        self.mails += 1
        if subject > self.longest_subject:
            self.longest_subject, self.longest_for = subject, contact_id
        if weight > self.heaviest:
            self.heaviest, self.heaviest_for = weight, contact_id
        if subject > SUBJECT_WARNING:
            self.too_long.add(1, contact_id)
        if weight > SIZE_ERROR:
            self.cut_off.add(1, contact_id)

    def failed(self, contact_id: int, told: str, count: int = 1) -> None:
        told = told if told in self.missing or len(self.missing) < MOST_TOLD else "other reasons"
        self.missing.setdefault(told, Found()).add(count, contact_id)

    @property
    def not_made(self) -> int:
        return sum(each.count for each in self.missing.values())

    def merge(self, other: Outcome) -> None:
        self.mails += other.mails
        for told, found in other.missing.items():
            self.failed(found.contact_id, told, found.count)
        if other.longest_subject > self.longest_subject:
            self.longest_subject, self.longest_for = other.longest_subject, other.longest_for
        if other.heaviest > self.heaviest:
            self.heaviest, self.heaviest_for = other.heaviest, other.heaviest_for
        self.cut_off.add(other.cut_off.count, other.cut_off.contact_id)
        self.too_long.add(other.too_long.count, other.too_long.contact_id)


Outcomes = dict[str, Outcome]  # by the mail's name, campaign/step


def live_mails(applied: Applied) -> dict[str, Mail]:
    """The mails of campaigns that are live, by name, in file order."""
    live = [each for each in applied.programme.campaigns.values() if each.status is CampaignStatus.LIVE]
    found = [Mail(campaign, send) for campaign in live for send in campaign.sends]
    return {mail.name: mail for mail in found}


class Audience:
    """Makes every mail a contact could get. One for each process.

    Mails that say the same of two people are made once, as only their sizes are wanted. Links, addresses and codes of
    the same length count as the same.
    """

    def __init__(self, applied: Applied, now: datetime) -> None:
        self._applied, self._now = applied, now
        self._mails = live_mails(applied)
        self._campaigns = {mail.campaign.name: mail.campaign for mail in self._mails.values()}
        self._examples = {name: self._example(campaign) for name, campaign in self._campaigns.items()}
        self._need_start = {
            mail.send.template: any(
                need.path[0] in {"start", "event"}
                for need in applied.renderer.template(mail.send.template).needs
                if not need.optional
            )
            for mail in self._mails.values()
        }
        self._reads: dict[tuple[str, str], frozenset[tuple[str, str]] | None] = {}
        self._made: dict[Hashable, tuple[int, int] | str] = {}

    @property
    def needs(self) -> SnapshotNeeds:
        """What has to be known of a contact."""
        events = dict(self._applied.needs.events)
        for campaign in self._campaigns.values():
            if isinstance(campaign.start, EventStart):
                back = events.get(campaign.start.event, RECENT)
                events[campaign.start.event] = None if back is None else max(back, RECENT)
        return replace(self._applied.needs, events=events)

    def look(self, snapshot: Snapshot, outcomes: Outcomes) -> None:
        """Make all she could get, and write down in `outcomes` what came of it."""
        case = Case(self._applied.programme, snapshot, self._now)
        for campaign in self._campaigns.values():
            kinds = {send.kind for send in campaign.sends}
            topic, contact = campaign.topic, snapshot.contact
            allowed = {
                kind
                for kind in kinds
                if ineligible(contact, kind, topic, self._now) in {None, Reason.PERSON_PAUSED}  # a pause ends
            }
            for enrolment, is_begun in self._passages(case, campaign) if allowed else ():
                for send in _ahead(case, campaign, enrolment):
                    if send.kind in allowed and (is_begun or not self._need_start[send.template]):
                        name = f"{campaign.name}/{send.id}"
                        self._make(case, campaign, send, enrolment, outcomes.setdefault(name, Outcome()))

    def _passages(self, case: Case, campaign: Campaign) -> Iterator[tuple[Enrolment, bool]]:
        """Her enrolments, or the one that could come; and whether it is known what it begins with."""
        inside = [each for each in case.enrolments if each.campaign == campaign.name]
        inside = [each for each in inside if each.state is EnrolmentState.ACTIVE]
        if inside:
            yield from ((each, True) for each in inside if not each.held_out)
        elif not (campaign.again.never and campaign.name in case.past):
            yield from self._entry(case, campaign)

    def _entry(self, case: Case, campaign: Campaign) -> Iterator[tuple[Enrolment, bool]]:
        start = campaign.start
        if isinstance(start, DateStart) and start.date.value(case.facts()) is None:
            return
        for data in self._start_data(case, campaign):
            facts = case.facts(event=Event(0, "", self._now, data or NOTHING))
            facts.start = facts.event
            if campaign.condition is None or _might(campaign.condition, facts):
                begun = NOTHING if data is None else data
                seq, now = case.contact.next_seq, self._now
                entering = Enrolment(seq, campaign.name, "", 0, now, start=begun, node=campaign.first, since=now)
                yield entering, data is not None
                return

    def _start_data(self, case: Case, campaign: Campaign) -> Iterator[Mapping[str, Any] | None]:
        if isinstance(campaign.start, SegmentStart | DateStart):
            yield NOTHING
            return
        if isinstance(campaign.start, EventStart) and (seen := case.history.get(campaign.start.event)):
            yield seen[-1].properties
        yield self._examples[campaign.name]

    def _example(self, campaign: Campaign) -> Mapping[str, Any] | None:
        try:
            somebody = best_example(self._applied, Mail(campaign, campaign.sends[0]), self._now)
        except NurtureError:
            return None
        return somebody.start_data(campaign.name) if somebody.fits(campaign.name) else None

    def _make(self, case: Case, campaign: Campaign, send: Send, enrolment: Enrolment, outcome: Outcome) -> None:
        granted: Grant | None = None
        if send.offer is not None:
            got = grant(case, campaign, enrolment, send.offer)
            if not isinstance(got, Grant):
                return
            granted = got
        contact = case.contact
        key = self._key(campaign, send, contact, enrolment, granted)
        made = self._made.get(key) if key is not None else None
        if made is None:
            made = self._render(campaign, send, contact, enrolment, granted)
            if key is not None:
                if len(self._made) >= MOST_KEPT:
                    self._made.clear()
                self._made[key] = made
        if isinstance(made, str):
            outcome.failed(contact.id, made)
        else:
            outcome.made(contact.id, *made)

    def _key(
        self, campaign: Campaign, send: Send, contact: Contact, enrolment: Enrolment, granted: Grant | None
    ) -> Hashable:
        """Names all that the mail can say of her: who shares it gets the same. None: that cannot be told."""
        name = (campaign.name, send.id)
        if name not in self._reads:
            self._reads[name] = reads(self._applied.renderer, send.template, send.subject)
        paths = self._reads[name]
        if paths is None:
            return None
        known = {**contact.named(), "email": len(contact.email or "")}
        said: list[Any] = [name, contact.locale, contact.zone, granted and (granted.tier, len(granted.code))]
        for root, path in paths:
            said.append(repr(known.get(path) if root == "contact" else enrolment.start.get(path)))
        return tuple(said)

    def _render(
        self, campaign: Campaign, send: Send, contact: Contact, enrolment: Enrolment, granted: Grant | None
    ) -> tuple[int, int] | str:
        """The length of the subject and the weight of the HTML, or what keeps the mail from being made."""
        programme, renderer = self._applied.programme, self._applied.renderer
        try:
            context = template_context(programme, campaign, send, contact, enrolment.start, granted, _LINKS)
            made = renderer.render(send.template, context, subject=send.subject)
        except TemplateError as error:
            return _ADDRESS.sub("...@...", str(error))
        return len(made.subject), made.html_bytes


def _ahead(case: Case, campaign: Campaign, enrolment: Enrolment) -> Iterator[Send]:
    """The mails that a way from where she stands leads to, as far as can be known now."""
    facts = case.facts(enrolment)
    reached: set[str] = set()
    stands = enrolment.node if enrolment.node in campaign.nodes else campaign.moved.get(enrolment.node or "")
    waiting = [stands]
    while waiting:
        node_id = waiting.pop()
        if node_id is None or node_id in reached or node_id not in campaign.nodes:
            continue
        reached.add(node_id)
        node = campaign.nodes[node_id]
        waiting += _ways(node, facts) if isinstance(node, Branch) else ways_on(node)
        if isinstance(node, Send) and not was_received(enrolment, node):  # noqa: SIM102 - two questions
            if node.condition is None or _might(node.condition, facts):
                yield node


def _ways(node: Branch, facts: Facts) -> Iterator[str | None]:
    for arm in node.arms:
        if arm.condition is None or _might(arm.condition, facts):
            yield arm.target or node.next
            if arm.condition is None or not _is_open(arm.condition):
                return
    yield node.next


def _might(condition: Condition, facts: Facts) -> bool:
    return _is_open(condition) or bool(condition.holds(facts))


def _is_open(condition: Condition) -> bool:
    """Whether what she does, or time alone, may change the answer."""
    needs = condition.needs
    return bool(needs.events or needs.steps or needs.segments or condition.ages)

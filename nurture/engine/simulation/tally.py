"""Counting: the ledger of one person after the other folded into numbers that can be added up in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nurture.domain.delivery import Delivery, DeliveryState
from nurture.domain.enrolment import Enrolment
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.programme import Programme
from nurture.domain.steps import MailKind
from nurture.domain.timing import zone_of
from nurture.engine.resident import Resident

WEEK, DAY, MINUTE = timedelta(days=7), timedelta(days=1), timedelta(minutes=1)
DISCOUNT = "discount"
Count = Counter[Any]


@dataclass(slots=True)
class Tally:
    """What happened to some people. Keys are tuples of names; every number is whole, so that sums are exact."""

    people: int = 0
    turns: int = 0
    events: Count = field(default_factory=Counter)  # name
    stages_before: Count = field(default_factory=Counter)  # stage; none: they came meanwhile
    stages_after: Count = field(default_factory=Counter)  # stage
    moves: Count = field(default_factory=Counter)  # from, to
    campaigns: Count = field(default_factory=Counter)  # campaign, what (enrolled, goal, left:finished, ...)
    steps: Count = field(default_factory=Counter)  # campaign, step, what (sent, ghosted, skipped, ...)
    reasons: Count = field(default_factory=Counter)  # skipped or postponed, campaign, step, reason
    starved: Count = field(default_factory=Counter)  # skipped or postponed, campaign, by campaign
    caps: Count = field(default_factory=Counter)  # skipped or postponed, cap
    days: Count = field(default_factory=Counter)  # day from 0, campaign
    hours: Count = field(default_factory=Counter)  # weekday, hour on people's own clocks
    minutes: Count = field(default_factory=Counter)  # minute from 0
    weeks: Count = field(default_factory=Counter)  # marketing mails in a week of a person
    discounts: Count = field(default_factory=Counter)  # discount mails of a person
    grants: Count = field(default_factory=Counter)  # campaign, offer, tier
    overlaps: Count = field(default_factory=Counter)  # campaign, campaign
    answers: Count = field(default_factory=Counter)  # unsubscribed, complained, bounced
    value: Count = field(default_factory=Counter)  # campaign: value of goals, in hundredths

    def add(self, other: Tally) -> None:
        for each in fields(self):
            mine = getattr(self, each.name)
            theirs = getattr(other, each.name)
            if isinstance(mine, int):
                setattr(self, each.name, mine + theirs)
            else:
                mine.update(theirs)


class Counting:
    """Counts people who lived under one programme, from `begin` to `end`."""

    def __init__(self, programme: Programme, begin: datetime, end: datetime) -> None:
        self.tally = Tally()
        self._begin, self._end = begin, end
        self._programme = programme
        self._zone = zone_of(programme.zone)
        self._first_day = begin.astimezone(self._zone).date()
        self._weeks = (end - begin) // WEEK
        self._discounts = {
            (campaign.name, send.id)
            for campaign in programme.campaigns.values()
            for send in campaign.sends
            if send.offer is not None or send.category == DISCOUNT
        }

    def count(self, person: Resident, arrived: datetime, stage: str | None) -> None:
        """Add a person who was there from `arrived` on, then in `stage` (None: she was new)."""
        tally = self.tally
        tally.people += 1
        tally.stages_before[stage or ""] += 1
        tally.stages_after[person.contact.stage or ""] += 1
        for fact in person.ledger:
            self._fact(fact)
        self._mails(person, arrived)
        self._enrolments(person.all_enrolments)

    def _fact(self, fact: Fact) -> None:
        tally, kind, campaign = self.tally, fact.kind, fact.campaign or ""
        if kind is FactKind.STAGE_MOVED:
            tally.moves[fact.detail.get("from") or "", fact.detail.get("to") or ""] += 1
        elif kind is FactKind.SKIPPED or kind is FactKind.POSTPONED:
            what = kind.value
            reason = fact.reason.value if fact.reason is not None else ""
            tally.reasons[what, campaign, fact.step or "", reason] += 1
            if fact.reason is Reason.CAP:
                self._full(what, campaign, fact)
        elif kind is FactKind.GRANTED:
            tally.grants[campaign, fact.detail.get("offer") or "", fact.detail.get("tier") or ""] += 1
        elif kind in _ANSWERS:
            tally.answers[fact.detail.get("suppression") or kind.value] += 1
        elif kind in _FATES and fact.step is not None:
            tally.steps[campaign, fact.step, kind.value] += 1
        if kind is FactKind.SKIPPED and fact.step is not None:
            tally.steps[campaign, fact.step, kind.value] += 1

    def _full(self, what: str, campaign: str, fact: Fact) -> None:
        self.tally.caps[what, fact.detail.get("cap") or ""] += 1
        for other in {mail["campaign"] for mail in fact.detail.get("filled_by") or ()}:
            self.tally.starved[what, campaign, other] += 1

    def _mails(self, person: Resident, arrived: datetime) -> None:
        tally = self.tally
        zone = zone_of(person.contact.zone, self._programme.zone)
        weeks: Counter[int] = Counter()
        discounts = 0
        for delivery in person.deliveries.values():
            if delivery.state is not DeliveryState.SENT:
                continue
            at = person.at[delivery.seq]
            self._when(delivery, at, zone)
            if delivery.kind is MailKind.MARKETING:
                weeks[(at - self._begin) // WEEK] += 1
            discounts += (delivery.campaign, delivery.step) in self._discounts
        first = -((self._begin - arrived) // WEEK)  # the first week she was there for the whole of
        for week in range(first, self._weeks):
            tally.weeks[weeks[week]] += 1
        tally.discounts[discounts] += 1

    def _when(self, delivery: Delivery, at: datetime, zone: ZoneInfo) -> None:
        local = at.astimezone(zone)
        day = (at.astimezone(self._zone).date() - self._first_day).days
        self.tally.days[day, delivery.campaign] += 1
        self.tally.hours[local.weekday(), local.hour] += 1
        self.tally.minutes[(at - self._begin) // MINUTE] += 1

    def _enrolments(self, enrolments: list[Enrolment]) -> None:
        tally = self.tally
        spans: list[tuple[str, datetime, datetime]] = []
        for each in enrolments:
            tally.campaigns[each.campaign, "enrolled"] += 1
            if each.held_out:
                tally.campaigns[each.campaign, "held_out"] += 1
            if each.goal_at is not None:
                tally.campaigns[each.campaign, "goal"] += 1
                tally.value[each.campaign] += round(100 * (each.goal_value or 0))
            left = each.left_by.value if each.left_by is not None else "inside"
            tally.campaigns[each.campaign, f"left:{left}"] += 1
            spans.append((each.campaign, each.started_at, each.ended_at or self._end))
        tally.overlaps.update(_overlapping(spans))


def _overlapping(spans: list[tuple[str, datetime, datetime]]) -> Iterable[tuple[str, str]]:
    """Each pair of campaigns she was in at one time, once; and each campaign she ever was in, paired with itself."""
    found = {(one[0], one[0]) for one in spans}
    for place, one in enumerate(spans):
        for other in spans[:place]:
            if one[0] != other[0] and one[1] < other[2] and other[1] < one[2]:
                found.add((min(one[0], other[0]), max(one[0], other[0])))
    return found


_ANSWERS = frozenset({FactKind.CONSENT_WITHDRAWN, FactKind.TOPIC_OPTED_OUT, FactKind.SUPPRESSED})
_FATES = frozenset(
    {FactKind.SENT, FactKind.GHOSTED, FactKind.REJECTED, FactKind.EXPIRED, FactKind.UNKNOWN, FactKind.CANCELLED}
)

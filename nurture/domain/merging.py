"""Two contacts turned out to be one: which of their enrolments go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from nurture.domain.campaign import Campaign
from nurture.domain.case import Case
from nurture.domain.enrolment import LeftBy
from nurture.domain.event import Event
from nurture.domain.exits import leave
from nurture.domain.ledger import Reason
from nurture.domain.timing import add

MERGED = "nurture.merged"


def judge_merge(case: Case, event: Event) -> None:
    """As if one person had started all of them: what the campaign would not have let in, she leaves.

    The event lists all enrolments of the two, ended ones too. Of those that cannot stand together the one that has
    mailed stays, else the older.
    """
    rows = event.properties.get("enrolments")
    journeys = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, Sequence) else []
    journeys.sort(key=lambda row: (str(row["campaign"]), not row["mailed"], str(row["at"]), int(row["seq"])))
    for name, group in groupby(journeys, key=lambda row: str(row["campaign"])):
        campaign = case.programme.campaigns.get(name)
        if campaign is not None:
            _judge_campaign(case, campaign, list(group))


def _judge_campaign(case: Case, campaign: Campaign, journeys: Sequence[Mapping[str, Any]]) -> None:
    active = {enrolment.seq: enrolment for enrolment in case.active()}
    kept: list[Mapping[str, Any]] = []
    for row in journeys:
        enrolment = active.get(int(row["seq"]))
        if enrolment is not None and _excluded(case, campaign, row, kept, set(active)):
            leave(case, enrolment, LeftBy.EJECTED, Reason.MERGED)
            continue
        kept.append(row)


def _excluded(
    case: Case, campaign: Campaign, row: Mapping[str, Any], kept: Sequence[Mapping[str, Any]], active: set[int]
) -> bool:
    """Whether the campaign's rules about coming again would have refused this one beside those."""
    if not kept:
        return False
    if campaign.again.never or any(one["key"] == row["key"] and int(one["seq"]) in active for one in kept):
        return True
    if campaign.again.after is None:
        return False
    at = datetime.fromisoformat(row["at"])
    for one in kept:
        first, second = sorted((at, datetime.fromisoformat(one["at"])))
        if second < add(first, campaign.again.after, case.zone, case.programme.calendar):
            return True
    return False

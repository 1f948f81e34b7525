"""Storms of refusals: whoever notes a refusal that is about the sender looks whether there are too many by now.

Then mail to that mailbox provider waits, and the campaign that was refused is paused until somebody lets it go on:
nobody is suppressed, and what waits is not lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.refusals import Refusal, StormRule, paused
from nurture.storage import refusals as rows
from nurture.storage.controls import pause, paused_campaigns
from nurture.storage.database import Database, Transaction

NURTURE = "nurture"  # who paused it


@dataclass(frozen=True, slots=True)
class Storm:
    """What was paused: a mailbox provider (`domain`), or a `campaign`."""

    kind: str
    name: str
    refused: int
    mails: int
    text: str


def look_for_storms(database: Database, rule: StormRule, refused: Sequence[Refusal], now: datetime) -> list[Storm]:
    """What these refusals, noted before, have led to."""
    last = {("domain", each.domain): each for each in refused if each.domain is not None}
    last |= {("campaign", each.campaign): each for each in refused if each.campaign is not None}
    found = []
    for (kind, name), refusal in last.items():
        storm = database.transact(lambda tx: _judge(tx, rule, kind, str(name), refusal, now))  # noqa: B023 - at once
        if storm is not None:
            found.append(storm)
    return found


def _judge(tx: Transaction, rule: StormRule, kind: str, name: str, last: Refusal, now: datetime) -> Storm | None:
    newest = rows.newest_refusals(tx, kind, name, rule.newest, now)
    if len(newest) < rule.newest:
        return None
    mails = rows.mails_since(tx, kind, name, newest[-1], rule.enough)
    if not rule.is_storm(len(newest), mails):
        return None
    storm = Storm(kind, name, len(newest), max(mails, len(newest)), last.text)
    if not (_pause_domain if kind == "domain" else _pause_campaign)(tx, storm, now):
        return None
    _tell(tx, storm, last, now)
    return storm


def _pause_domain(tx: Transaction, storm: Storm, now: datetime) -> bool:
    before = rows.pause_of(tx, storm.name)
    return rows.pause_domain(tx, paused(storm.name, storm.refused, storm.mails, storm.text, now, before))


def _pause_campaign(tx: Transaction, storm: Storm, now: datetime) -> bool:
    if storm.name in paused_campaigns(tx):
        return False
    why = f"{storm.refused} of {storm.mails} mails were refused, the last with: {storm.text}"
    if not pause(tx, storm.name, now, NURTURE, why):
        return False
    rows.forget_refusals(tx, "campaign", storm.name)
    return True


def _tell(tx: Transaction, storm: Storm, last: Refusal, now: datetime) -> None:
    """In the ledger of the person whose mail tipped it: whoever subscribes to such facts hears of it."""
    campaign = last.campaign if storm.kind == "campaign" else None
    detail = {
        "what": storm.name, storm.kind: storm.name, "refused": storm.refused, "mails": storm.mails, "text": storm.text,
    }  # fmt: skip
    fact = Fact(now, FactKind.PAUSED, Reason.SENDER, campaign, detail=detail)
    rows.tell_of_pause(tx, last.contact_id, fact)

"""Explain: why a person did, did not, or will get a mail. Read from the ledger, with the values the conditions saw.

The past is told from what was written down when it was decided, never guessed again; the future from where she stands
and the applied revision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from nurture.domain.campaign import (
    Campaign,
    EventStart,
    EventStop,
    Goal,
    SegmentStart,
    SegmentStop,
    StageStart,
    StageStop,
)
from nurture.domain.contact import Contact
from nurture.domain.delivery import CountedMail
from nurture.domain.eligibility import ineligible
from nurture.domain.enrolment import Enrolment, EnrolmentState
from nurture.domain.ledger import Fact, FactKind
from nurture.domain.programme import Programme
from nurture.domain.steps import MailKind
from nurture.domain.timing import zone_of
from nurture.engine.revisions import Applied
from nurture.storage.contacts import find
from nurture.storage.database import Database, Transaction
from nurture.storage.reports import Line, deliveries_of, enrolments_of, ledger_of
from nurture.storage.snapshots import load_snapshots


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a story: when, what, and the reason with the values that decided."""

    at: datetime
    campaign: str | None
    step: str | None
    what: str
    why: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CampaignStory:
    """Where she stands in one campaign: `state` is inside, left or never; `next` is what comes and when."""

    campaign: str
    state: str
    told: tuple[Told, ...]
    next: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    never: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    contact: Contact
    zone: str
    zone_is_hers: bool
    mailable: str
    caps: tuple[str, ...]
    lines: tuple[Told, ...]
    campaigns: tuple[CampaignStory, ...]
    revision: int


def explain(
    database: Database,
    applied: Applied,
    name: str,
    now: datetime,
    *,
    campaign: str | None = None,
    step: str | None = None,
    last: int = 200,
) -> Explanation | None:
    """Everything there is to say about one person; None if nobody has that address or id."""
    with database.read() as tx:
        contact = find(tx, name)
        if contact is None:
            return None
        lines = ledger_of(tx, contact.id, limit=max(last, 1000))
        enrolments = enrolments_of(tx, contact.id)
        mails = _mails(tx, contact, applied, now)
        states = {record.delivery.seq: record.delivery.state.value for record in deliveries_of(tx, contact.id)}
    programme = applied.programme
    told = [_told(line.fact) for line in lines if _about(line, campaign, step)]
    names = [campaign] if campaign is not None else sorted(programme.campaigns)
    stories = tuple(
        _story(
            programme.campaigns[one],
            contact,
            enrolments,
            lines,
            programme,
            states,
        )
        for one in names
        if one in programme.campaigns
    )
    return Explanation(
        contact=contact,
        zone=zone_of(contact.zone, programme.zone).key,
        zone_is_hers=contact.zone is not None and zone_of(contact.zone).key == contact.zone,
        mailable=_mailable(contact, now),
        caps=tuple(_caps(programme, mails, now)),
        lines=tuple(told[-last:]),
        campaigns=stories,
        revision=applied.number,
    )


def _mails(tx: Transaction, contact: Contact, applied: Applied, now: datetime) -> Sequence[CountedMail]:
    return load_snapshots(tx, [contact.id], applied.needs, now)[0].mails


def _about(line: Line, campaign: str | None, step: str | None) -> bool:
    fact = line.fact
    if campaign is not None and fact.campaign not in {campaign, None}:
        return False
    return step is None or fact.step == step


# --- the past, in words


_WHAT = {
    FactKind.STAGE_MOVED: "moves to stage {to}",
    FactKind.ENROLLED: "enters",
    FactKind.NOT_ENROLLED: "does not enter",
    FactKind.REFRESHED: "start data refreshed",
    FactKind.WENT_ON: "goes on from {step}",
    FactKind.BRANCHED: "takes branch {arm}",
    FactKind.SPLIT: "is in arm {arm} of {split}",
    FactKind.PLANNED: "plans {step}",
    FactKind.GHOSTED: "would send {step} (held out)",
    FactKind.SKIPPED: "skips {step}",
    FactKind.POSTPONED: "holds {step}",
    FactKind.CANCELLED: "cancels {step}",
    FactKind.SENT: "sends {step}",
    FactKind.DEFERRED: "tries {step} again later",
    FactKind.REJECTED: "was refused {step}",
    FactKind.EXPIRED: "lets {step} expire",
    FactKind.UNKNOWN: "does not know whether {step} went",
    FactKind.GRANTED: "gets offer {offer}",
    FactKind.GOAL_REACHED: "reaches the goal",
    FactKind.LEFT: "leaves",
    FactKind.ATTRIBUTE_SET: "attributes set",
    FactKind.RECORDED: "records {event}",
    FactKind.CALLED: "calls webhook {name}",
    FactKind.ALERTED: "alerts {name}",
    FactKind.CONSENT_GRANTED: "consents",
    FactKind.CONSENT_WITHDRAWN: "withdraws consent",
    FactKind.TOPIC_OPTED_OUT: "leaves topic {topic}",
    FactKind.TOPIC_OPTED_IN: "takes topic {topic} again",
    FactKind.SUPPRESSED: "address suppressed ({suppression})",
    FactKind.UNSUPPRESSED: "address free again",
    FactKind.BOUNCED: "{step} came back",
    FactKind.COMPLAINED: "complains about {step}",
    FactKind.MERGED: "became one with a contact that was number {was}",
    FactKind.FAILED: "turn failed",
}


def _told(fact: Fact) -> Told:
    words = {**fact.detail, "step": fact.step or fact.detail.get("step", "")}
    pattern = _WHAT.get(fact.kind, fact.kind.value.replace("_", " "))
    try:
        what = pattern.format_map(words)
    except (KeyError, IndexError):
        what = pattern.partition("{")[0].strip()
    return Told(fact.at, fact.campaign, fact.step, what, _why(fact), dict(fact.detail))


def _why(fact: Fact) -> str:
    detail = fact.detail
    parts = [fact.reason.value.replace("_", " ")] if fact.reason is not None else []
    if "cap" in detail:
        parts.append(f'cap "{detail["cap"]}" filled by {_filled(detail.get("filled_by", ()))}')
    for key, word in (
        ("until", "until"),
        ("room_opens", "room opens"),
        ("deadline", "must be out by"),
        ("again_at", "next"),
    ):
        if key in detail:
            parts.append(f"{word} {detail[key]}")
    if fact.kind is FactKind.LEFT and "left_by" in detail:
        parts.insert(0, str(detail["left_by"]))
    if "event" in detail and detail["event"] and fact.kind is not FactKind.RECORDED:
        parts.append(f"event {detail['event']}")
    if "code" in detail or "text" in detail:
        parts.append(" ".join(str(detail[key]) for key in ("code", "text") if detail.get(key)))
    parts += [_condition(saw) for saw in [*detail.get("condition", ()), *(detail.get("conditions") or ())]]
    if "error" in detail:
        parts.append(str(detail["error"]))
    return "; ".join(part for part in parts if part)


_INSTANTS = (("until", "until"), ("room_opens", "room opens"), ("deadline", "must be out by"), ("again_at", "next"))


def _filled(mails: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{mail.get('campaign')}/{mail.get('step')} at {mail.get('at')}" for mail in mails)


def _condition(saw: dict[str, Any]) -> str:
    value = {True: "true", False: "false", None: "unknown"}.get(saw.get("value"), str(saw.get("value")))
    seen = ", ".join(f"{name} is {what}" for name, what in dict(saw.get("saw") or {}).items())
    return f"{saw.get('text')} is {value}" + (f" ({seen})" if seen else "")


# --- where she stands


def _story(
    campaign: Campaign,
    contact: Contact,
    enrolments: Sequence[Enrolment],
    lines: Sequence[Line],
    programme: Programme,
    states: dict[int, str],
) -> CampaignStory:
    mine = [enrolment for enrolment in enrolments if enrolment.campaign == campaign.name]
    active = [enrolment for enrolment in mine if enrolment.state is EnrolmentState.ACTIVE]
    told = tuple(_told(line.fact) for line in lines if line.fact.campaign == campaign.name)
    if not mine:
        return CampaignStory(campaign.name, "never", told, never=_why_never(campaign, lines))
    if not active:
        return CampaignStory(campaign.name, "left", told)
    zone = zone_of(contact.zone, programme.zone)
    coming = tuple(_coming(enrolment, campaign, zone, states) for enrolment in active)
    return CampaignStory(campaign.name, "inside", told, coming, tuple(_stops(campaign)))


def _coming(enrolment: Enrolment, campaign: Campaign, zone: ZoneInfo, states: dict[int, str]) -> str:
    key = f" [{enrolment.key}]" if enrolment.key else ""
    if enrolment.in_flight is not None:
        return f"{enrolment.node}{key}: the mail is {states.get(enrolment.in_flight, 'planned')}"
    following = campaign.nodes.get(enrolment.node or "")
    lead = f", then {following.next}" if following is not None and following.next else ""
    if enrolment.due_at is None:
        return f"{enrolment.node}{key}: held while the campaign is paused"
    return f"{enrolment.node}{key}: until {enrolment.due_at.astimezone(zone):%a %d %b %H:%M} {zone.key}{lead}"


def _stops(campaign: Campaign) -> list[str]:
    words = ["unsubscribe", *([f"leaving topic {campaign.topic}"] if campaign.topic else [])]
    for stop in campaign.stops:
        match stop:
            case EventStop():
                words.append(f"event {stop.event}" + (f" where {stop.where.source}" if stop.where else ""))
            case StageStop():
                words.append(f"stage {stop.to_stage}")
            case SegmentStop():
                words.append(f"segment {stop.segment}")
    if isinstance(campaign.goal, Goal) and campaign.goal.exits:
        words.append(f"goal {campaign.goal.event}")
    return words


def _why_never(campaign: Campaign, lines: Sequence[Line]) -> str:
    for line in reversed(lines):
        if line.fact.campaign == campaign.name and line.fact.kind is FactKind.NOT_ENROLLED:
            return f"last refused {line.fact.at:%d %b %Y %H:%M} UTC: {_why(line.fact)}"
    match campaign.start:
        case EventStart():
            return f"never had event {campaign.start.event}"
        case StageStart():
            before = " or ".join(sorted(campaign.start.from_stages)) if campaign.start.from_stages else "any stage"
            return f"never moved from {before} to {campaign.start.to_stage}"
        case SegmentStart():
            return f"never entered segment {campaign.start.segment}"
        case _:
            return "its day has not come"


def _mailable(contact: Contact, now: datetime) -> str:
    reason = ineligible(contact, MailKind.MARKETING, None, now)
    if reason is None:
        return "gets marketing mail"
    return f"gets no marketing mail: {reason.value.replace('_', ' ')}"


def _caps(programme: Programme, mails: Sequence[CountedMail], now: datetime) -> list[str]:
    used = []
    for cap in programme.caps:
        inside = [
            mail
            for mail in mails
            if not mail.ghost
            and (cap.category is None or cap.category == mail.category)
            and (mail.at is None or now - cap.per < mail.at <= now)
        ]
        used.append(f"{cap}: {len(inside)} used")
    return used

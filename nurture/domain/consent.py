"""What events say about consent, topics, pauses and addresses: the person's own word, and what her mailbox tells us."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from nurture.domain.case import Case
from nurture.domain.contact import OWN_CAPS, Consent, SuppressionReason
from nurture.domain.enrolment import LeftBy
from nurture.domain.event import Event
from nurture.domain.exits import leave
from nurture.domain.ledger import FactKind, Reason
from nurture.domain.programme import Programme
from nurture.domain.snapshot import ConsentChange
from nurture.domain.steps import MailKind
from nurture.domain.tracking import OPENED, OPENED_BY_MACHINE, TRACKED

UNSUBSCRIBED = "nurture.unsubscribed"
RESUBSCRIBED = "nurture.resubscribed"
BOUNCED = "nurture.bounced"
COMPLAINED = "nurture.complained"
PAUSED = "nurture.paused"  # `until`: ISO 8601 in UTC; without it a pause ends
FEWER_MAILS = "nurture.fewer_mails"  # `days`: one of OWN_CAPS; without it as the sender does
SOFT_BOUNCED = "nurture.soft_bounced"  # came back, but says too little about the address to stop writing to it
REFUSED = "nurture.refused"  # came back for a fault of the sender's side: says nothing about the address


def judge_consent(case: Case, event: Event) -> None:
    topic = _topic(case, event)
    if event.name == UNSUBSCRIBED or event.name in case.programme.consent_withdrawn_by:
        _withdraw(case, event, topic)
    elif event.name == RESUBSCRIBED or event.name in case.programme.consent_granted_by:
        for each in _ticked(case, event) or (topic,):
            _grant(case, event, each)
    elif event.name in {SOFT_BOUNCED, REFUSED}:
        _note_return(case, event)
    elif event.name == BOUNCED:
        _note_return(case, event)
        _suppress(case, SuppressionReason.BOUNCED)
    elif event.name == COMPLAINED:
        _note_return(case, event, FactKind.COMPLAINED)
        _withdraw(case, event, None)
        _suppress(case, SuppressionReason.COMPLAINED)
    elif event.name == PAUSED:
        _pause(case, event)
    elif event.name == FEWER_MAILS:
        _want_fewer(case, event)
    elif event.name in TRACKED:
        _note_tracked(case, event)


def withdrawn_by(programme: Programme) -> frozenset[str]:
    """The events that say no, which a yes that is reported late has to be compared with."""
    return programme.consent_withdrawn_by | {UNSUBSCRIBED, COMPLAINED}


def _topic(case: Case, event: Event) -> str | None:
    """What she says yes or no to; a topic we do not have is all of them, so that no "no" is lost in a rename."""
    topic = event.properties.get("topic")
    return topic if isinstance(topic, str) and topic in case.programme.topics else None


def _ticked(case: Case, event: Event) -> tuple[str, ...]:
    """The topics of a yes that lists several, as a sign-up form does."""
    told = event.properties.get("topics")
    if not isinstance(told, list):
        return ()
    return tuple(each for each in told if isinstance(each, str) and each in case.programme.topics)


def _is_overruled(case: Case, event: Event, topic: str | None) -> bool:
    """Whether she said no after this yes, which comes late: a stop is a stop."""
    return any(
        said_no.at > event.at and _topic(case, said_no) in {None, topic}
        for name in withdrawn_by(case.programme)
        for said_no in case.history.get(name, ())
    )


def _grant(case: Case, event: Event, topic: str | None) -> None:
    if _is_overruled(case, event, topic):
        return
    contact, version = case.contact, case.contact.version + 1
    # A complaint is only lifted by a fresh, proven yes; a dead address stays dead.
    if contact.suppressed in {SuppressionReason.UNSUBSCRIBED, SuppressionReason.COMPLAINED}:
        case.alter(suppressed=None, version=version)
        case.note(FactKind.UNSUPPRESSED, Reason.BY_EVENT, event=event.name)
    if contact.consent is not Consent.GRANTED:
        # Yes to one topic is yes to that one only.
        others = frozenset(case.programme.topics) - {topic} if topic is not None else frozenset()
        case.alter(consent=Consent.GRANTED, opted_out=contact.opted_out | others, version=version)
        case.turn.consents.append(ConsentChange(event.at, True, None, event.id, event.name))
        case.note(FactKind.CONSENT_GRANTED, Reason.BY_EVENT, event=event.name)
    if topic is not None and topic in case.contact.opted_out:
        case.alter(opted_out=case.contact.opted_out - {topic}, version=case.contact.version + 1)
        case.turn.consents.append(ConsentChange(event.at, True, topic, event.id, event.name))
        case.note(FactKind.TOPIC_OPTED_IN, Reason.BY_EVENT, topic=topic)


def _withdraw(case: Case, event: Event, topic: str | None) -> None:
    contact = case.contact
    if topic is not None:
        if topic not in contact.opted_out:
            case.alter(opted_out=contact.opted_out | {topic}, version=contact.version + 1)
            case.turn.consents.append(ConsentChange(event.at, False, topic, event.id, event.name))
            case.note(FactKind.TOPIC_OPTED_OUT, Reason.BY_EVENT, topic=topic)
    elif contact.consent is not Consent.WITHDRAWN:
        case.alter(consent=Consent.WITHDRAWN, version=contact.version + 1)
        case.turn.consents.append(ConsentChange(event.at, False, None, event.id, event.name))
        case.note(FactKind.CONSENT_WITHDRAWN, Reason.BY_EVENT, event=event.name)
    _leave_marketing(case, topic)


def _leave_marketing(case: Case, topic: str | None) -> None:
    """Out of every campaign that has nothing left to say to her."""
    for enrolment in case.active():
        campaign = case.campaign_of(enrolment)
        if campaign is None or (topic is not None and campaign.topic != topic):
            continue
        if campaign.sends and all(send.kind is MailKind.MARKETING for send in campaign.sends):
            leave(case, enrolment, LeftBy.UNSUBSCRIBED, Reason.BY_EVENT, topic=topic)


def _pause(case: Case, event: Event) -> None:
    """No marketing mail until then, by her own wish. What is no instant in UTC pauses nothing."""
    told = event.properties.get("until")
    try:
        until = datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        return
    if until is not None and until.utcoffset() != timedelta(0):
        return
    if case.contact.paused_until != until:
        case.alter(paused_until=until, version=case.contact.version + 1)


def _want_fewer(case: Case, event: Event) -> None:
    """A cap of her own; what cannot be asked for changes nothing."""
    days = event.properties.get("days")
    if days is not None and (type(days) is not int or days not in OWN_CAPS):
        return
    if case.contact.own_cap_days != days:
        case.alter(own_cap_days=days, version=case.contact.version + 1)
        case.freed = True  # what waits for room asks again


def _suppress(case: Case, reason: SuppressionReason) -> None:
    if case.contact.suppressed is None:
        case.alter(suppressed=reason, version=case.contact.version + 1)
        case.note(FactKind.SUPPRESSED, Reason.BY_EVENT, suppression=reason.value)


_KEPT = ("step", "code", "enhanced", "weight", "via")


def _note_return(case: Case, event: Event, kind: FactKind = FactKind.BOUNCED) -> None:
    """Where the relay refused it at once, the ledger has the refusal already."""
    if "via" in event.properties:
        case.note(kind, Reason.BY_EVENT, event=event.name, **_about(event))


def _note_tracked(case: Case, event: Event) -> None:
    """For those who ask later what happened; others than we may tell of clicks, too."""
    told = event.properties
    if isinstance(told.get("delivery"), int):
        kept = {name: told[name] for name in ("campaign", "step", "delivery", "link", "machine") if name in told}
        kind = FactKind.OPENED if event.name in {OPENED, OPENED_BY_MACHINE} else FactKind.CLICKED
        case.note(kind, Reason.BY_EVENT, event=event.name, **kept)


def _about(event: Event) -> dict[str, Any]:
    """What the ledger keeps of it; the mail it is about stands in `campaign` and `delivery`."""
    told = event.properties
    kept: dict[str, Any] = {name: told[name] for name in _KEPT if told.get(name) is not None}
    campaign, delivery = told.get("campaign"), told.get("delivery")
    if isinstance(campaign, str):
        kept["campaign"] = campaign
    if isinstance(delivery, int):
        kept["delivery"] = delivery
    return kept

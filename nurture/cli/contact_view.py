"""A contact as data and as a screen, the same wherever one is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nurture.cli.output import bad, faint, printable, say, show, strong, table, when

if TYPE_CHECKING:
    from nurture.domain.contact import Contact
    from nurture.domain.enrolment import Enrolment
    from nurture.engine.people import Known
    from nurture.storage.reports import DeliveryRecord

MAILS_SHOWN = 10


def contact_data(contact: Contact) -> dict[str, Any]:
    """A contact as plain data, the same in every JSON answer."""
    return {
        "id": contact.id,
        "email": contact.email,
        "external_id": contact.external_id,
        "stage": contact.stage,
        "stage_since": contact.stage_since,
        "consent": contact.consent,
        "opted_out": contact.opted_out,
        "suppressed": contact.suppressed,
        "paused_until": contact.paused_until,
        "own_cap_days": contact.own_cap_days,
        "zone": contact.zone,
        "locale": contact.locale,
        "attributes": dict(contact.attributes),
        "created_at": contact.created_at,
        "due_at": contact.due_at,
    }


def known_data(known: Known) -> dict[str, Any]:
    return {
        **contact_data(known.contact),
        "suppressed": known.suppression.reason if known.suppression else known.contact.suppressed,
        "stages": [dict(change) for change in known.stages],
        "enrolments": [_enrolment_data(each) for each in known.enrolments],
        "mails": [_mail_data(each) for each in known.mails],
    }


def _enrolment_data(enrolment: Enrolment) -> dict[str, Any]:
    return {
        "campaign": enrolment.campaign,
        "key": enrolment.key,
        "state": enrolment.state,
        "at": enrolment.node,
        "since": enrolment.since,
        "started_at": enrolment.started_at,
        "due_at": enrolment.due_at,
        "held_out": enrolment.held_out,
        "left_by": enrolment.left_by,
        "ended_at": enrolment.ended_at,
        "goal_at": enrolment.goal_at,
    }


def _mail_data(record: DeliveryRecord) -> dict[str, Any]:
    mail = record.delivery
    return {
        "campaign": mail.campaign,
        "step": mail.step,
        "template": mail.template,
        "state": mail.state,
        "reason": record.reason,
        "due_at": mail.due_at,
        "settled_at": record.settled_at,
        "tries": record.tries,
    }


def tell_contact(known: Known, default_zone: str) -> None:
    from nurture.domain.timing import zone_of

    contact = known.contact
    zone = zone_of(contact.zone, default_zone)
    show(strong(printable(contact.email or contact.external_id or contact.id)) + faint(f"  number {contact.id}"))
    suppressed = known.suppression.reason if known.suppression else contact.suppressed
    facts: list[tuple[str, str]] = [
        ("your id", printable(contact.external_id)) if contact.external_id else ("", ""),
        ("stage", f"{contact.stage or '-'}, since {when(contact.stage_since, zone)}") if contact.stage else ("", ""),
        ("consent", contact.consent.value),
        ("opted out of", ", ".join(sorted(contact.opted_out))),
        ("suppressed", bad(f"{suppressed.value}: never mailed") if suppressed else ""),
        ("paused until", when(contact.paused_until, zone) if contact.paused_until else ""),
        ("own cap", f"1 per {contact.own_cap_days} days" if contact.own_cap_days else ""),
        ("zone", contact.zone or f"{zone.key}, the project's"),
        ("locale", contact.locale or ""),
        ("here since", when(contact.created_at, zone)),
        ("next look", when(contact.due_at, zone) if contact.due_at else "when something happens"),
    ]
    facts += [(name, printable(value)) for name, value in sorted(contact.attributes.items())]
    width = max(len(name) for name, _ in facts) + 2
    for name, value in facts:
        if value:
            show(f"  {faint(name.ljust(width))}{value}")
    if known.enrolments:
        show()
        rows = [_enrolment_row(each, zone) for each in known.enrolments]
        show(table(("campaign", "since", "stands at", "goes on"), rows))
    if known.mails:
        show()
        rows = [_mail_row(each, zone) for each in known.mails[-MAILS_SHOWN:]]
        show(table(("mail", "state", "when", "reason"), rows))
        if len(known.mails) > MAILS_SHOWN:
            say(faint(f"and {len(known.mails) - MAILS_SHOWN} older ones; --json has them all"))
    say(faint(f"Times in {zone.key}. Why she got what she got: nurture explain {contact.id}"))


def _enrolment_row(enrolment: Enrolment, zone: Any) -> tuple[str, ...]:
    name = enrolment.campaign + (f" ({enrolment.key})" if enrolment.key else "")
    if enrolment.left_by is not None:
        end = f"left by {enrolment.left_by.value}"
        return (name, when(enrolment.started_at, zone), end, when(enrolment.ended_at, zone))
    stands = (enrolment.node or "-") + (", held out" if enrolment.held_out else "")
    return (name, when(enrolment.started_at, zone), stands, when(enrolment.due_at, zone))


def _mail_row(record: DeliveryRecord, zone: Any) -> tuple[str, ...]:
    mail = record.delivery
    at = record.settled_at or mail.not_before
    return (f"{mail.campaign}/{mail.step}", mail.state.value, when(at, zone), record.reason or "")

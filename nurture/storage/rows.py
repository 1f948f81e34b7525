"""Rows into values of the domain, and back. Nothing else knows both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, RowMapping, Select, select

from nurture.domain.contact import Consent, Contact, SuppressionReason
from nurture.domain.delivery import Delivery, DeliveryState
from nurture.domain.enrolment import Enrolment, EnrolmentState, Grant, LeftBy
from nurture.domain.ledger import Fact
from nurture.domain.programme import MailKind
from nurture.storage.addresses import canonical, domain_of
from nurture.storage.tables import contacts, suppressions

_c = contacts.c
TRANSACTIONAL_RANK, LOWEST_RANK = 0, 1_000_000


def select_contacts() -> Select[*tuple[Any, ...]]:
    """Contacts with why they are suppressed, in the order `contact_of` reads."""
    return select(
        _c.id, _c.email, _c.created_at, _c.external_id, _c.attributes, _c.zone, _c.locale, _c.stage, _c.stage_since,
        _c.consent, _c.opted_out, suppressions.c.reason, _c.paused_until, _c.memberships, _c.enrols, _c.next_seq,
        _c.version, _c.due_at,
    ).outerjoin_from(contacts, suppressions, suppressions.c.address_key == _c.address_key)  # fmt: skip


def contact_of(row: Row[*tuple[Any, ...]]) -> Contact:
    (id_, email, created_at, external_id, attributes, zone, locale, stage, stage_since, consent, opted_out, suppressed,
     paused_until, memberships, enrols, next_seq, version, due_at) = row  # fmt: skip
    return Contact(
        id_, email, created_at, external_id, attributes, zone, locale, stage, stage_since, Consent(consent),
        frozenset(opted_out), SuppressionReason(suppressed) if suppressed else None, paused_until, memberships, enrols,
        next_seq, version, due_at,
    )  # fmt: skip


def contact_changes(contact: Contact, before: Contact) -> dict[str, Any]:
    """Parameters of the update after a turn; `was` is the version it was decided on."""
    return {
        "was": before.version,
        "contact": contact.id,
        "attributes": contact.attributes,
        "zone": contact.zone,
        "locale": contact.locale,
        "stage": contact.stage,
        "stage_since": contact.stage_since,
        "consent": contact.consent.value,
        "opted_out": sorted(contact.opted_out),
        "paused_until": contact.paused_until,
        "memberships": contact.memberships,
        "enrols": contact.enrols,
        "next_seq": contact.next_seq,
        "version": max(contact.version, before.version + 1),
        "due_at": contact.due_at,
    }


def enrolment_of(row: RowMapping) -> Enrolment:
    return Enrolment(
        seq=row["seq"],
        campaign=row["campaign"],
        key=row["key"],
        revision=row["revision"],
        started_at=row["started_at"],
        start=row["start"],
        state=EnrolmentState(row["state"]),
        held_out=row["held_out"],
        node=row["node"],
        since=row["since"],
        due_at=row["due_at"],
        planned_for=row["planned_for"],
        in_flight=row["in_flight"],
        passes=row["passes"],
        visits=dict(row["visits"]),
        jumps=dict(row["jumps"]),
        grants={name: grant_of(grant) for name, grant in row["grants"].items()},
        ended_at=row["ended_at"],
        left_by=LeftBy(row["left_by"]) if row["left_by"] else None,
        goal_at=row["goal_at"],
        goal_value=row["goal_value"],
        watch_until=row["watch_until"],
    )


def enrolment_row(contact_id: int, enrolment: Enrolment) -> dict[str, Any]:
    return {
        "contact_id": contact_id,
        "seq": enrolment.seq,
        "campaign": enrolment.campaign,
        "key": enrolment.key,
        "revision": enrolment.revision,
        "started_at": enrolment.started_at,
        "start": enrolment.start,
        "state": enrolment.state.value,
        "held_out": enrolment.held_out,
        "node": enrolment.node,
        "since": enrolment.since,
        "due_at": enrolment.due_at,
        "planned_for": enrolment.planned_for,
        "in_flight": enrolment.in_flight,
        "passes": enrolment.passes,
        "visits": enrolment.visits,
        "jumps": enrolment.jumps,
        "grants": {name: asdict(grant) for name, grant in enrolment.grants.items()},
        "ended_at": enrolment.ended_at,
        "left_by": enrolment.left_by.value if enrolment.left_by else None,
        "goal_at": enrolment.goal_at,
        "goal_value": enrolment.goal_value,
        "watch_until": enrolment.watch_until,
    }


def grant_of(stored: Mapping[str, Any]) -> Grant:
    instants = {name: datetime.fromisoformat(stored[name]) for name in ("granted_at", "expires_at")}
    return Grant(**{**stored, **instants})


def delivery_of(row: RowMapping) -> Delivery:
    return Delivery(
        contact_id=row["contact_id"],
        seq=row["seq"],
        enrolment=row["enrolment"],
        campaign=row["campaign"],
        step=row["step"],
        visit=row["visit"],
        kind=MailKind(row["kind"]),
        template=row["template"],
        category=row["category"],
        priority=row["priority"],
        planned_at=row["planned_at"],
        due_at=row["due_at"],
        not_before=row["not_before"],
        expires_at=row["expires_at"],
        revision=row["revision"],
        state=DeliveryState(row["state"]),
    )


def delivery_row(delivery: Delivery, email: str | None) -> dict[str, Any]:
    """A new row. One that is settled at birth (a ghost) has been seen by the turn that made it."""
    settled = delivery.state.is_settled
    return {
        "contact_id": delivery.contact_id,
        "seq": delivery.seq,
        "enrolment": delivery.enrolment,
        "campaign": delivery.campaign,
        "step": delivery.step,
        "visit": delivery.visit,
        "kind": delivery.kind.value,
        "template": delivery.template,
        "category": delivery.category,
        "priority": delivery.priority,
        "rank": rank_of(delivery.kind, delivery.priority),
        "domain": _domain(email),
        "planned_at": delivery.planned_at,
        "due_at": delivery.due_at,
        "not_before": delivery.not_before,
        "expires_at": delivery.expires_at,
        "revision": delivery.revision,
        "state": delivery.state.value,
        "settled_at": delivery.planned_at if settled else None,
        "acknowledged": settled,
    }


def rank_of(kind: MailKind, priority: int) -> int:
    """Lower goes first: what somebody is waiting for, then by the campaign's priority."""
    return TRANSACTIONAL_RANK if kind is MailKind.TRANSACTIONAL else LOWEST_RANK - priority


def _domain(email: str | None) -> str | None:
    try:
        return domain_of(canonical(email)) if email else None
    except ValueError:
        return None


def fact_row(contact_id: int, fact: Fact, revision: int) -> dict[str, Any]:
    return {
        "contact_id": contact_id,
        "at": fact.at,
        "kind": fact.kind.value,
        "reason": fact.reason.value if fact.reason else None,
        "campaign": fact.campaign,
        "enrolment": fact.enrolment,
        "step": fact.step,
        "delivery": fact.delivery,
        "detail": fact.detail,
        "revision": revision,
    }

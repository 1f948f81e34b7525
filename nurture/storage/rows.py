"""Rows into values of the domain, and back. Nothing else knows both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter, is_
from typing import Any

from sqlalchemy import RowMapping, Select, select

from nurture.domain.contact import Consent, Contact, SuppressionReason
from nurture.domain.delivery import Delivery, DeliveryState
from nurture.domain.enrolment import Enrolment, EnrolmentState, Grant, LeftBy
from nurture.domain.event import NOTHING
from nurture.domain.ledger import Fact
from nurture.domain.mailbox_providers import provider_of
from nurture.domain.steps import MailKind
from nurture.storage.addresses import canonical, domain_of
from nurture.storage.bulk import Insert, Values
from nurture.storage.tables import contacts, ledger, suppressions

_c = contacts.c
TRANSACTIONAL_RANK, LOWEST_RANK = 0, 1_000_000

# Members by value, without the detour that calling an enumeration takes
_CONSENTS = {each.value: each for each in Consent}
_ENROLMENT_STATES = {each.value: each for each in EnrolmentState}
DELIVERY_STATES = {each.value: each for each in DeliveryState}
_MAIL_KINDS = {each.value: each for each in MailKind}
_NONE: frozenset[str] = frozenset()


def select_contacts() -> Select[*tuple[Any, ...]]:
    """Contacts with why they are suppressed, in the order `contact_of` reads."""
    return select(
        _c.id, _c.email, _c.created_at, _c.external_id, _c.attributes, _c.zone, _c.locale, _c.stage, _c.stage_since,
        _c.consent, _c.opted_out, suppressions.c.reason, _c.paused_until, _c.own_cap_days, _c.memberships,
        _c.enrols, _c.next_seq, _c.version, _c.due_at,
    ).outerjoin_from(contacts, suppressions, suppressions.c.address_key == _c.address_key)  # fmt: skip


def contact_of(row: Sequence[Any]) -> Contact:
    (id_, email, created_at, external_id, attributes, zone, locale, stage, stage_since, consent, opted_out, suppressed,
     paused_until, own_cap_days, memberships, enrols, next_seq, version, due_at) = row  # fmt: skip
    return Contact(
        id_, email, created_at, external_id, attributes, zone, locale, stage, stage_since, _CONSENTS[consent],
        frozenset(opted_out) if opted_out else _NONE, SuppressionReason(suppressed) if suppressed else None,
        paused_until, own_cap_days, memberships, enrols, next_seq, version, due_at,
    )  # fmt: skip


# What every turn may change, and what few do
COUNTERS = ("next_seq", "version", "due_at")
PERSON = ("attributes", "zone", "locale", "stage", "stage_since", "consent", "opted_out", "paused_until",
          "own_cap_days", "memberships", "enrols")  # fmt: skip
CONTACT_KEY = ("id", "version")


def counters_row(contact: Contact, before: Contact) -> Values:
    """`COUNTERS`, then her key: the version is the one she was decided on."""
    version = max(contact.version, before.version + 1)
    return contact.next_seq, version, contact.due_at, contact.id, before.version


def person_row(contact: Contact, before: Contact) -> Values:
    """`PERSON`, then `counters_row`."""
    return (
        contact.attributes,
        contact.zone,
        contact.locale,
        contact.stage,
        contact.stage_since,
        contact.consent._value_,
        sorted(contact.opted_out),
        contact.paused_until,
        contact.own_cap_days,
        contact.memberships,
        contact.enrols,
        *counters_row(contact, before),
    )


def is_same_person(contact: Contact, before: Contact) -> bool:
    """Whether nothing but the counters was touched."""
    return all(map(is_, _person(contact), _person(before)))


_person = attrgetter(*PERSON)


def enrolment_of(row: RowMapping) -> Enrolment:
    """From a whole row of the table."""
    return read_enrolment(tuple(row.values()))


def read_enrolment(row: Sequence[Any]) -> Enrolment:
    """From all columns in the order of the table."""
    (_, seq, campaign, key, revision, started_at, start, state, held_out, node, since, due_at, planned_for, in_flight,
     passes, visits, jumps, grants, ended_at, left_by, goal_at, goal_value, watch_until) = row  # fmt: skip
    return Enrolment(
        seq, campaign, key, revision, started_at, start, _ENROLMENT_STATES[state], held_out, node, since, due_at,
        planned_for, in_flight, passes, dict(visits), dict(jumps),
        {name: grant_of(grant) for name, grant in grants.items()}, ended_at, LeftBy(left_by) if left_by else None,
        goal_at, goal_value, watch_until,
    )  # fmt: skip


ENROLMENT_KEY = ("contact_id", "seq")
FOUNDED = ("campaign", "key", "revision", "started_at", "held_out")  # how an enrolment began: never changed
JOURNEY = ("start", "state", "node", "since", "due_at", "planned_for", "in_flight", "passes", "visits", "jumps",
           "grants", "ended_at", "left_by", "goal_at", "goal_value", "watch_until")  # fmt: skip
ENROLMENT = (*FOUNDED, *JOURNEY, *ENROLMENT_KEY)


def enrolment_row(contact_id: int, enrolment: Enrolment) -> Values:
    """A new row, in the order of `ENROLMENT`."""
    return (
        enrolment.campaign,
        enrolment.key,
        enrolment.revision,
        enrolment.started_at,
        enrolment.held_out,
        *journey_row(contact_id, enrolment),
    )


def journey_row(contact_id: int, enrolment: Enrolment) -> Values:
    """What may have changed, in the order of `JOURNEY`, then the key."""
    grants = enrolment.grants
    return (
        enrolment.start,
        enrolment.state._value_,
        enrolment.node,
        enrolment.since,
        enrolment.due_at,
        enrolment.planned_for,
        enrolment.in_flight,
        enrolment.passes,
        enrolment.visits,
        enrolment.jumps,
        {name: grant_row(grant) for name, grant in grants.items()} if grants else NOTHING,
        enrolment.ended_at,
        enrolment.left_by._value_ if enrolment.left_by else None,
        enrolment.goal_at,
        enrolment.goal_value,
        enrolment.watch_until,
        contact_id,
        enrolment.seq,
    )


def grant_of(stored: Mapping[str, Any]) -> Grant:
    return Grant(
        stored["offer"],
        stored["tier"],
        stored["discount"],
        stored["code"],
        datetime.fromisoformat(stored["granted_at"]),
        datetime.fromisoformat(stored["expires_at"]),
    )


def grant_row(grant: Grant) -> dict[str, Any]:
    return {
        "offer": grant.offer,
        "tier": grant.tier,
        "discount": grant.discount,
        "code": grant.code,
        "granted_at": grant.granted_at.isoformat(),
        "expires_at": grant.expires_at.isoformat(),
    }


# What a delivery is made of, in the order `read_delivery` reads
WHOLE_DELIVERY = (
    "contact_id", "seq", "enrolment", "campaign", "step", "visit", "kind", "template", "category", "priority",
    "planned_at", "due_at", "not_before", "expires_at", "revision", "state",
)  # fmt: skip


def delivery_of(row: RowMapping) -> Delivery:
    """From a row of the table, whole or in part."""
    return read_delivery([row[name] for name in WHOLE_DELIVERY])


def read_delivery(row: Sequence[Any]) -> Delivery:
    """From the columns `WHOLE_DELIVERY`."""
    (contact_id, seq, enrolment, campaign, step, visit, kind, template, category, priority, planned_at, due_at,
     not_before, expires_at, revision, state) = row  # fmt: skip
    return Delivery(
        contact_id, seq, enrolment, campaign, step, visit, _MAIL_KINDS[kind], template, category, priority, planned_at,
        due_at, not_before, expires_at, revision, DELIVERY_STATES[state],
    )  # fmt: skip


DELIVERY = (
    "contact_id", "seq", "enrolment", "campaign", "step", "visit", "kind", "template", "category", "priority", "rank",
    "domain", "planned_at", "due_at", "not_before", "expires_at", "revision", "state", "settled_at", "acknowledged",
    "epoch", "attempts", "tries", "unknowns",
)  # fmt: skip


def delivery_row(delivery: Delivery, email: str | None) -> Values:
    """A new row, in the order of `DELIVERY`. One settled at birth (a ghost) was seen by the turn that made it."""
    settled = delivery.state.is_settled
    return (
        delivery.contact_id,
        delivery.seq,
        delivery.enrolment,
        delivery.campaign,
        delivery.step,
        delivery.visit,
        delivery.kind._value_,
        delivery.template,
        delivery.category,
        delivery.priority,
        rank_of(delivery.kind, delivery.priority),
        _domain(email),
        delivery.planned_at,
        delivery.due_at,
        delivery.not_before,
        delivery.expires_at,
        delivery.revision,
        delivery.state._value_,
        delivery.planned_at if settled else None,
        settled,
        0,
        0,
        0,
        0,
    )


def rank_of(kind: MailKind, priority: int) -> int:
    """Lower goes first: what somebody is waiting for, then by the campaign's priority."""
    return TRANSACTIONAL_RANK if kind is MailKind.TRANSACTIONAL else LOWEST_RANK - priority


def _domain(email: str | None) -> str | None:
    """What mails are paced by: the provider, who may stand behind several domains."""
    try:
        return _provider(domain_of(canonical(email))) if email else None
    except ValueError:
        return None


_provider = lru_cache(maxsize=10_000)(provider_of)


FACT = (
    "contact_id", "at", "kind", "reason", "campaign", "enrolment", "step", "delivery", "detail", "revision"
)  # fmt: skip


def fact_values(contact_id: int, fact: Fact, revision: int) -> Values:
    """A row of the ledger, in the order of `FACT`."""
    return (
        contact_id,
        fact.at,
        fact.kind._value_,
        fact.reason._value_ if fact.reason is not None else None,
        fact.campaign,
        fact.enrolment,
        fact.step,
        fact.delivery,
        fact.detail,
        revision,
    )


INSERT_LEDGER = Insert(ledger, FACT)


def fact_row(contact_id: int, fact: Fact, revision: int) -> dict[str, Any]:
    """The same by name."""
    return dict(zip(FACT, fact_values(contact_id, fact, revision), strict=True))

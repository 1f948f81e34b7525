"""Offers: the first tier whose condition holds is granted, once per enrolment, and stays the same in later steps."""

from __future__ import annotations

from nurture.domain.campaign import Campaign, Offer, Tier
from nurture.domain.case import Case
from nurture.domain.chance import unique_code
from nurture.domain.enrolment import Enrolment, Grant
from nurture.domain.ledger import FactKind, Reason
from nurture.domain.timing import add


def grant(case: Case, campaign: Campaign, enrolment: Enrolment, name: str) -> Grant | Reason:
    """The grant she has or gets now, or why the offer cannot be made. Nothing is recorded yet: see `keep`."""
    held = enrolment.grants.get(name)
    if held is not None:
        return held if held.expires_at > case.now else Reason.OFFER_EXPIRED
    offer = campaign.offers[name]
    facts = case.facts(enrolment)
    for tier in offer.tiers:
        if tier.condition is None or tier.condition.holds(facts):
            return _granted(case, enrolment, offer, tier)
    return Reason.NO_OFFER_TIER


def keep(case: Case, enrolment: Enrolment, granted: Grant, step: str) -> None:
    """Record a grant that goes out with a mail."""
    if granted.offer not in enrolment.grants:
        enrolment.grants[granted.offer] = granted
        case.touch(enrolment)
        case.note(
            FactKind.GRANTED,
            enrolment=enrolment,
            step=step,
            offer=granted.offer,
            tier=granted.tier,
            discount=granted.discount,
            expires_at=granted.expires_at,
        )


def _granted(case: Case, enrolment: Enrolment, offer: Offer, tier: Tier) -> Grant:
    kind, _, text = tier.code.partition(":")
    code = (
        unique_code(case.programme.seed, text, case.contact.id, enrolment.seq, offer.name) if kind == "unique" else text
    )
    expires_at = add(case.now, offer.expires, case.zone, case.programme.calendar)
    return Grant(offer.name, tier.name, tier.discount, code, case.now, expires_at)

"""Who may get what kind of mail: the whole table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from nurture.domain.contact import Consent, Contact, SuppressionReason
from nurture.domain.eligibility import ineligible
from nurture.domain.steps import MailKind

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ANA = Contact(id=1, email="ana@people.example", created_at=NOW, consent=Consent.GRANTED)


@pytest.mark.parametrize(
    ("changes", "marketing", "transactional"),
    [
        ({}, None, None),
        ({"email": None}, "no_address", "no_address"),
        ({"email": ""}, "no_address", "no_address"),
        ({"consent": Consent.NONE}, "no_consent", None),
        ({"consent": Consent.WITHDRAWN}, "no_consent", None),
        ({"opted_out": frozenset({"tips"})}, "topic_opted_out", None),
        ({"opted_out": frozenset({"offers"})}, None, None),
        ({"suppressed": SuppressionReason.UNSUBSCRIBED}, "suppressed", None),
        ({"suppressed": SuppressionReason.BOUNCED}, "suppressed", "suppressed"),
        ({"suppressed": SuppressionReason.COMPLAINED}, "suppressed", "suppressed"),
        ({"suppressed": SuppressionReason.ERASED}, "suppressed", "suppressed"),
        ({"suppressed": SuppressionReason.MANUAL}, "suppressed", "suppressed"),
        ({"paused_until": NOW + timedelta(seconds=1)}, "person_paused", None),
        ({"paused_until": NOW}, None, None),
    ],
)
def test_who_may_get_what(changes: dict[str, object], marketing: str | None, transactional: str | None) -> None:
    contact = replace(ANA, **changes)
    assert ineligible(contact, MailKind.MARKETING, "tips", NOW) == marketing
    assert ineligible(contact, MailKind.TRANSACTIONAL, "tips", NOW) == transactional

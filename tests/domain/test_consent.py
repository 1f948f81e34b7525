"""Yes and no: to all marketing mail, to a topic, late and in the wrong order; and what the mailbox says."""

from __future__ import annotations

import pytest

from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.ledger import FactKind
from nurture.testing.worlds import Life, programme

STEPS = "start: {event: X}\nsteps:\n  - wait: 1 day\n  - {id: one, send: a/one}\n"
MIXED = STEPS + "  - {id: receipt, send: a/receipt, kind: transactional}\n"


def inside(text: str = STEPS, **columns: object) -> Life:
    life = Life(programme(text), **columns)
    life.event("X")
    return life


@pytest.mark.parametrize("event", ["nurture.unsubscribed", "Newsletter Unsubscribed", "nurture.complained"])
def test_a_no_ends_every_campaign_that_has_only_marketing_to_say(event: str) -> None:
    life = inside()
    life.event(event)
    life.until("+5 days")
    assert (life.steps, life.left_by) == ([], ["unsubscribed"])
    assert life.person.contact.consent is Consent.WITHDRAWN
    assert [(each.granted, each.topic, each.source) for each in life.person.consents] == [(False, None, event)]


def test_a_no_skips_marketing_where_transactional_mail_follows() -> None:
    life = inside(MIXED)
    life.event("nurture.unsubscribed")
    life.until("+5 days")
    assert life.steps == ["receipt"]
    assert life.reasons(FactKind.SKIPPED, "one") == ["no_consent"]


def test_a_no_to_a_topic_is_a_no_to_that_topic_only() -> None:
    tips, offers = STEPS, STEPS.replace("one", "two") + "campaign: d\ntopic: offers\n"
    life = Life(programme(tips, offers))
    life.event("X")
    life.event("nurture.unsubscribed", topic="offers")
    life.until("+5 days")
    assert life.steps == ["one"]
    assert sorted(life.left_by) == ["finished", "unsubscribed"]
    life.event("X")
    life.until("+5 days")
    assert life.reasons(FactKind.SKIPPED, "two") == ["topic_opted_out"]


@pytest.mark.parametrize("topic", ["spring sale", ["tips"], {"a": 1}, 7])
def test_a_no_to_something_we_do_not_know_is_a_no_to_everything(topic: object) -> None:
    life = inside()
    life.event("nurture.unsubscribed", topic=topic)
    assert life.person.contact.consent is Consent.WITHDRAWN
    assert life.person.contact.opted_out == frozenset()


def test_nobody_is_mailed_without_a_yes() -> None:
    life = inside(consent=Consent.NONE)
    life.until("+5 days")
    assert (life.steps, life.reasons(FactKind.SKIPPED)) == ([], ["no_consent"])


def test_a_yes_is_a_recorded_fact_and_lets_mail_go() -> None:
    life = inside(consent=Consent.NONE)
    life.event("Newsletter Subscribed")
    life.until("+5 days")
    assert life.steps == ["one"]
    assert [(each.granted, each.source) for each in life.person.consents] == [(True, "Newsletter Subscribed")]


def test_a_yes_to_one_topic_is_no_yes_to_the_others() -> None:
    life = Life(programme(STEPS), consent=Consent.WITHDRAWN)
    life.event("nurture.resubscribed", topic="tips")
    assert (life.person.contact.consent, life.person.contact.opted_out) == (Consent.GRANTED, frozenset({"offers"}))
    life.event("nurture.resubscribed", topic="offers")
    assert life.person.contact.opted_out == frozenset()
    assert len(life.facts(FactKind.TOPIC_OPTED_IN)) == 1


@pytest.mark.parametrize(
    ("no", "yes", "consent"),
    [
        ({}, {}, Consent.WITHDRAWN),
        ({}, {"topic": "tips"}, Consent.WITHDRAWN),
    ],
)
def test_a_yes_reported_after_a_later_no_changes_nothing(
    no: dict[str, str], yes: dict[str, str], consent: Consent
) -> None:
    life = Life(programme(STEPS), consent=Consent.NONE)
    life.event("nurture.unsubscribed", **no)
    life.until("+1 hour")
    life.event("Newsletter Subscribed", "-2 hours", **yes)
    assert life.person.contact.consent is consent
    life.event("Newsletter Subscribed")
    assert life.person.contact.consent is Consent.GRANTED


def test_a_no_to_one_topic_does_not_overrule_an_older_yes_to_all_but_it_stands() -> None:
    life = Life(programme(STEPS), consent=Consent.NONE)
    life.event("nurture.unsubscribed", topic="offers")
    life.event("Newsletter Subscribed", "-2 hours")
    assert (life.person.contact.consent, life.person.contact.opted_out) == (Consent.GRANTED, frozenset({"offers"}))


def test_a_no_reported_late_is_still_a_no() -> None:
    life = inside()
    life.event("nurture.unsubscribed", "-5 hours")
    assert life.person.contact.consent is Consent.WITHDRAWN


def test_yes_and_no_of_the_same_turn_are_taken_in_order() -> None:
    life = Life(programme(STEPS), consent=Consent.NONE)
    life.world.post(1, "nurture.unsubscribed", life.start, happened=life.when("-1 hour"))
    life.event("Newsletter Subscribed")
    assert life.person.contact.consent is Consent.GRANTED


@pytest.mark.parametrize(
    ("event", "reason", "receipt"),
    [
        ("nurture.bounced", SuppressionReason.BOUNCED, False),
        ("nurture.complained", SuppressionReason.COMPLAINED, False),
    ],
)
def test_an_address_that_bounces_or_complains_gets_nothing_at_all(
    event: str, reason: SuppressionReason, receipt: bool
) -> None:
    life = inside(MIXED)
    life.event(event)
    life.until("+5 days")
    assert life.person.contact.suppressed is reason
    assert ("receipt" in life.steps) is receipt
    assert life.reasons(FactKind.SKIPPED) == ["suppressed", "suppressed"]


@pytest.mark.parametrize(
    ("suppressed", "after"),
    [
        (SuppressionReason.UNSUBSCRIBED, None),
        (SuppressionReason.COMPLAINED, None),
        (SuppressionReason.BOUNCED, SuppressionReason.BOUNCED),
        (SuppressionReason.ERASED, SuppressionReason.ERASED),
        (SuppressionReason.MANUAL, SuppressionReason.MANUAL),
    ],
)
def test_a_fresh_yes_lifts_what_a_person_said_and_not_what_a_mailbox_or_operator_said(
    suppressed: SuppressionReason, after: SuppressionReason | None
) -> None:
    life = Life(programme(STEPS), suppressed=suppressed)
    life.event("Newsletter Subscribed")
    assert life.person.contact.suppressed is after


def test_a_mail_on_its_way_is_dropped_when_the_no_comes_first() -> None:
    from nurture.engine.simulate import relay_down

    life = Life(
        programme(MIXED.replace("  - wait: 1 day\n", "")), post=relay_down(Life(programme(STEPS)).when("+5 hours"))
    )
    life.event("X")
    life.until("+1 hour")
    life.event("nurture.unsubscribed")
    life.until("+1 day")
    assert life.steps == ["receipt"]
    assert life.reasons(FactKind.SKIPPED, "one") == ["no_consent"]


def test_a_campaign_without_any_mail_goes_on_after_a_no() -> None:
    life = inside("start: {event: X}\nsteps:\n  - wait: 1 day\n  - alert: care\n")
    life.event("nurture.unsubscribed")
    life.until("+2 days")
    assert [each.name for each in life.person.outgoing] == ["care"]


def test_her_own_pause_skips_marketing_until_it_is_over() -> None:
    life = Life(programme(MIXED))
    life.world.change(1, paused_until=life.when("+3 days"))
    life.event("X")
    life.until("+2 days")
    assert (life.steps, life.reasons(FactKind.SKIPPED)) == (["receipt"], ["person_paused"])
    life.until("+5 days")
    life.event("X")
    life.until("+2 days")
    assert "one" in life.steps

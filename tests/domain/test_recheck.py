"""The last look before a mail is built."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.delivery import Delivery, DeliveryState
from nurture.domain.needs import needs_of
from nurture.domain.recheck import Dropped, NotNow, Proceed, recheck
from nurture.engine.simulate import relay_down
from nurture.testing.worlds import Life, programme

SEND = "id: one, send: a/one, if: contact.vip == True, late: drop after 1 day"
TEXT = "start: {event: X}\nstop: {segment: cold}\nsteps:\n  - {" + SEND + "}\n"
COLD = {"cold": "days_since(last('X')) >= 2"}
QUIET = "quiet_hours: 21:00-08:00\n"
RULES = programme(TEXT, project=QUIET, segments=COLD)


def waiting(rules: Any = RULES, **columns: Any) -> Life:
    """A mail is planned at nine and the relay is down."""
    far = Life(RULES).when("+90 days")
    life = Life(rules, post=relay_down(far), **{"attributes": {"vip": True}, **columns})
    life.event("X")
    return life


def mail(life: Life) -> Delivery:
    return life.person.deliveries[2]


def look(life: Life, at: datetime | None = None, paused: frozenset[str] = frozenset()) -> Proceed | NotNow | Dropped:
    now = at or life.world.now
    needs = needs_of(life.world.programme)
    life.person.look_back(needs)  # the programme may be another than the one she lived under
    snapshot = life.person.snapshot(needs, now, paused)
    return recheck(life.world.programme, snapshot, mail(life), now)


def test_what_is_still_so_proceeds_with_its_campaign_step_and_enrolment() -> None:
    life = waiting()
    found = look(life)
    assert isinstance(found, Proceed)
    assert (found.campaign.name, found.send.id, found.enrolment.seq) == ("c", "one", 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"suppressed": SuppressionReason.MANUAL}, "suppressed"),
        ({"consent": Consent.NONE}, "no_consent"),
        ({"opted_out": frozenset({"tips"})}, "topic_opted_out"),
        ({"email": None}, "no_address"),
        ({"attributes": {"vip": False}}, "condition_false"),
        ({"attributes": {}}, "condition_unknown"),
    ],
)
def test_what_has_changed_about_her_skips_it(change: dict[str, Any], reason: str) -> None:
    life = waiting()
    life.person.contact = replace(life.person.contact, **change)
    found = look(life)
    assert isinstance(found, Dropped)
    assert (found.state, found.reason) == (DeliveryState.SKIPPED, reason)


def test_past_its_window_it_expires() -> None:
    life = waiting()
    at_the_limit = look(life, mail(life).expires_at)
    assert isinstance(at_the_limit, Proceed)
    found = look(life, mail(life).expires_at + timedelta(microseconds=1))
    assert isinstance(found, Dropped)
    assert (found.state, found.reason) == (DeliveryState.EXPIRED, "late")


def test_in_quiet_hours_it_waits_for_the_morning_and_keeps_its_slot() -> None:
    life = waiting()
    assert look(life, life.when("2026-03-02 22:00")) == NotNow(life.when("2026-03-03 08:00"), "quiet_hours")


def test_it_expires_when_the_morning_is_too_late() -> None:
    life = waiting(programme(TEXT.replace("1 day", "14 hours"), project=QUIET, segments=COLD))
    found = look(life, life.when("2026-03-02 22:00"))
    assert isinstance(found, Dropped)
    assert (found.state, found.reason) == (DeliveryState.EXPIRED, "quiet_hours")


def test_a_paused_campaign_is_asked_again_later_and_always_later() -> None:
    life = waiting()
    for at in (life.world.now, mail(life).expires_at):
        found = look(life, at, frozenset({"c"}))
        assert isinstance(found, NotNow)
        assert found.until > at
        assert found.reason == "campaign_paused"


def test_who_has_left_gets_nothing() -> None:
    life = waiting()
    life.person.enrolments[0].state = life.person.enrolments[0].state.ENDED
    found = look(life)
    assert isinstance(found, Dropped)
    assert (found.state, found.reason) == (DeliveryState.CANCELLED, "left_campaign")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("campaign: d\nstart: {event: X}\nsteps:\n  - {id: two, send: a/two}\n", "campaign_gone"),
        ("start: {event: X}\nsteps:\n  - {id: two, send: a/two}\n", "moved_by_edit"),
    ],
)
def test_what_an_edit_took_away_is_cancelled(text: str, reason: str) -> None:
    life = waiting()
    life.world.programme = programme(text, previous=RULES)
    found = look(life)
    assert isinstance(found, Dropped)
    assert (found.state, found.reason) == (DeliveryState.CANCELLED, reason)


def test_a_renamed_step_proceeds_under_its_new_name() -> None:
    life = waiting()
    life.world.programme = programme(
        "start: {event: X}\nsteps:\n  - {id: uno, send: a/uno, was: one}\n", previous=RULES
    )
    found = look(life)
    assert isinstance(found, Proceed)
    assert (found.send.id, found.send.template) == ("uno", "a/uno")


def test_a_segment_that_stops_is_seen_here_even_before_her_next_turn() -> None:
    life = waiting(programme(TEXT.replace("1 day", "5 days"), project=QUIET, segments=COLD))
    assert isinstance(look(life, life.when("2026-03-04 08:59")), Proceed)
    found = look(life, life.when("2026-03-04 09:01"))
    assert isinstance(found, Dropped)
    assert (found.state, found.reason) == (DeliveryState.CANCELLED, "stop_segment")


def test_an_offer_that_ran_out_on_the_way_is_not_mailed() -> None:
    offer = "offers:\n  o: {expires: 2 hours, discount: 5%, code: 'fixed:A'}\n"
    life = waiting(programme(offer + TEXT.replace("a/one,", "a/one, offer: o,"), segments=COLD))
    assert isinstance(look(life, life.when("+1 hour")), Proceed)
    found = look(life, life.when("+2 hours"))
    assert isinstance(found, Dropped)
    assert (found.state, found.reason) == (DeliveryState.SKIPPED, "offer_expired")

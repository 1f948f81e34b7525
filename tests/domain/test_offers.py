"""Offers: the first tier that fits, once, the same in every later mail, and never after it expired."""

from __future__ import annotations

import pytest

from nurture.domain.ledger import FactKind
from nurture.testing.worlds import Life, programme

OFFER = """\
offers:
  thanks:
    expires: 5 days
    tiers:
      - {name: gold, if: start.size > 10, discount: 20%, code: "unique:GOLD"}
      - {name: silver, if: start.size > 5, discount: 10%, code: "fixed:SILVER"}
start: {event: X}
steps:
  - {id: one, send: a/one, offer: thanks, category: discount}
  - wait: WAIT
  - {id: two, send: a/two, offer: thanks, category: discount}
"""


def given(size: object, wait: str = "2 days", text: str = OFFER) -> Life:
    life = Life(programme(text.replace("WAIT", wait)))
    life.event("X", size=size)
    life.until("+30 days")
    return life


@pytest.mark.parametrize(("size", "tier"), [(11, "gold"), (10, "silver")])
def test_the_first_tier_that_fits_is_granted(size: int, tier: str) -> None:
    life = given(size)
    assert [fact.detail["tier"] for fact in life.facts(FactKind.GRANTED)] == [tier]
    assert life.steps == ["one", "two"]


@pytest.mark.parametrize("size", [5, None, "11"])
def test_whom_no_tier_fits_gets_no_mail_about_it(size: object) -> None:
    life = given(size)
    assert (life.steps, life.reasons(FactKind.SKIPPED)) == ([], ["no_offer_tier", "no_offer_tier"])
    assert life.enrolments[0].grants == {}


def test_a_grant_stays_the_same_for_the_whole_passage() -> None:
    life = given(11)
    grant = life.enrolments[0].grants["thanks"]
    assert life.local(grant.granted_at) == "2026-03-02 09:00"
    assert life.local(grant.expires_at) == "2026-03-07 09:00"
    assert grant.code.startswith("GOLD-")
    assert len(life.facts(FactKind.GRANTED)) == 1


def test_an_expired_offer_is_not_reminded_of() -> None:
    life = given(11, "6 days")
    assert (life.steps, life.reasons(FactKind.SKIPPED)) == (["one"], ["offer_expired"])


def test_unique_codes_differ_from_person_to_person_and_passage_to_passage() -> None:
    life = Life(programme(OFFER.replace("WAIT", "1 hour").replace("{event: X}", "{event: X, key: event.key}")))
    for key in range(3):
        life.event("X", size=11, key=key)
    codes = {each.grants["thanks"].code for each in life.enrolments}
    assert len(codes) == 3


def test_a_postponed_offer_begins_to_run_when_its_mail_goes() -> None:
    caps = "caps: [{max: 1, per: 2 days}]\n"
    other = "campaign: d\npriority: 99\nstart: {event: X}\nsteps:\n  - {id: d, send: a/d}\n"
    life = Life(programme(OFFER.replace("WAIT", "9 days"), other, project=caps))
    life.event("X", size=11)
    life.until("+5 days")
    grant = life.person.all_enrolments[0].grants["thanks"]
    assert life.sent == ["2026-03-02 09:00 d", "2026-03-04 09:00 one"]
    assert (life.local(grant.granted_at), life.local(grant.expires_at)) == ("2026-03-04 09:00", "2026-03-09 09:00")


def test_waits_branches_and_conditions_know_the_offer_in_hand() -> None:
    steps = OFFER.replace("  - wait: WAIT\n", """\
  - wait_until: offer.expires_at - 1 day
  - branch:
      - if: used('thanks')
        do: [end]
""").replace("{id: two, ", "{id: two, if: offer.tier == 'gold', ")  # fmt: skip
    life = given(11, text=steps)
    assert life.sent == ["2026-03-02 09:00 one", "2026-03-06 09:00 two"]
    life = Life(programme(steps))
    life.event("X", size=11)
    life.event("Order Completed", total=9, code=life.enrolments[0].grants["thanks"].code)
    life.until("+30 days")
    assert life.steps == ["one"]


def test_a_stop_can_be_about_the_code_she_was_given() -> None:
    life = Life(
        programme("stop: {event: Order Completed, where: event.code == offer.code}\n" + OFFER.replace("WAIT", "2 days"))
    )
    life.event("X", size=6)
    life.event("Order Completed", total=9, code="OTHER")
    assert life.left_by == ["inside"]
    life.event("Order Completed", total=9, code="SILVER")
    assert life.left_by == ["stop"]

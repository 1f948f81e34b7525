"""Claims, outcomes and rescue: what becomes of a delivery, and who may say so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.retry import Attempt, Phase
from nurture.domain.steps import MailKind
from nurture.storage import reports
from nurture.storage.deliveries import Hold, in_flight_by_domain, release
from nurture.storage.outcomes import Outcome, Rescued, record_outcomes, rescue
from nurture.storage.tables import deliveries, enrolments

World = Any
ACCEPTED = Attempt(Phase.DONE, 250, "2.0.0", "queued")


def record(world: World, claim: Any, state: DeliveryState, owner: str = "me", **more: Any) -> bool:
    with world.database.write() as tx:
        outcome = Outcome(*claim.key, more.pop("epoch", claim.epoch), state, world.now, **more)
        return bool(record_outcomes(tx, [outcome], owner, world.now))


def column(world: World, name: str) -> list[Any]:
    with world.database.read() as tx:
        return list(
            tx.execute(select(deliveries.c[name]).order_by(deliveries.c.contact_id, deliveries.c.seq)).scalars()
        )


def test_claims_go_by_kind_then_priority_then_time(world: World) -> None:
    person = world.person()
    world.plan(person, step="late", priority=50, not_before=world.now - timedelta(hours=1))
    world.plan(person, step="early", priority=50, not_before=world.now - timedelta(hours=2))
    world.plan(person, step="low", priority=10, not_before=world.now - timedelta(hours=9))
    world.plan(person, step="high", priority=90)
    world.plan(person, step="receipt", priority=0, kind=MailKind.TRANSACTIONAL)
    world.plan(person, step="tomorrow", priority=99, not_before=world.now + timedelta(days=1))
    first = [claim.delivery.step for claim in world.claim(limit=2)]
    assert [*first, *(claim.delivery.step for claim in world.claim())] == ["receipt", "high", "early", "late", "low"]
    assert world.claim() == []


def test_the_newest_may_be_asked_for_and_kinds_and_priorities_still_go_first(world: World) -> None:
    for hours in (3, 1, 2, 4):
        person = world.person(f"p{hours}@full.example")
        world.plan(person, step=f"h{hours}", not_before=world.now - timedelta(hours=hours))
    world.plan(world.person("z@free.example"), step="high", priority=90, not_before=world.now - timedelta(hours=9))
    assert [claim.delivery.step for claim in world.claim(limit=2, newest=True, per_domain=3)] == ["high", "h1"]
    assert [claim.delivery.step for claim in world.claim(limit=2, newest=True, per_domain=3)] == ["h2", "h3"]


def test_one_whose_rows_cannot_be_read_is_put_off_alone_and_the_ledger_says_why(world: World) -> None:
    """As a newer version may have written them."""
    people = [world.person(f"p{number}@people.example") for number in range(4)]
    plans = [world.plan(person) for person in people]
    with world.database.write() as tx:
        odd = {"grants": {"spring": {"offer": "spring"}}}
        tx.execute(update(enrolments).where(enrolments.c.contact_id == people[1]).values(odd))
    told: list[Any] = []
    claims = world.claim(on_unread=lambda key, error: told.append((key, type(error))))
    assert [claim.contact.id for claim in claims] == [people[0], *people[2:]]
    assert told == [((people[1], plans[1].seq), KeyError)]
    assert world.states() == ["claimed", "planned", "claimed", "claimed"]
    with world.database.read() as tx:
        failed = [line.fact for line in reports.ledger_of(tx, people[1]) if line.fact.kind is FactKind.FAILED]
    assert [(fact.step, fact.delivery, fact.reason) for fact in failed] == [("reminder", plans[1].seq, Reason.ERROR)]
    assert world.claim() == []
    with world.database.write() as tx:
        tx.execute(update(enrolments).values(grants={}))
    world.now += timedelta(hours=1)
    assert [claim.contact.id for claim in world.claim("another")] == [people[1]]


def test_a_claim_brings_everything_its_mail_is_made_of(world: World) -> None:
    person = world.person()
    delivery = world.plan(person, category="discount")
    (claim,) = world.claim()
    assert claim.delivery.state is DeliveryState.CLAIMED
    assert (claim.delivery.category, claim.key) == ("discount", (person, delivery.seq))
    assert claim.contact == world.snapshot(person).contact
    assert claim.enrolment.start == {"cart": delivery.enrolment}
    assert (claim.epoch, claim.tries, claim.unknowns, claim.domain) == (1, 0, 0, "example.com")


def test_a_domain_gets_no_more_than_it_may_over_all_daemons(world: World) -> None:
    for place, email in enumerate(["a@full.example", "b@full.example", "c@full.example", "d@free.example"]):
        world.plan(world.person(email), not_before=world.now - timedelta(minutes=9 - place))
    assert [claim.contact.email for claim in world.claim(limit=3, per_domain=2)] == [
        "a@full.example", "b@full.example", "d@free.example",
    ]  # fmt: skip
    assert world.claim(owner="another", per_domain=2) == []
    assert [claim.contact.email for claim in world.claim(owner="another", per_domain=3)] == ["c@full.example"]
    with world.database.read() as tx:
        assert in_flight_by_domain(tx) == {"free.example": 1, "full.example": 3}


def test_a_full_domain_at_the_head_of_the_queue_holds_nobody_up(world: World) -> None:
    for number in range(12):
        world.plan(world.person(f"p{number}@full.example"), not_before=world.now - timedelta(hours=1))
    world.plan(world.person("last@free.example"))
    claims = world.claim(limit=3, per_domain=1)
    assert [claim.domain for claim in claims] == ["full.example", "free.example"]


def test_mails_of_people_with_unjudged_events_wait_for_their_turn(world: World) -> None:
    person = world.person()
    world.plan(person)
    world.tell("Order Completed")
    assert world.claim() == []
    world.turn(person)
    assert len(world.claim()) == 1


def test_a_mail_past_its_time_is_handed_out_to_be_settled(world: World) -> None:
    world.plan(world.person(), expires_at=world.now)
    world.now += timedelta(hours=1)
    (claim,) = world.claim()
    assert record(world, claim, DeliveryState.EXPIRED, reason=Reason.LATE)
    assert world.states() == ["expired"]


def test_a_sent_mail_keeps_what_the_relay_said_and_wakes_its_person(world: World) -> None:
    person = world.person()
    delivery = world.plan(person)
    (claim,) = world.claim()
    world.gate([claim])
    fact = Fact(world.now, FactKind.SENT, Reason.ACCEPTED, "cart", claim.enrolment.seq, "reminder", delivery.seq)
    assert record(world, claim, DeliveryState.SENT, attempt=ACCEPTED, uses_try=True, facts=(fact,))
    assert world.due() == [person]
    with world.database.read() as tx:
        (kept,) = reports.deliveries_of(tx, person)
        assert [line.fact for line in reports.ledger_of(tx, person)] == [fact]
    assert (kept.delivery.state, kept.settled_at, kept.gated_at) == (DeliveryState.SENT, world.now, world.now)
    assert [(try_["no"], try_["phase"], try_["code"], try_["text"]) for try_ in kept.attempts] == [
        (1, "done", 250, "queued")
    ]
    assert not record(world, claim, DeliveryState.SENT), "an outcome is recorded once"


def test_a_deferred_mail_waits_and_counts_its_tries(world: World) -> None:
    world.plan(world.person())
    greylisted = Attempt(Phase.RCPT, 451, "4.7.1", "come back")
    for number, minutes in enumerate((5, 10), 1):
        (claim,) = world.claim()
        assert (claim.tries, claim.epoch) == (number - 1, number)
        later = world.now + timedelta(minutes=minutes)
        assert record(world, claim, DeliveryState.DEFERRED, not_before=later, attempt=greylisted, uses_try=True)
        assert world.claim() == []
        assert world.due() == []  # the person has nothing to decide
        world.now = later
    with world.database.read() as tx:
        assert [try_["no"] for try_ in reports.deliveries_of(tx, 1)[0].attempts] == [1, 2]


def test_nothing_is_sent_or_unknown_that_was_not_gated(world: World) -> None:
    world.plan(world.person())
    (claim,) = world.claim()
    for state in (DeliveryState.SENT, DeliveryState.UNKNOWN):
        assert not record(world, claim, state)
    assert world.states() == ["claimed"]


@pytest.mark.parametrize("change", [{"owner": "somebody else"}, {"epoch": 99}])
def test_whoever_lost_the_claim_can_no_longer_say_anything(world: World, change: dict[str, Any]) -> None:
    world.plan(world.person())
    (claim,) = world.claim()
    world.gate([claim])
    assert not record(world, claim, DeliveryState.SENT, attempt=ACCEPTED, **change)
    assert world.states() == ["gated"]


def test_a_claim_given_back_goes_again_as_it_was(world: World) -> None:
    world.plan(world.person())
    (claim,) = world.claim()
    later = world.now + timedelta(minutes=1)
    with world.database.write() as tx:
        assert release(tx, [Hold(*claim.key, claim.epoch)], "somebody else") == 0
        assert release(tx, [Hold(*claim.key, claim.epoch)], "me", not_before=later) == 1
    assert world.states() == ["planned"]
    assert world.claim() == []
    world.now = later
    (again,) = world.claim()
    assert again.epoch == claim.epoch + 1


def test_the_dead_are_rescued_and_the_living_left_alone(world: World) -> None:
    person = world.person()
    for step, kind in (("unsent", "marketing"), ("lost", "marketing"), ("receipt", "transactional")):
        world.plan(person, step=step, kind=MailKind(kind))
    claims = {claim.delivery.step: claim for claim in world.claim()}
    world.gate([claims["lost"], claims["receipt"]])
    with world.database.write() as tx:
        assert rescue(tx, world.now) == Rescued((), (), ())
    world.now += timedelta(minutes=1)
    with world.database.write() as tx:
        rescued = rescue(tx, world.now)
    assert rescued == Rescued((claims["unsent"].key,), (claims["lost"].key,), (claims["receipt"].key,))
    assert world.states() == ["planned", "unknown", "deferred"]
    assert world.due() == [person]
    assert [mail.at for mail in world.snapshot(person).mails] == [None, world.now]  # lost counts as sent, from now
    assert [claim.delivery.step for claim in world.claim()] == ["unsent"]
    assert not record(world, claims["lost"], DeliveryState.SENT, attempt=ACCEPTED), "a zombie changes nothing"


def test_a_receipt_whose_fate_is_lost_is_sent_once_more_and_only_once(world: World) -> None:
    world.plan(world.person(), kind=MailKind.TRANSACTIONAL)
    first = world.now
    for expected in ("deferred", "unknown"):
        (claim,) = world.claim()
        world.gate([claim])
        world.now += timedelta(minutes=1)
        with world.database.write() as tx:
            rescue(tx, world.now)
        assert world.states() == [expected]
        world.now += timedelta(minutes=15)
    assert column(world, "first_gated_at") == [first]
    assert column(world, "unknowns") == [2]
    assert world.claim() == []
    with world.database.read() as tx:
        assert [line.fact.reason for line in reports.ledger_of(tx, 1)] == [Reason.CRASHED, Reason.CRASHED]


def test_a_lost_reply_counts_even_where_the_mail_will_go_again(world: World) -> None:
    world.plan(world.person(), kind=MailKind.TRANSACTIONAL)
    (claim,) = world.claim()
    world.gate([claim])
    later = world.now + timedelta(minutes=15)
    assert record(world, claim, DeliveryState.DEFERRED, not_before=later, lost=True)
    world.now = later
    assert [claim.unknowns for claim in world.claim()] == [1]


def test_a_mail_that_waits_has_nothing_to_tell_its_person(world: World) -> None:
    person = world.person()
    world.plan(person)
    (claim,) = world.claim()
    assert record(world, claim, DeliveryState.PLANNED, not_before=world.now + timedelta(hours=1))
    assert (world.states(), world.due()) == (["planned"], [])

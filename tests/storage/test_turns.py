from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.delivery import CountedMail, DeliveryState
from nurture.domain.enrolment import Enrolment, EnrolmentState, Grant, LeftBy, PastEnrolment
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.needs import SnapshotNeeds
from nurture.domain.snapshot import ConsentChange, Outgoing, Recorded, StageChange, Turn
from nurture.domain.steps import MailKind
from nurture.errors import ConflictError
from nurture.storage import controls, reports
from nurture.storage.faults import DatabaseFault, Fault
from nurture.storage.outcomes import Outcome, record_outcomes
from nurture.storage.queue import claim_due
from nurture.storage.snapshots import MOST_EVENTS, load_snapshots
from nurture.storage.tables import consents, due
from nurture.storage.turns import write_turns

World = Any
NOTHING = SnapshotNeeds()


def finish(world: World, claim: Any, state: DeliveryState = DeliveryState.SENT) -> None:
    world.gate([claim])
    outcome = Outcome(*claim.key, claim.epoch, state, world.now, Reason.ACCEPTED)
    with world.database.write() as tx:
        assert record_outcomes(tx, [outcome], "me", world.now) == {claim.key}


def test_a_person_comes_back_as_she_was_written(world: World) -> None:
    person = world.person()
    changes: dict[str, Any] = {
        "attributes": {"first_name": "Ána", "tags": ["a", "b"], "n": 1.5}, "zone": "Europe/Berlin", "locale": "de",
        "stage": "purchase", "stage_since": world.now, "consent": Consent.WITHDRAWN,
        "opted_out": frozenset({"tips", "offers"}), "paused_until": world.now + timedelta(days=3),
        "own_cap_days": 14, "memberships": {"loyal": True, "new": False}, "enrols": False,
        "due_at": world.now + timedelta(hours=1),
    }  # fmt: skip
    before = world.turn(person, **changes).contact
    after = world.snapshot(person).contact
    assert after == replace(before, version=after.version, **changes)
    assert after.version > before.version


def test_an_enrolment_comes_back_as_it_was_written_and_written_again(world: World) -> None:
    person = world.person()
    grant = Grant("welcome", "gold", "10%", "CODE-1", world.now, world.now + timedelta(days=14))
    enrolment = Enrolment(
        1, "cart", "c1", 3, world.now, {"items": [{"sku": "x"}]}, node="wait>reminder", since=world.now,
        due_at=world.now + timedelta(hours=1), visits={"a": 1}, jumps={"b": 2}, grants={"welcome": grant}, passes=2,
    )  # fmt: skip
    world.turn(person, enrolments=[enrolment], next_seq=2)
    assert list(world.snapshot(person).enrolments) == [enrolment]
    enrolment.state, enrolment.node, enrolment.due_at = EnrolmentState.ENDED, None, None
    enrolment.left_by, enrolment.ended_at, enrolment.goal_at, enrolment.goal_value = (
        LeftBy.GOAL,
        world.now,
        world.now,
        9.5,
    )
    enrolment.watch_until = world.now + timedelta(days=5)
    world.turn(person, enrolments=[enrolment])
    assert list(world.snapshot(person).enrolments) == [enrolment]  # ended, and still watched for its goal
    world.now += timedelta(days=5, seconds=1)
    assert list(world.snapshot(person).enrolments) == []
    assert world.snapshot(person).past == {"cart": PastEnrolment("cart", enrolment.started_at, 1)}


def test_history_reaches_back_as_far_as_it_is_asked_to(world: World) -> None:
    for days, name in ((40, "Viewed"), (20, "Viewed"), (40, "Order Completed"), (1, "Ignored")):
        world.tell(name, at=world.now - timedelta(days=days), days=days)
    needs = SnapshotNeeds(events={"Viewed": timedelta(days=30), "Order Completed": None, "Never": timedelta(days=99)})
    assert world.snapshot(1, needs).history == {}  # nothing is history before a turn has processed it
    assert [event.properties["days"] for event in world.snapshot(1, needs).pending] == [40, 40, 20, 1]
    world.turn(1)
    seen = world.snapshot(1, needs)
    assert seen.pending == []
    assert {name: [event.properties["days"] for event in found] for name, found in seen.history.items()} == {
        "Viewed": [20],
        "Order Completed": [40],
    }


def test_a_flood_of_events_is_worked_off_in_several_turns(world: World) -> None:
    from nurture.storage.events import Arrival, store_events
    from nurture.storage.identities import Identity

    who = Identity(email="ana@example.com")
    flood = [
        Arrival(who=who, name="Viewed", at=world.now, source="shop", message_id=str(n)) for n in range(MOST_EVENTS + 1)
    ]
    with world.database.write() as tx:
        store_events(tx, flood, world.now)
    assert len(world.turn(1).pending) == MOST_EVENTS
    assert world.due() == [1]
    assert len(world.turn(1).pending) == 1
    assert world.due() == []


def test_mails_count_from_when_they_went_and_pending_ones_as_now(world: World) -> None:
    person = world.person()
    world.plan(person, step="sent", category="discount")
    (claim,) = world.claim()
    world.now += timedelta(minutes=1)
    world.now -= timedelta(seconds=30)
    finish(world, claim)
    sent_at = world.now
    world.plan(person, step="planned")
    world.plan(person, step="ghost", state=DeliveryState.GHOST)
    world.plan(person, step="receipt", kind=MailKind.TRANSACTIONAL)
    mails = world.snapshot(person).mails
    assert mails == [
        CountedMail(sent_at, "discount", "cart", "sent"),
        CountedMail(None, None, "cart", "planned"),
        CountedMail(world.now, None, "cart", "ghost", ghost=True),
    ]
    world.now += timedelta(days=31)
    assert [mail.step for mail in world.snapshot(person).mails] == ["planned"]


def test_a_gated_mail_counts_and_a_rejected_one_does_not(world: World) -> None:
    person = world.person()
    world.plan(person)
    (claim,) = world.claim()
    world.gate([claim])
    assert [mail.at for mail in world.snapshot(person).mails] == [None]
    with world.database.write() as tx:
        record_outcomes(tx, [Outcome(*claim.key, claim.epoch, DeliveryState.REJECTED, world.now)], "me", world.now)
    assert world.snapshot(person).mails == []


def test_an_ended_mail_is_shown_to_exactly_one_turn(world: World) -> None:
    person = world.person()
    delivery = world.plan(person)
    (claim,) = world.claim()
    finish(world, claim)
    assert world.due() == [person]
    seen = world.turn(person).settled
    assert [(each.seq, each.enrolment, each.state, each.at) for each in seen] == [
        (delivery.seq, delivery.enrolment, DeliveryState.SENT, world.now)
    ]
    assert world.snapshot(person).settled == []


def test_received_is_the_last_time_a_step_was_sent(world: World) -> None:
    person = world.person()
    for _ in range(2):
        world.now += timedelta(days=1)
        world.plan(person)
        finish(world, world.claim()[0])
        world.turn(person)
    needs = SnapshotNeeds(received=frozenset({("cart", "reminder"), ("cart", "other")}))
    assert world.snapshot(person, needs).received == {("cart", "reminder"): world.now}


def test_an_exit_cancels_what_has_not_passed_its_gate_and_says_so(world: World) -> None:
    person = world.person()
    gone, stopped = world.plan(person, step="gone"), world.plan(person, step="stopped")
    first = next(claim for claim in world.claim() if claim.delivery.step == "gone")
    world.gate([first])
    world.turn(person, cancelled=[gone.seq, stopped.seq])
    assert world.states() == ["gated", "cancelled"]
    with world.database.read() as tx:
        lines = [line.fact for line in reports.ledger_of(tx, person)]
    assert [(fact.kind, fact.step, fact.delivery) for fact in lines] == [(FactKind.CANCELLED, "stopped", stopped.seq)]
    assert world.snapshot(person).settled == []  # the turn that cancelled it knows


def test_everything_else_a_turn_says_is_written(world: World) -> None:
    person = world.person()
    world.turn(
        person,
        stages=[StageChange(world.now, None, "awareness", 1)],
        consents=[ConsentChange(world.now, True, None, 1, "Signed Up")],
        recorded=[Recorded("Reminder Seen", world.now, {"n": 1}), Recorded("Reminder Seen", world.now, {"n": 2})],
        outgoing=[Outgoing("webhook", "crm", world.now, {"a": 1})],
        facts=[Fact(world.now, FactKind.ENROLLED, Reason.ON_EVENT, "cart", 1, "a", None, {"until": world.now})],
    )
    with world.database.read() as tx:
        assert reports.stages_of(tx, person) == [
            {"at": world.now, "from_stage": None, "to_stage": "awareness", "event_id": 1}
        ]
        assert tx.execute(select(consents.c.granted, consents.c.source)).all() == [(True, "Signed Up")]
        (line,) = reports.ledger_of(tx, person)
    assert line.fact.detail == {"until": world.now.isoformat()}
    assert [event.properties for event in world.snapshot(person).pending] == [{"n": 1}, {"n": 2}]
    assert world.due() == [person]  # to judge the events of our own


def test_a_suppression_of_a_turn_is_written_and_lifted_again(world: World) -> None:
    person = world.person()
    world.turn(person, suppressed=SuppressionReason.UNSUBSCRIBED)
    assert world.snapshot(person).contact.suppressed is SuppressionReason.UNSUBSCRIBED
    world.turn(person, suppressed=None)
    assert world.snapshot(person).contact.suppressed is None


def test_her_own_row_in_the_queue_moves_with_her(world: World) -> None:
    person = world.person()
    for hours in (5, 1, 3):
        world.turn(person, due_at=world.now + timedelta(hours=hours))
    with world.database.read() as tx:
        assert tx.execute(select(due.c.at, due.c.contact_id)).all() == [(world.now + timedelta(hours=3), person)]
    world.now += timedelta(hours=3)
    assert world.due() == [person]
    world.turn(person, due_at=None)
    with world.database.read() as tx:
        assert tx.execute(select(due)).all() == []


def test_the_queue_gives_out_the_longest_waiting_first_and_each_once(world: World) -> None:
    people = [world.person(f"p{n}@example.com") for n in range(5)]
    for hours, person in zip((5, 4, 3, 2, 1), people, strict=True):
        world.turn(person, due_at=world.now + timedelta(hours=hours))
    world.now += timedelta(hours=4)
    with world.database.write() as tx:
        assert claim_due(tx, world.now, 2) == sorted(people[-2:])
    with world.database.write() as tx:
        assert claim_due(tx, world.now, 10) == sorted(people[1:3])
        assert claim_due(tx, world.now, 10) == []


def test_a_turn_that_dies_leaves_the_queue_as_it_was(world: World) -> None:
    world.tell("Viewed")

    def dies() -> None:
        with world.database.write() as tx:
            assert claim_due(tx, world.now, 10) == [1]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        dies()
    assert world.due() == [1]


def test_a_turn_decided_on_an_old_snapshot_is_refused_whole(world: World) -> None:
    person = world.person()
    old = world.snapshot(person)
    world.turn(person, stage="purchase")
    with pytest.raises(ConflictError, match="changed while"), world.database.write() as tx:
        write_turns(tx, [(old, Turn(replace(old.contact, stage="lost")))], world.now, 1)
    assert world.snapshot(person).contact.stage == "purchase"


def test_a_mail_planned_twice_is_a_clear_error_and_writes_nothing(world: World) -> None:
    person = world.person()
    delivery = world.plan(person)
    again = replace(delivery, seq=delivery.seq + 1)
    with pytest.raises(DatabaseFault, match="already holds") as caught:
        world.turn(person, deliveries=[again], next_seq=99)
    assert caught.value.fault is Fault.DUPLICATE
    assert world.states() == ["planned"]
    assert world.snapshot(person).contact.next_seq != 99


def test_campaigns_paused_by_hand_are_named_in_every_snapshot(world: World) -> None:
    person = world.person()
    with world.database.write() as tx:
        controls.first_applied(tx, ["cart", "welcome"], world.now)
        controls.pause(tx, "cart", world.now, "olga")
    assert world.snapshot(person).paused == {"cart"}
    world.plan(person)
    assert world.claim() == []
    with world.database.write() as tx:
        controls.resume(tx, "cart", world.now, "olga")
        assert controls.since(tx) == {"cart": world.now, "welcome": world.now}
    assert world.due() == [person]
    assert len(world.claim()) == 1
    with pytest.raises(ConflictError, match="not paused"), world.database.write() as tx:
        controls.resume(tx, "cart", world.now, "olga")


def test_nobody_has_no_snapshot(world: World) -> None:
    with world.database.read() as tx:
        assert load_snapshots(tx, [7], NOTHING, world.now) == []

"""The gate lets a mail go only if nothing that would stop it is known; each guard alone must shut it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nurture.domain.contact import SuppressionReason
from nurture.domain.steps import MailKind
from nurture.errors import ConflictError
from nurture.storage import controls
from nurture.storage.deliveries import Claimed, Hold, extend_leases, gate, gated, release
from nurture.storage.duties import mark
from nurture.storage.suppressions import suppress
from nurture.storage.tables import HOLD

World = Any


def claimed(world: World, **more: Any) -> Claimed:
    person = world.person()
    world.plan(person, **more)
    (claim,) = world.claim()
    return claim


def test_a_mail_nothing_speaks_against_is_gated_once(world: World) -> None:
    claim = claimed(world)
    assert world.gate([claim]) == {claim.key}
    assert world.states() == ["gated"]
    assert world.gate([claim]) == set()


def _tell(world: World, claim: Claimed) -> None:
    world.tell("Order Completed")


def _turn(world: World, claim: Claimed) -> None:
    world.turn(claim.contact.id, attributes={"vip": True})


def _cancel(world: World, claim: Claimed) -> None:
    world.turn(claim.contact.id, cancelled=[claim.delivery.seq])


def _suppress_silently(world: World, claim: Claimed) -> None:
    """The row alone, as another process may have just written it: the version of the contact is unchanged."""
    with world.database.write() as tx:
        row = {"key": tx.address_key("Ana@Example.com")}
        at = "0" if tx.dialect == "sqlite" else "now()"
        tx.execute(text(f"INSERT INTO suppressions VALUES (:key, 'complained', {at}, 'test')"), row)


def _suppress(world: World, claim: Claimed) -> None:
    with world.database.write() as tx:
        assert suppress(tx, ["ana@example.com"], SuppressionReason.MANUAL, world.now, "cli") == 1


def _pause(world: World, claim: Claimed) -> None:
    with world.database.write() as tx:
        controls.pause(tx, "cart", world.now, "olga")


def _stop_everything(world: World, claim: Claimed) -> None:
    with world.database.write() as tx:
        controls.stop_sending(tx, world.now, "olga", "a wrong price")


def _hold_everything(world: World, claim: Claimed) -> None:
    with world.database.write() as tx:
        mark(tx, HOLD, {"why": "the clock jumped"}, world.now)


def _lease_ends(world: World, claim: Claimed) -> None:
    world.now += timedelta(minutes=1)


def _expires(world: World, claim: Claimed) -> None:
    world.now += timedelta(days=1)
    with world.database.write() as tx:
        tx.execute(text("UPDATE deliveries SET lease_until = expires_at"))
    world.now += timedelta(seconds=1)


def _release(world: World, claim: Claimed) -> None:
    with world.database.write() as tx:
        assert release(tx, [Hold(*claim.key, claim.epoch)], "me") == 1


def _claimed_again(world: World, claim: Claimed) -> None:
    _release(world, claim)
    assert len(world.claim()) == 1  # by the same owner, in another epoch


@pytest.mark.parametrize(
    "happens",
    [
        _tell,
        _turn,
        _cancel,
        _suppress_silently,
        _suppress,
        _pause,
        _stop_everything,
        _hold_everything,
        _lease_ends,
        _expires,
        _release,
        _claimed_again,
    ],
)
def test_each_guard_alone_shuts_the_gate(world: World, happens: Callable[[World, Claimed], None]) -> None:
    claim = claimed(world)
    happens(world, claim)
    assert world.gate([claim]) == set()
    assert "gated" not in world.states()


def test_nothing_is_claimed_while_sending_is_stopped_and_everything_after(world: World) -> None:
    world.plan(world.person())
    with world.database.write() as tx:
        first = controls.stop_sending(tx, world.now, "olga", "a wrong price")
    with world.database.write() as tx:
        assert controls.stop_sending(tx, world.now + timedelta(hours=1), "ben", "") == first
    assert world.claim() == []
    with world.database.write() as tx:
        controls.start_sending(tx, world.now)
    assert len(world.claim()) == 1
    with pytest.raises(ConflictError), world.database.write() as tx:
        controls.start_sending(tx, world.now)


def test_another_owner_cannot_pass(world: World) -> None:
    claim = claimed(world)
    assert world.gate([claim], owner="somebody else") == set()


def test_one_refused_mail_does_not_hold_up_the_others_in_its_group(world: World) -> None:
    for name in ("a", "b", "c"):
        world.plan(world.person(f"{name}@example.com"))
    claims = world.claim()
    world.tell("Order Completed", "b@example.com")
    assert world.gate(claims) == {claim.key for claim in claims if claim.contact.email != "b@example.com"}


def test_transactional_mail_passes_to_people_who_unsubscribed_and_to_no_other_suppressed_address(world: World) -> None:
    for name in ("unsubscribed", "bounced"):
        world.plan(world.person(f"{name}@example.com"), kind=MailKind.TRANSACTIONAL)
        with world.database.write() as tx:
            suppress(tx, [f"{name}@example.com"], SuppressionReason(name), world.now, "test")
    for person in world.due():
        world.turn(person)
    claims = world.claim()
    granted = world.gate(claims)
    assert [claim.contact.email for claim in claims if claim.key in granted] == ["unsubscribed@example.com"]


def test_a_heartbeat_prolongs_what_is_ours_and_not_what_is_lost(world: World) -> None:
    claim = claimed(world)
    hold = Hold(*claim.key, claim.epoch)
    world.now += timedelta(seconds=50)
    with world.database.write() as tx:
        assert extend_leases(tx, [replace(hold, epoch=hold.epoch + 1)], "me", world.now, timedelta(minutes=1)) == 0
        assert extend_leases(tx, [], "me", world.now, timedelta(minutes=1)) == 0
        assert extend_leases(tx, [hold], "me", world.now, timedelta(minutes=1)) == 1
        assert extend_leases(tx, [hold], "you", world.now, timedelta(minutes=1)) == 0
    world.now += timedelta(seconds=50)
    assert world.gate([claim]) == {claim.key}
    world.now += timedelta(seconds=60)
    with world.database.write() as tx:
        assert extend_leases(tx, [hold], "me", world.now, timedelta(minutes=1)) == 0


def test_after_a_lost_connection_it_can_be_asked_which_gates_stand(world: World) -> None:
    claim = claimed(world)
    hold = Hold(*claim.key, claim.epoch)
    with world.database.read() as tx:
        assert gated(tx, [hold], "me") == set()
    world.gate([claim])
    with world.database.read() as tx:
        assert gated(tx, [hold], "me") == {claim.key}
        assert gated(tx, [replace(hold, epoch=hold.epoch + 1)], "me") == set()
        assert gated(tx, [hold], "you") == set()


def test_an_empty_group_asks_nothing(world: World) -> None:
    with world.database.write() as tx:
        assert gate(tx, [], "me", world.now) == set()

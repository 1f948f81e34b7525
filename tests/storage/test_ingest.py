from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from nurture.domain.contact import SuppressionReason
from nurture.storage import contacts
from nurture.storage.events import Arrival, store_events
from nurture.storage.identities import Identity
from nurture.storage.tables import contacts as contact_rows
from nurture.storage.tables import events

World = Any
EXAMPLES = itertools.count()


def arrival(world: World, message_id: str, name: str | None = "Viewed", **who: Any) -> Arrival:
    return Arrival(who=Identity(**who), name=name, at=world.now, source="shop", message_id=message_id)


def store(world: World, *arrivals: Arrival) -> Any:
    with world.database.write() as tx:
        return store_events(tx, arrivals, world.now)


def count(world: World, table: Any) -> int:
    with world.database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(table)).scalar_one())


def test_an_event_is_stored_once_however_often_it_is_told(world: World) -> None:
    first = world.tell("Order Completed", message_id="order-1", total=80)
    assert (first.stored, first.created, first.duplicates) == (1, 1, ())
    again = world.tell("Order Completed", message_id="order-1", total=81)
    assert (again.stored, again.created, again.duplicates) == (0, 0, (0,))
    twice = store(world, *(arrival(world, "order-2", email="ana@example.com") for _ in range(2)))
    assert (twice.stored, twice.duplicates) == (1, (1,))
    assert count(world, events) == 2


def test_the_same_message_id_of_another_source_is_another_event(world: World) -> None:
    world.tell("Order Completed", message_id="1")
    other = Arrival(
        who=Identity(email="ana@example.com"), name="Order Completed", at=world.now, source="crm", message_id="1"
    )
    assert store(world, other).stored == 1


def test_one_address_is_one_contact_however_it_is_written(world: World) -> None:
    spellings = ["Ana@Example.com", " ana@EXAMPLE.COM ", "ana@example.com."]
    found = store(world, *(arrival(world, str(n), email=email) for n, email in enumerate(spellings)))
    assert found.created == 1
    assert len(set(found.contacts)) == 1


def test_an_international_domain_is_known_by_both_its_forms(world: World) -> None:
    found = store(
        world, arrival(world, "1", email="ana@müller.example"), arrival(world, "2", email="ana@xn--mller-kva.example")
    )
    assert found.contacts[0] == found.contacts[1]


def test_a_foreign_id_and_an_address_come_together_as_they_become_known(world: World) -> None:
    with_id = store(world, arrival(world, "1", external_id="u1")).contacts[0]
    both = store(world, arrival(world, "2", external_id="u1", email="ana@example.com")).contacts[0]
    by_email = store(world, arrival(world, "3", email="ana@example.com")).contacts[0]
    assert with_id == both == by_email


def test_two_contacts_named_as_one_stay_two_and_the_clash_is_told(world: World) -> None:
    ana = store(world, arrival(world, "1", email="ana@example.com")).contacts[0]
    bob = store(world, arrival(world, "2", external_id="bob")).contacts[0]
    mixed = store(world, arrival(world, "3", external_id="bob", email="ana@example.com"))
    assert mixed.contacts == (bob,)
    assert mixed.clashes == (0,)
    with world.database.read() as tx:
        found = contacts.get(tx, ana)
        assert found is not None
        assert found.email == "ana@example.com"


def test_what_is_said_about_somebody_is_merged_and_none_removes_it(world: World) -> None:
    world.tell(None, attributes={"first_name": "Ana", "city": "Berlin"})
    world.tell(None, attributes={"city": None, "vip": True})
    person = world.snapshot(1).contact
    assert person.attributes == {"first_name": "Ana", "vip": True}
    assert person.version == 1
    world.tell(None, attributes={"vip": True})
    assert world.snapshot(1).contact.version == 1  # nothing new: mails that were judged may go


def test_an_address_changes_only_where_attributes_are_told(world: World) -> None:
    world.tell(None, external_id="u1", attributes={})
    world.tell("Order Completed", "billing@example.com", external_id="u1")
    assert world.snapshot(1).contact.email == "ana@example.com"
    world.tell(None, "anna@example.com", external_id="u1", attributes={})
    assert world.snapshot(1).contact.email == "anna@example.com"
    assert world.tell("Viewed", "anna@example.com").contacts == (1,)


def test_an_event_from_the_future_happened_now(world: World) -> None:
    world.tell("Viewed", at=world.now + timedelta(days=1))
    assert world.snapshot(1).pending[0].at == world.now


def test_nobody_is_meant_by_an_unreadable_address_or_an_unknown_number(world: World) -> None:
    result = store(world, arrival(world, "1", email="not an address"), arrival(world, "2", contact_id=99))
    assert result.contacts == (None, None)
    assert (count(world, events), count(world, contact_rows)) == (0, 0)


def test_whoever_something_happens_to_is_due_at_once(world: World) -> None:
    world.tell("Viewed")
    assert world.due() == [1]
    world.turn(1)
    assert world.due() == []
    world.tell("Viewed")
    world.tell("Viewed")
    assert world.due() == [1]


def test_a_number_once_given_is_never_given_again(world: World) -> None:
    world.tell("Viewed")
    with world.database.write() as tx:
        assert contacts.erase(tx, 1, world.now)
    assert world.tell("Viewed", "bob@example.com").contacts == (2,)


def test_who_was_erased_stays_suppressed_when_told_about_again(world: World) -> None:
    world.tell("Viewed")
    with world.database.write() as tx:
        contacts.erase(tx, 1, world.now)
    world.tell("Viewed", "ANA@example.com")
    assert world.snapshot(2).contact.suppressed is SuppressionReason.ERASED


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(
        st.lists(
            st.tuples(
                st.sampled_from("abcdef"),
                st.sampled_from(["x@e.example", "y@e.example", None]),
                st.sampled_from(["1", "2", None]),
            ),
            max_size=5,
        ),
        max_size=4,
    )
)
def test_telling_everything_again_in_any_grouping_changes_nothing(world: World, batches: list[Any]) -> None:
    example = next(EXAMPLES)
    told = [
        [
            arrival(world, f"{example}-{message_id}", email=email, external_id=external_id)
            for message_id, email, external_id in batch
        ]
        for batch in batches
    ]
    for batch in told:
        store(world, *batch)
    before = (count(world, events), count(world, contact_rows))
    again = store(world, *(each for batch in told for each in batch))
    assert (again.stored, again.created) == (0, 0)
    assert (count(world, events), count(world, contact_rows)) == before

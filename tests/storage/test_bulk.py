"""Rows in bulk come back as they went in, and as SQLAlchemy reads them, on either database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from nurture.domain.event import NOTHING
from nurture.storage.bulk import Delete, Insert, Query, Update, Values
from nurture.storage.database import Transaction
from nurture.storage.tables import due, enrolments, events
from nurture.storage.types import among

World = Any
EVENT = ("contact_id", "name", "at", "received_at", "properties", "source", "message_id", "processed_at")
AWKWARD = [
    '"',
    "\\",
    '\\"',
    "{}",
    "{a,b}",
    ",",
    "NULL",
    "null",
    "",
    " x ",
    "'",
    "%s",
    "?",
    ":now",
    "Ä🌱",
    "\n\t",
    "\\n",
]
INSERT = Insert(events, EVENT)
_table = select(*(events.c[name] for name in EVENT)).order_by(events.c.id)


def row(contact_id: int, number: int, **values: Any) -> Values:
    at = datetime(2026, 3, 2, 9, 0, 0, number, tzinfo=UTC)
    usual = {"name": "Viewed", "at": at, "received_at": at, "properties": {}, "source": "shop"}
    known = {"contact_id": contact_id, "message_id": f"bulk {number}", "processed_at": None, **usual, **values}
    return tuple(known[name] for name in EVENT)


def stored(tx: Transaction) -> list[Values]:
    """The rows of this file's tests, read in bulk; and the same by way of SQLAlchemy."""
    query = _table.where(events.c.message_id.like("bulk%"))
    found = Query(query)(tx)
    assert found == [tuple(each) for each in tx.execute(query)]
    return found


def written(world: World, rows: Iterable[Values]) -> list[Values]:
    with world.database.write() as tx, tx.savepoint():
        INSERT(tx, list(rows))
        found = stored(tx)
        tx.execute(events.delete().where(events.c.message_id.like("bulk%")))
        return found


def test_awkward_words_stay_what_they_are(world: World) -> None:
    person = world.person()
    rows = [
        row(person, number, name=word or "-", source=word, properties={word: [word, {"in": word}], "none": None})
        for number, word in enumerate(AWKWARD)
    ]
    assert written(world, rows) == rows


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"],
                                                                                          exclude_characters="\0")),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            max_leaves=5,
        ),
        min_size=1,
        max_size=5,
    )
)  # fmt: skip
def test_whatever_is_json_comes_back(world: World, said: list[Any]) -> None:
    person = world.person()
    rows = [row(person, number, properties={"said": each}) for number, each in enumerate(said)]
    assert written(world, rows) == rows


def test_instants_come_back_in_utc_to_the_microsecond(world: World) -> None:
    person = world.person()
    east = timezone(timedelta(hours=5, minutes=30))
    at = datetime(2026, 3, 2, 14, 30, 0, 999_999, tzinfo=east)
    first, second = written(world, [row(person, 1, at=at), row(person, 2, at=at, processed_at=at)])
    assert first[2] == second[7] == at
    assert {first[2].tzinfo, second[7].tzinfo} == {UTC}
    assert first[7] is None


def test_an_instant_without_a_zone_is_refused(world: World) -> None:
    person = world.person()
    with pytest.raises(ValueError, match="naive"):
        written(world, [row(person, 1, at=datetime(2026, 3, 2))])


def test_an_empty_mapping_of_any_kind_is_an_empty_object(world: World) -> None:
    person = world.person()
    assert [each[4] for each in written(world, [row(person, 1, properties=NOTHING)])] == [{}]


def test_an_update_counts_the_rows_that_were_there(world: World) -> None:
    person = world.person()
    rename = Update(events, ("name", "properties"), ("message_id", "contact_id"))
    with world.database.write() as tx:
        INSERT(tx, [row(person, 1), row(person, 2), row(person, 3)])
        changes = [("A", {"a": 1}, "bulk 1", person), ("B", {}, "bulk 2", person), ("C", {}, "bulk 4", person)]
        assert rename(tx, changes) == 2
        assert rename(tx, []) == 0
        assert [(each[1], each[4]) for each in stored(tx)] == [("A", {"a": 1}), ("B", {}), ("Viewed", {})]


def test_a_delete_takes_what_is_named_and_no_more(world: World) -> None:
    late = world.now + timedelta(days=1)
    remove, add = Delete(due, ("at", "contact_id")), Insert(due, ("at", "contact_id"), conflict="DO NOTHING")
    with world.database.write() as tx:
        add(tx, [(late, 1), (late, 2), (late, 2)])
        remove(tx, [(late, 1), (late, 3), (world.now, 2)])
        assert Query(select(due.c.contact_id).where(due.c.at == late))(tx) == [(2,)]


def test_a_change_can_be_read_like_a_query(world: World) -> None:
    planned = world.plan(world.person())
    change = Query(
        update(enrolments)
        .where(among(enrolments.c.contact_id))
        .values(held_out=True)
        .returning(enrolments.c.held_out, enrolments.c.start, enrolments.c.started_at, enrolments.c.ended_at)
    )
    with world.database.write() as tx:
        assert change(tx, ids=[planned.contact_id]) == [(True, {"cart": planned.enrolment}, world.now, None)]
        assert change(tx, ids=[]) == []

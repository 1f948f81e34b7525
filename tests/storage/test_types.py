from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from nurture.storage.database import Database
from nurture.storage.types import Json, UTCDateTime, dump_json, micros

things = Table(
    "things", MetaData(), Column("id", Integer, primary_key=True), Column("at", UTCDateTime()), Column("json", Json)
)
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
plain = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)


@pytest.fixture
def table(database: Database) -> Database:
    with database.write() as tx:
        things.create(tx.connection)
    return database


def round_trip(database: Database, column: str, value: Any) -> Any:
    with database.write() as tx:
        tx.execute(things.delete())
        tx.execute(insert(things), [{column: value}])
        return tx.execute(select(things.c[column])).scalar_one()


@QUIET
@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-1439, 1439))
def test_an_instant_comes_back_as_the_same_instant_in_utc(table: Database, wall: datetime, minutes: int) -> None:
    at = wall.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    back = round_trip(table, "at", at)
    assert back == at
    assert back.tzinfo is UTC


def test_a_naive_datetime_is_refused_on_the_way_in(table: Database) -> None:
    for naive in (datetime(2026, 3, 2),):
        with pytest.raises(Exception, match="naive datetime"):
            round_trip(table, "at", naive)
    with pytest.raises(ValueError, match="naive datetime"):
        micros(datetime(2026, 3, 2))


@QUIET
@given(
    st.dictionaries(
        plain,
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | plain,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_json_comes_back_as_it_was_on_both_databases(table: Database, value: dict[str, Any]) -> None:
    assert round_trip(table, "json", value) == value


def test_json_that_one_of_the_databases_could_not_hold_is_refused_by_both(table: Database) -> None:
    for value in ({"a": "\0"}, {"a": "\\\0"}, {"a": float("nan")}, {"a": float("inf")}, {"a": object()}):
        with pytest.raises(Exception, match=r"NUL|Out of range|cannot be stored"):
            round_trip(table, "json", value)


def test_a_backslash_before_u0000_is_no_nul(table: Database) -> None:
    value = {"a": "\\u0000", "b": "\\\\u0000"}
    assert round_trip(table, "json", value) == value


def test_json_takes_what_the_domain_hands_over() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    assert dump_json({"at": at, "tags": frozenset("ba"), "pair": (1, 2)}) == (
        '{"at":"2026-03-02T00:00:00+00:00","tags":["a","b"],"pair":[1,2]}'
    )

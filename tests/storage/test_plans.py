"""No hot statement may read a whole table, whatever the database believes of their sizes.

Statistics of empty tables once made SQLite scan where it should look up, so they are taken here while tables are empty.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from nurture.domain.delivery import DeliveryState
from nurture.domain.needs import SnapshotNeeds
from nurture.storage.database import Database
from nurture.storage.deliveries import Hold, extend_leases, gated, in_flight_by_domain, release
from nurture.storage.imports import ImportedContact, import_contacts
from nurture.storage.outcomes import Outcome, record_outcomes, rescue
from nurture.storage.queue import claim_due
from nurture.storage.snapshots import load_snapshots

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LARGE = ("contacts", "events", "deliveries", "enrolments", "ledger", "attempts", "due", "suppressions", "outgoing")
NEEDS = SnapshotNeeds(
    events={"Viewed": timedelta(days=3), "Order Completed": None},
    caps=timedelta(days=30),
    received=frozenset({("cart", "reminder")}),
)


@pytest.fixture
def statements(database: Database) -> list[tuple[str, Any]]:
    """Everything that is sent to the database, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        if not statement.startswith(("BEGIN", "EXPLAIN", "CREATE", "DELETE FROM staged", "INSERT INTO staged")):
            seen.append((statement, values[0] if many else values))

    with database.write() as tx:
        tx.execute(text("ANALYZE"))
    event.listen(database.engine, "before_cursor_execute", note)
    return seen


def scans(database: Database, statements: list[tuple[str, Any]]) -> list[str]:
    """The statements that read one of the large tables from end to end, with how."""
    found = []
    with database.write() as tx:
        import_contacts(tx, [], NOW, "nobody")  # the temporary table its statements speak of
        raw: Any = tx.connection.connection.driver_connection
        look = _scanned_by_sqlite if database.dialect == "sqlite" else _scanned_by_postgres
        if (
            database.dialect == "postgresql"
        ):  # small tables are read whole by right: where there is another way, take it
            raw.execute("SET LOCAL enable_seqscan = off")
        for statement, values in list(statements):
            found += [f"{how}: {statement}" for how in look(raw, statement, values)]
    return found


def _scanned_by_sqlite(raw: Any, statement: str, values: Any) -> list[str]:
    found = []
    for *_, detail in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall():
        words = detail.split()
        if words[0] == "SCAN" and words[1] in LARGE and "INDEX ix_" not in detail:
            found.append(detail)
    return found


def _scanned_by_postgres(raw: Any, statement: str, values: Any) -> list[str]:
    if not statement.lstrip().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
        return []
    found = []
    nodes = [raw.execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchone()[0][0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE:
            found.append(f"{node['Node Type']} {node['Relation Name']}")
    return found


def test_the_way_of_a_mail_looks_everything_up(world: Any, statements: list[tuple[str, Any]]) -> None:
    person = world.person()
    first, second, _ = (world.plan(person, step=step) for step in ("first", "second", "third"))
    world.claim(limit=1, newest=True, per_domain=5)
    claims = world.claim(per_domain=5)
    world.gate(claims[:1])
    with world.database.write() as tx:
        gated(tx, [Hold(*claims[0].key, 1)], "me")
        extend_leases(tx, [Hold(*claims[0].key, 1)], "me", world.now, timedelta(minutes=1))
        in_flight_by_domain(tx)
        record_outcomes(tx, [Outcome(*claims[0].key, 1, DeliveryState.SENT, world.now)], "me", world.now)
        release(tx, [Hold(*claims[1].key, 1)], "me")
        rescue(tx, world.now + timedelta(hours=1))
        load_snapshots(tx, claim_due(tx, world.now, 10), NEEDS, world.now)
        claim_due(tx, world.now, 10, newest=True)
    world.turn(person, cancelled=[second.seq], due_at=world.now + timedelta(days=1))
    assert len(statements) > 40
    assert first.seq
    assert scans(world.database, statements) == []


def test_taking_contacts_in_looks_them_up(world: Any, statements: list[tuple[str, Any]]) -> None:
    with world.database.write() as tx:
        import_contacts(tx, [ImportedContact("ana@example.com", "u1", {"a": 1})], world.now, "people.csv")
    assert scans(world.database, statements) == []


def test_the_check_itself_sees_a_scan(world: Any, statements: list[tuple[str, Any]]) -> None:
    with world.database.read() as tx:
        tx.execute(text("SELECT count(*) FROM contacts WHERE stage = 'x'"))
    assert len(scans(world.database, statements)) == 1

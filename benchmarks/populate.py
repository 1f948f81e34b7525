"""A database as a large shop has it after months, made in a minute: people, their past, and who is due.

Everything is made inside the database, a statement for each table, so that five million people are no work for Python.
Each person is inside the newsletter's welcome and waits for its second mail; she got the first days ago. `due` of them,
scattered over the tables as time scatters them, are due at `NOW`; all others later.

    python -m benchmarks.populate PEOPLE [DATABASE_URL]     fills the database, then gives those who are due their turn
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from benchmarks.turns import ROOT, Days
from nurture.engine.revisions import assemble
from nurture.language.source import read_project
from nurture.storage import schema
from nurture.storage.database import Database, Transaction
from nurture.storage.types import sql

NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
PAST = NOW - timedelta(days=20)
CAMPAIGN, FIRST, WAIT = "newsletter-welcome", "hello", "wait>story"
DUE = 10_000


def populate(database: Database, people: int, due: int = DUE) -> None:
    """Fill an empty database of the current schema. Who is due is every n-th person, in no order of her row."""
    with database.write() as tx:
        words = _words(tx, people, max(people // due, 1))
        for statement in _TABLES:
            tx.execute(sql(statement.format(**words)), {"since": PAST, "now": NOW})
        if tx.dialect == "postgresql":  # the ids were given by us
            for table in ("contacts", "events"):
                tx.execute(sql(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {people})"))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def _words(tx: Transaction, people: int, spread: int) -> dict[str, str]:
    """What the two databases write differently; `at` is when person `n` is due, `people` the numbers 1 to `people`."""
    seconds = f"CASE WHEN n % {spread} = 0 THEN -(n * 7919 % 3600) ELSE 60 + n * 7919 % 7776000 END"
    if tx.dialect == "postgresql":
        return {
            "people": f"generate_series(1, CAST({people} AS bigint)) AS numbers(n)",
            "at": f"CAST(:now AS timestamptz) + make_interval(secs => {seconds})",
            "past": "CAST(:since AS timestamptz)", "now": "CAST(:now AS timestamptz)", "yes": "true", "no": "false",
            "none": "CAST('[]' AS jsonb)", "empty": "CAST('{}' AS jsonb)", "traits": f"CAST('{TRAITS}' AS jsonb)",
            "visits": f"CAST('{VISITS}' AS jsonb)",
        }  # fmt: skip
    count = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {people})"
    return {
        "people": f"({count} SELECT n FROM numbers)", "at": f":now + 1000000 * ({seconds})", "past": ":since",
        "now": ":now", "yes": "1", "no": "0", "none": "'[]'", "empty": "'{}'", "traits": f"'{TRAITS}'",
        "visits": f"'{VISITS}'",
    }  # fmt: skip


TRAITS, VISITS = '{"first_name": "Ana", "interest": "herbs"}', f'{{"{FIRST}": 1}}'

_TABLES = (
    """
    INSERT INTO contacts (id, email, email_key, address_key, domain, attributes, stage, stage_since, created_at,
        consent, opted_out, memberships, enrols, next_seq, version, due_at)
    SELECT n, 'p' || n || '@people.example', 'p' || n || '@people.example', 'k' || n, 'people.example', {traits},
        'consideration', {past}, {past}, 'granted', {none}, {empty}, {yes}, 3, 2, {at} FROM {people}
    """,
    f"""
    INSERT INTO enrolments (contact_id, seq, campaign, key, revision, started_at, start, state, held_out, node, since,
        due_at, passes, visits, jumps, grants)
    SELECT n, 1, '{CAMPAIGN}', '', 1, {{past}}, {{traits}}, 'active', {{no}}, '{WAIT}', {{past}}, {{at}}, 1,
        {{visits}}, {{empty}}, {{empty}} FROM {{people}}
    """,
    f"""
    INSERT INTO deliveries (contact_id, seq, enrolment, campaign, step, visit, kind, template, category, priority, rank,
        domain, planned_at, due_at, not_before, expires_at, revision, state, epoch, gated_at, first_gated_at,
        settled_at, attempts, tries, unknowns, acknowledged)
    SELECT n, 2, 1, '{CAMPAIGN}', '{FIRST}', 1, 'marketing', 'welcome', 'value', 50, 999950, 'people.example',
        {{past}}, {{past}}, {{past}}, {{now}}, 1, 'sent', 1, {{past}}, {{past}}, {{past}}, 1, 0, 0, {{yes}}
    FROM {{people}}
    """,
    """
    INSERT INTO events (id, contact_id, name, at, received_at, properties, source, message_id, processed_at)
    SELECT n, n, 'Newsletter Subscribed', {past}, {past}, {traits}, 'shop', 'm' || n, {past} FROM {people}
    """,
    "INSERT INTO due (at, contact_id) SELECT {at} AS at, n FROM {people} ORDER BY at, n",
)


def measure(people: int, url: str | None = None, due: int = DUE) -> dict[str, float]:
    """Microseconds of CPU of this process for each stage of a turn and of a mail, with `due` of `people` due."""
    gc.freeze()  # as the daemon does
    gc.set_threshold(20_000, 50, 100)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = stack.enter_context(Database(url or f"sqlite:///{folder}/large.db", address_secret="benchmark"))
        schema.upgrade(database)
        populate(database, people, due)
        days = Days(database, assemble(read_project(ROOT), 1), people)
        days.now = NOW
        days.turns("turn")
        days.mails("mail")
        return days.costs.each()


def main(arguments: Sequence[str]) -> None:
    begun = time.monotonic()
    costs = measure(int(arguments[0]), arguments[1] if len(arguments) > 1 else None)
    for stage, each in costs.items():
        print(f"{stage:24} {each:8.1f} us")
    print(f"{time.monotonic() - begun:.0f} s in all")


if __name__ == "__main__":
    main(sys.argv[1:])

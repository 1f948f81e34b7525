"""Transactions, and faults of real databases told in words that help."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from nurture.errors import StorageError
from nurture.storage import backup, schema, sqlite
from nurture.storage.database import Database, Transaction
from nurture.storage.faults import DatabaseFault, Fault
from nurture.testing.cutting_proxy import CuttingProxy

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def add(tx: Transaction, name: str) -> None:
    row = {"name": name, "value": "{}", "at": 0}
    cast = ("CAST(:value AS jsonb)", "to_timestamp(:at)") if tx.dialect == "postgresql" else (":value", ":at")
    tx.execute(text(f"INSERT INTO marks (name, value, at) VALUES (:name, {cast[0]}, {cast[1]})"), row)


def names(database: Database) -> list[str]:
    with database.read() as tx:
        return list(tx.execute(text("SELECT name FROM marks ORDER BY name")).scalars())


@pytest.fixture
def lite(tmp_path: Path, _sqlite_template: Path) -> Iterator[Database]:
    path = tmp_path / "lite.db"
    shutil.copy(_sqlite_template, path)
    with Database(f"sqlite:///{path}") as database:
        yield database


def fails(database: Database, name: str = "x") -> DatabaseFault:
    with pytest.raises(DatabaseFault) as caught, database.write() as tx:
        add(tx, name)
    assert database.name in str(caught.value)
    return caught.value


def test_what_a_block_writes_stands_when_it_ends_and_is_undone_when_it_raises(database: Database) -> None:
    def raises() -> None:
        with database.write() as tx:
            add(tx, "undone")
            raise RuntimeError

    with database.write() as tx:
        add(tx, "stands")
    with pytest.raises(RuntimeError):
        raises()
    assert names(database) == ["stands"]


def test_a_row_that_is_there_already_is_a_clear_error(database: Database) -> None:
    with database.write() as tx:
        add(tx, "x")
    fault = fails(database)
    assert (fault.fault, fault.passes, fault.commit_unknown) == (Fault.DUPLICATE, False, False)
    assert "already holds" in str(fault)


def test_a_missing_schema_says_what_to_run(empty_url: str) -> None:
    with Database(empty_url) as database:
        fault = fails(database)
    assert fault.fault is Fault.SCHEMA
    assert "nurture db upgrade" in str(fault)


def test_threads_may_write_at_once(database: Database) -> None:
    def work(n: int) -> None:
        for k in range(5):
            with database.write() as tx:
                add(tx, f"{n}-{k}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(database)) == 30


def test_postgresql_without_its_driver_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nurture.storage.database.find_spec", lambda _: None)
    with pytest.raises(StorageError, match=r"pip install 'nurture-engine\[postgres\]'"):
        Database("postgresql://u:secret@h/x")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://u:secret@h/x", "SQLite or PostgreSQL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("nonsense", "cannot be read"),
        ("nonsense:secret", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_repeating_it(url: str, says: str) -> None:
    with pytest.raises(StorageError, match=says) as caught:
        Database(url)
    assert "secret" not in str(caught.value)


# --- SQLite


def test_sqlite_is_set_up_to_survive_a_power_cut(lite: Database) -> None:
    with lite.read() as tx:
        found = {
            name: tx.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_a_read_sees_one_moment_while_others_write(lite: Database) -> None:
    with lite.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM marks")).scalar() == 0
        with Database(str(lite.url)) as other, other.write() as writing:
            add(writing, "x")
        assert tx.execute(text("SELECT count(*) FROM marks")).scalar() == 0
    assert names(lite) == ["x"]


def test_a_full_disk_pauses_and_loses_nothing(lite: Database) -> None:
    @event.listens_for(lite.engine, "connect")
    def tighten(raw: Any, _: Any) -> None:
        raw.execute("PRAGMA max_page_count = 1")  # SQLite's own answer when no page can be added

    lite.engine.dispose()

    def fill(tx: Transaction) -> None:
        for n in range(10_000):
            add(tx, f"{n:0200d}")

    with pytest.raises(DatabaseFault) as caught:
        lite.transact(fill)
    assert (caught.value.fault, caught.value.passes) == (Fault.FULL, True)
    assert "Free some space" in str(caught.value)
    assert names(lite) == []


def test_a_database_that_may_only_be_read_says_so(lite: Database) -> None:
    @event.listens_for(lite.engine, "connect")
    def protect(raw: Any, _: Any) -> None:
        raw.execute("PRAGMA query_only = ON")

    lite.engine.dispose()
    fault = fails(lite)
    assert (fault.fault, fault.passes) == (Fault.READ_ONLY, True)
    assert "may only be read" in str(fault)


def test_a_foreign_writer_is_waited_for_and_then_named(lite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)
    with (
        closing(sqlite3.connect(lite.path, isolation_level=None)) as foreign,
        Database(str(lite.url)) as impatient,
    ):
        foreign.execute("BEGIN IMMEDIATE")
        fault = fails(impatient)
        assert (fault.fault, fault.passes) == (Fault.BUSY, True)
        foreign.execute("ROLLBACK")
        with impatient.write() as tx:
            add(tx, "x")


@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_is_deleted_or_replaced_under_our_feet_stops_us(
    lite: Database, replaced: bool, tmp_path: Path
) -> None:
    with lite.write() as tx:
        add(tx, "x")
    copy = backup.backup(lite, tmp_path / "copy.db")
    lite.path.unlink()
    if replaced:
        shutil.copy(copy, tmp_path / "other.db")
        (tmp_path / "other.db").rename(lite.path)
    fault = fails(lite, "y")
    assert (fault.fault, fault.passes) == (Fault.REPLACED, False)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path}/no/where.db") as database:
        assert fails(database).fault is Fault.MISSING


def test_a_file_that_is_no_database_is_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("hello, I am a letter and no database" * 99)
    with Database(f"sqlite:///{tmp_path}/x.db") as database:
        assert fails(database).fault is Fault.DAMAGED
    with pytest.raises(StorageError, match="damaged"):
        backup.check(tmp_path / "x.db")


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
40 22 0:44 / /mnt/office\\040share rw - nfs4 server:/share rw
41 22 0:45 / /mnt rw - tmpfs tmpfs rw
42 22 0:46 / /home/ana/remote rw - fuse.sshfs ana@host: rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/mnt/office share/n.db", "nfs4"), ("/mnt/n.db", "tmpfs"), ("/srv/n.db", "ext4"), ("/mntx/n.db", "ext4")],
)
def test_the_file_system_of_a_path_is_found_by_its_longest_mount(path: str, kind: str) -> None:
    assert sqlite.file_system_of(Path(path), MOUNTS) == kind


@pytest.mark.parametrize("path", ["/mnt/office share/n.db", "/home/ana/remote/n.db"])
def test_network_file_systems_are_refused(path: str) -> None:
    with pytest.raises(StorageError, match="network file system"):
        sqlite.refuse_network(Path(path), MOUNTS)
    sqlite.refuse_network(Path("/srv/n.db"), MOUNTS)


def test_a_backup_is_taken_while_others_write_and_is_whole(lite: Database, tmp_path: Path) -> None:
    with lite.write() as tx:
        add(tx, "x")
        backup.backup(lite, tmp_path / "copy.db")
    backup.check(tmp_path / "copy.db")
    with Database(f"sqlite:///{tmp_path}/copy.db") as copy:
        schema.require_current(copy)
        assert names(copy) == []  # x was not committed when the copy was made
    with pytest.raises(StorageError, match="exists"):
        backup.backup(lite, tmp_path / "copy.db")


# --- PostgreSQL


@pytest.fixture
def served(postgres_server: Any) -> Iterator[Database]:
    url = postgres_server.migrated()
    with Database(url) as database:
        yield database
    postgres_server.drop(url)


def test_a_read_only_server_is_a_pause(served: Database) -> None:
    def write(tx: Transaction) -> None:
        tx.execute(text("SET TRANSACTION READ ONLY"))
        add(tx, "x")

    with pytest.raises(DatabaseFault) as caught:
        served.transact(write)
    assert (caught.value.fault, caught.value.passes) == (Fault.READ_ONLY, True)


def test_a_deadlock_is_undone_and_done_again(served: Database) -> None:
    for name in ("a", "b"):
        with served.write() as tx:
            add(tx, name)
    both_hold_one = threading.Barrier(2, timeout=30)
    tries: list[str] = []

    def work(first: str, second: str) -> None:
        def swap(tx: Transaction) -> None:
            tries.append(first)
            lock = text("UPDATE marks SET at = now() WHERE name = :name")
            tx.execute(lock, {"name": first})
            if tries.count(first) == 1:
                both_hold_one.wait()
            tx.execute(lock, {"name": second})

        served.transact(swap)

    threads = [threading.Thread(target=work, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(tries) == {"a", "b"}
    assert len(tries) >= 3, "one was undone; whoever is undone may meet the other once more"


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with Database("postgresql://ana:tops3cret@127.0.0.1:1/nurture") as database:
        fault = fails(database)
    assert (fault.fault, fault.passes, fault.commit_unknown) == (Fault.UNREACHABLE, True, False)
    assert "tops3cret" not in str(fault)
    assert "127.0.0.1:1/nurture" in str(fault)


def test_a_server_that_comes_back_is_used_again(served: Database, postgres_server: Any) -> None:
    assert names(served) == []
    with Database(postgres_server.url()) as admin, admin.write() as tx:
        tx.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
            {"name": served.url.database},
        )
    assert names(served) == []


@pytest.mark.parametrize("reaches", [True, False])
def test_a_connection_lost_in_a_commit_leaves_it_unknown_until_it_is_read_again(
    served: Database, reaches: bool
) -> None:
    """Behind the COMMIT, or in front of it: from here both look the same."""
    url = served.url.render_as_string(hide_password=False)
    with CuttingProxy(url) as proxy, Database(proxy.url(url)) as cut:
        proxy.cut_at(b"COMMIT\0", reaches=reaches)
        with pytest.raises(DatabaseFault) as caught, cut.write() as tx:
            add(tx, "x")
        assert caught.value.commit_unknown
    assert names(served) == (["x"] if reaches else [])


def test_the_revision_a_start_asks_for_by_names_of_files_is_the_head_of_the_migrations() -> None:
    from alembic.script import ScriptDirectory

    found = ScriptDirectory.from_config(schema.configuration())
    assert schema.head() == found.get_current_head()
    assert {script.revision for script in found.walk_revisions()} == schema._known()

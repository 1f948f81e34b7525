"""A database that goes away, comes back, lies about its commits, is full, or is not the one it was.

A real daemon mails all the while. Nobody may be mailed twice or be forgotten, by the relay's own count; and the log has
to say what was the matter.
"""

from __future__ import annotations

import contextlib
import random
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from nurture.storage import backup, schema
from nurture.testing.cutting_proxy import CuttingProxy
from nurture.testing.processes import Daemon, Shop, pause, until
from nurture.testing.smtp import Act, ScriptedServer

OpenShop = Callable[..., Shop]


@pytest.fixture
def postgres_shop(open_shop: OpenShop, postgres_server: Any) -> Iterator[tuple[Shop, str]]:
    url = postgres_server.migrated()
    shop = open_shop(url)
    shop.apply()
    yield shop, url
    shop.close()
    postgres_server.drop(url)


def under_way(shop: Shop, number: int, seconds_a_mail: float = 0.1) -> Daemon:
    """A daemon in the midst of so many mails."""
    shop.server.script["RCPT"] = lambda _line: Act(delay=seconds_a_mail)
    shop.people(number)
    daemon = shop.start()
    shop.until_sent(5)
    return daemon


def finish(shop: Shop, daemon: Daemon, unknown: int = 0) -> None:
    shop.server.script.clear()
    shop.until_settled(shop.told - unknown, 120)
    assert daemon.end() == 0, daemon.text
    shop.check(unknown=unknown)


def test_commits_that_are_cut_off_on_either_side_are_read_again(
    postgres_shop: tuple[Shop, str], server: ScriptedServer
) -> None:
    """What a commit came to cannot be known when the line goes dead in it; what stands in the database can."""
    shop, url = postgres_shop
    chance = random.Random(8)
    with CuttingProxy(url) as proxy:
        shop.environ["NURTURE_DATABASE_URL"] = proxy.url(url)
        daemon = under_way(shop, 150)
        for _ in range(8):
            before = proxy.cuts
            proxy.cut_at(b"COMMIT\0", reaches=chance.random() < 0.5)
            until(lambda before=before: proxy.cuts > before, 20, "a commit")
            pause(0.3)
        finish(shop, daemon)
    assert len(server.messages) == shop.told


def test_a_server_that_restarts_at_once_interrupts_and_loses_nothing(
    postgres_shop: tuple[Shop, str], postgres_server: Any
) -> None:
    """As `pg_ctl restart -m immediate`: no checkpoint, every connection gone, recovery from the log."""
    shop, _ = postgres_shop
    daemon = under_way(shop, 150)
    postgres_server.crash_and_restart()
    finish(shop, daemon)


def test_a_server_that_became_read_only_is_waited_for(postgres_shop: tuple[Shop, str], postgres_server: Any) -> None:
    """As a standby after a failover: it answers, and takes no writes."""
    shop, url = postgres_shop
    name = make_url(url).database
    daemon = under_way(shop, 100)
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        until(lambda: "may only be read" in daemon.text, 30, daemon.text)
        stands = len(shop.server.messages)
        pause(2)
        assert len(shop.server.messages) <= stands + 8, "what had its gate goes; nothing else does"
        admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    finish(shop, daemon)


def test_transactions_that_are_undone_for_no_fault_of_theirs_are_done_again(
    postgres_shop: tuple[Shop, str],
) -> None:
    """One write to a delivery in twenty fails as a deadlock or a collision would."""
    shop, url = postgres_shop
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("""
            CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF random() < 0.05 THEN
                    RAISE EXCEPTION 'collided' USING ERRCODE = CASE WHEN random() < 0.5 THEN '40001' ELSE '40P01' END;
                END IF;
                RETURN NULL;
            END $$""")
        admin.execute("CREATE TRIGGER collide AFTER UPDATE ON deliveries FOR EACH STATEMENT EXECUTE FUNCTION collide()")
    finish(shop, under_way(shop, 100, 0.02))


def test_a_file_that_was_moved_away_stops_everything_until_it_is_back(file_shop: Shop, server: ScriptedServer) -> None:
    shop, path = file_shop, file_shop.app.database.path
    daemon = under_way(shop, 100)
    aside = path.with_name("aside.db")
    path.rename(aside)
    until(lambda: "was deleted while in use" in daemon.text, 20, daemon.text)
    pause(0.5)  # what had its gate before goes
    stands = len(server.messages)
    pause(1.5)
    assert len(server.messages) == stands
    aside.rename(path)
    finish(shop, daemon)


def test_a_file_that_was_swapped_for_another_one_is_not_written_to(
    file_shop: Shop, server: ScriptedServer, tmp_path: Path
) -> None:
    shop, path = file_shop, file_shop.app.database.path
    older = backup.backup(shop.app.database, tmp_path / "older.db")
    daemon = under_way(shop, 60)
    aside = path.with_name("aside.db")
    path.rename(aside)
    shutil.copy(older, path)
    swapped = path.read_bytes()
    until(lambda: "replaced by another file" in daemon.text, 20, daemon.text)
    pause(0.5)
    stands = len(server.messages)
    pause(1.5)
    assert len(server.messages) == stands
    assert path.read_bytes() == swapped
    path.unlink()
    aside.rename(path)
    finish(shop, daemon)


def test_a_disk_that_is_full_is_waited_for(file_shop: Shop, server: ScriptedServer) -> None:
    """The kernel refuses to let the daemon's files grow, which is what a full disk does."""
    shop = file_shop
    daemon = under_way(shop, 100)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    pause(3)
    stands = len(server.messages)
    pause(1.5)
    assert len(server.messages) == stands < 100, "no dot without a gate that could be written"
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    finish(shop, daemon)
    assert "delivery lost" not in daemon.text, "its log could not be written either, and that is no reason"


@pytest.mark.lab
def test_a_disk_without_room_is_waited_for(open_shop: OpenShop, tmp_path: Path, server: ScriptedServer) -> None:
    """A real file system that is full; mounting it needs root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], check=True)
    try:
        shop = open_shop(f"sqlite:///{disk / 'nurture.db'}")
        schema.upgrade(shop.app.database)
        shop.apply()
        daemon = under_way(shop, 200)
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        until(lambda: "no room left" in daemon.text, 30, daemon.text)
        stands = len(server.messages)
        pause(1.5)
        assert len(server.messages) <= stands + 8
        (disk / "filler").unlink()
        finish(shop, daemon)
        shop.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.lab
def test_a_file_system_that_may_only_be_read_is_named_and_nothing_leaves(
    file_shop: Shop, tmp_path: Path, server: ScriptedServer
) -> None:
    """The same folder by a second, read-only mount, as a disk is after an error; mounting needs root."""
    shop, seen = file_shop, tmp_path / "seen"
    seen.mkdir()
    shop.people(3)
    subprocess.run(["mount", "--bind", str(tmp_path), str(seen)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(seen)], check=True)
        writable = shop.environ["NURTURE_DATABASE_URL"]
        shop.environ["NURTURE_DATABASE_URL"] = f"sqlite:///{seen / 'nurture.db'}"
        refused = shop.start("--once")
        assert refused.wait() in {1, 3}, refused.text
        assert "read" in refused.text, refused.text
        assert "Traceback" not in refused.text
        assert server.messages == []
    finally:
        subprocess.run(["umount", "-l", str(seen)], check=True)
    shop.environ["NURTURE_DATABASE_URL"] = writable
    shop.once()
    shop.check()


@pytest.mark.lab
def test_a_writer_who_holds_the_lock_for_20_seconds_is_named_and_outlived(file_shop: Shop) -> None:
    shop = file_shop
    daemon = under_way(shop, 100)
    with closing(sqlite3.connect(shop.app.database.path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        pause(20)
        foreign.execute("COMMIT")
    assert "is busy" in daemon.text
    finish(shop, daemon)


def test_a_backup_under_load_is_whole_and_waits_for_somebody_to_confirm_it(
    file_shop: Shop, server: ScriptedServer, tmp_path: Path
) -> None:
    from nurture.engine.hold import back_up

    shop = file_shop
    daemon = under_way(shop, 60)
    copy = back_up(shop.app.database, tmp_path / "copy.db", shop.now)
    finish(shop, daemon)
    backup.check(copy)
    with closing(sqlite3.connect(copy)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert opened.execute("PRAGMA foreign_key_check").fetchall() == []
        left = opened.execute("SELECT count(*) FROM deliveries WHERE state <> 'sent'").fetchone()[0]
    assert left > 0
    restored = Shop(tmp_path, f"sqlite:///{copy}", server)
    held = restored.start("--once")
    assert held.wait() == 3
    assert "this is the backup of" in held.text
    assert len(server.messages) == 60
    restored.close()


def test_the_log_of_writes_stays_bounded_while_somebody_reads_on_and_on(file_shop: Shop) -> None:
    """A reader keeps SQLite from going back to the start of its log; when he leaves, it is cut down again."""
    shop, path = file_shop, file_shop.app.database.path
    daemon = under_way(shop, 300, 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM contacts").fetchone()
        shop.until_settled(300)
        while_reading = path.with_name(path.name + "-wal").stat().st_size
    finish(shop, daemon)
    assert while_reading < 64 << 20

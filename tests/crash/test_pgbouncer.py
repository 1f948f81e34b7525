"""PgBouncer in front of PostgreSQL, handing a server to each transaction."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from nurture.storage.database import Database
from nurture.testing.processes import Shop, until

pytestmark = pytest.mark.lab
PORT = 6432


@pytest.fixture
def bouncer(postgres_server: Any, tmp_path: Path, program: Callable[[str], str]) -> Iterator[Callable[[str], str]]:
    """`bouncer(url)` is the same database through the pooler, which has three servers for everybody."""
    host = make_url(postgres_server.url()).query["host"]
    tmp_path.chmod(0o777)
    (tmp_path / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={host} user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\n"
        f"unix_socket_dir = {tmp_path}\n"
        "auth_type = any\npool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 200\n"
        f"logfile = {tmp_path}/pgbouncer.log\n"
    )
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    user = ["-u", "pgserver"] if os.getuid() == 0 else []
    running = subprocess.Popen(
        [program("pgbouncer"), *user, str(tmp_path / "pgbouncer.ini")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until((tmp_path / f".s.PGSQL.{PORT}").exists, 20, "pgbouncer")
    yield (
        lambda url: (
            make_url(url)
            .update_query_dict({"host": str(tmp_path), "port": str(PORT)})
            .render_as_string(hide_password=False)
        )
    )
    running.terminate()
    running.wait(20)


def test_two_daemons_work_through_it(
    open_shop: Callable[..., Shop], postgres_server: Any, bouncer: Callable[[str], str]
) -> None:
    url = postgres_server.migrated()
    shop = open_shop(bouncer(url))
    shop.apply()
    pair = [shop.start(), shop.start()]
    for daemon in pair:
        daemon.until_started()
    for _ in range(4):
        shop.people(250)
    shop.until_settled(1000, 120)
    assert [daemon.end() for daemon in pair] == [0, 0]
    shop.check()
    for daemon in pair:
        assert [line for line in daemon.lines if line["level"] == "error"] == []
    shop.close()
    postgres_server.drop(url)


def test_nothing_is_prepared_on_a_server_that_the_next_transaction_may_not_get(
    postgres_server: Any, bouncer: Callable[[str], str]
) -> None:
    url = postgres_server.migrated()
    for address, prepared in ((bouncer(url), 0), (url, 1)):
        with Database(address) as database:
            for _ in range(12):
                with database.read() as tx:
                    tx.execute(text("SELECT name FROM marks WHERE name = :name"), {"name": "x"})
            with database.read() as tx:
                found = tx.execute(text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%marks%'"))
                assert min(int(found.scalar_one()), 1) == prepared
    postgres_server.drop(url)

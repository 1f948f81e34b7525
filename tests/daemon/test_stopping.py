"""How a daemon ends, and when it does not begin."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nurture.storage import schema
from nurture.storage.database import Database
from nurture.testing.house import sources
from nurture.testing.marks import FIRST_ON_SQLITE
from nurture.testing.processes import Shop, pause
from nurture.testing.smtp import Act, ScriptedServer, hang


@FIRST_ON_SQLITE
def test_sigterm_lets_the_wire_end_gives_the_rest_back_and_exits_with_0(shop: Shop, server: ScriptedServer) -> None:
    server.script["RCPT"] = lambda _line: Act(delay=0.02)
    shop.people(400)
    daemon = shop.start()
    shop.until_sent(20)
    begun = time.monotonic()
    assert daemon.end() == 0, daemon.text
    assert time.monotonic() - begun < 30
    states = shop.states()
    assert states["sent"] == len(server.messages) == daemon.sent < 400
    assert states["sent"] + states["planned"] == sum(states.values())
    server.script.clear()
    final = shop.start()
    shop.until_settled(400)
    assert final.end() == 0
    shop.check()


def test_a_second_sigterm_stops_at_once_and_the_next_start_settles_what_hung(
    file_shop: Shop, server: ScriptedServer
) -> None:
    server.script["DOT"] = hang()
    file_shop.people(1)
    daemon = file_shop.start()
    file_shop_copies = server.copies
    begun = time.monotonic()
    while not file_shop_copies:
        assert time.monotonic() - begun < 40, daemon.text
        pause(0.02)
    daemon.terminate()
    pause(0.5)
    assert daemon.process.poll() is None, "the first one waits for the relay"
    begun = time.monotonic()
    daemon.terminate()
    assert daemon.wait() == 1
    assert time.monotonic() - begun < 5
    assert file_shop.states() == {"gated": 1}
    server.script.clear()
    file_shop.let_leases_end(daemon)
    file_shop.once()
    assert file_shop.states() == {"unknown": 1}
    assert len(server.copies) == 1


def test_the_grace_of_a_stop_is_bounded_and_what_hangs_at_the_dot_is_known_to_be_unknown(
    file_shop: Shop, server: ScriptedServer
) -> None:
    server.script["DOT"] = hang()
    file_shop.people(1)
    daemon = file_shop.start("--drain", "1")
    while not server.copies:
        assert daemon.process.poll() is None, daemon.text
        pause(0.02)
    assert daemon.end() == 0
    assert file_shop.states() == {"unknown": 1}


def test_once_does_everything_that_is_due_and_ends(shop: Shop, server: ScriptedServer) -> None:
    shop.people(50)
    daemon = shop.once()
    assert len(server.messages) == 50
    shop.check()
    assert "Traceback" not in daemon.text


def refused(shop: Shop, **environ: str) -> str:
    daemon = shop.start(**environ)
    assert daemon.wait() == 3, daemon.text
    assert "Traceback" not in daemon.text
    return str(daemon.text)


def test_it_refuses_a_database_that_was_never_migrated(
    open_shop: Callable[..., Shop], tmp_path: Path, empty_url: str
) -> None:
    told = refused(open_shop(empty_url))
    assert "nurture db upgrade" in told


def test_it_refuses_to_run_without_an_applied_revision(open_shop: Callable[..., Shop], database_url: str) -> None:
    assert "nurture apply" in refused(open_shop(database_url))


def test_it_refuses_another_secret_than_the_database_was_made_with(file_shop: Shop) -> None:
    assert "secret" in refused(file_shop, NURTURE_SECRET_KEY="another secret key, also long enough to be one")


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"NURTURE_SECRET_KEY": ""}, ["NURTURE_SECRET_KEY"]),
        ({"NURTURE_SMTP_URL": "", "NURTURE_RETENTION_DAYS": "soon"}, ["NURTURE_RETENTION_DAYS"]),
        ({"NURTURE_DATABASE_ULR": "x", "NURTURE_BASE_URL": "shop"}, ["NURTURE_DATABASE_URL", "NURTURE_BASE_URL"]),
        ({"NURTURE_SMTP_URL": "http://relay"}, ["relay"]),
    ],
)
def test_it_refuses_settings_that_cannot_work_in_one_message(
    file_shop: Shop, environ: dict[str, str], told: list[str]
) -> None:
    text = refused(file_shop, **environ)
    assert text.count("error:") == 1
    for word in told:
        assert word in text


def test_a_database_of_another_schema_is_refused(open_shop: Callable[..., Shop], sqlite_url: str) -> None:
    from sqlalchemy import text

    with Database(sqlite_url) as database:
        schema.upgrade(database)
        with database.write() as tx:
            tx.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))
    assert "schema" in refused(open_shop(sqlite_url)).lower()


@FIRST_ON_SQLITE
def test_a_new_revision_is_taken_up_while_mails_are_in_flight(shop: Shop, server: ScriptedServer) -> None:
    server.script["RCPT"] = lambda _line: Act(delay=0.01)
    shop.people(150)
    daemon = shop.start()
    shop.until_sent(10)
    other = "campaign: second\nstart: {event: Bought}\nsteps:\n  - {id: thanks, send: thanks}\n"
    first = sources("start: {event: Signed Up}\nsteps:\n  - {id: hello, send: hello}\n")
    assert first
    shop.apply("start: {event: Signed Up}\nsteps:\n  - {id: hello, send: hello}\n", other)
    shop.people(5, "Bought")
    shop.until_settled(155)
    assert daemon.end() == 0
    shop.check()
    assert [line for line in daemon.lines if line["level"] == "error"] == []

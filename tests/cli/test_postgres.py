"""The same walk on PostgreSQL: what differs is said."""

from __future__ import annotations

from pathlib import Path

from nurture.storage.database import Database
from nurture.storage.heartbeats import beat, leave
from tests.cli.conftest import Shop


def test_the_walk_on_postgresql(shop: Shop, postgres_url: str, tmp_path: Path) -> None:
    env = (shop.folder / ".env").read_text()
    shop.write(".env", f"{env}NURTURE_DATABASE_URL={postgres_url}\n")
    assert "Run `nurture db upgrade`" in shop("status", code=3).stderr
    assert "Change the schema of " in shop("db", "upgrade", code=2).stderr
    shop("db", "upgrade", "--yes")
    shop("apply", "--yes")
    shop("events", "send", "Newsletter Subscribed", "--email", "anna@example.com", "--trait", "first_name=Anna")
    assert "1 mail sent" in shop("run", "--once").stdout
    assert "welcome: sends hello" in shop("explain", "anna@example.com").stdout
    assert shop.json("audit")["data"]["holds"] is True
    assert "anna@example.com" in shop("contacts", "export").stdout
    assert shop.json("contacts", "show", "1")["data"]["mails"][0]["state"] == "sent"
    assert "pg_dump" in shop("db", "backup", str(tmp_path / "x"), code=3).stderr


def test_a_small_shop_moves_to_postgresql_once_its_daemons_are_stopped(busy: Shop, postgres_url: str) -> None:
    now = busy.clock.now()
    with Database(f"sqlite:///{busy.folder / 'nurture.db'}") as database:
        database.transact(lambda tx: beat(tx, "host-7", {}, now))
        assert "host-7" in busy("db", "copy-to", postgres_url, "--yes", code=3).stderr
        database.transact(lambda tx: leave(tx, "host-7", now))
    told = busy("db", "copy-to", postgres_url, "--yes").stdout
    assert told.endswith("and were compared.\n")
    env = (busy.folder / ".env").read_text()
    busy.write(".env", f"{env}NURTURE_DATABASE_URL={postgres_url}\n")
    assert [one["email"] for one in busy.json("contacts", "list")["data"]] == ["anna@example.com", "ben@example.com"]

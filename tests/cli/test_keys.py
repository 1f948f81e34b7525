"""Keys: shown once, listed without their secrets, revoked for good."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import Any


def test_a_key_is_shown_once_and_only_its_hash_is_kept(applied: Any) -> None:
    key = applied("keys", "create", "shop", "--scope", "events").stdout.strip()

    assert re.fullmatch(r"nk_[0-9a-f]{12}_[\w-]{43}", key)
    assert key not in applied("keys", "list").stdout
    with closing(sqlite3.connect(applied.folder / "nurture.db")) as database:
        assert key.split("_", 2)[2] not in "\n".join(database.iterdump())


def test_keys_are_listed_with_what_they_are_for(applied: Any) -> None:
    key = applied.json("keys", "create", "shop", "--scope", "events", "--scope", "read")["data"]["key"]

    (listed,) = applied.json("keys", "list")["data"]["keys"]

    assert listed["id"] == key.split("_")[1]
    assert (listed["name"], listed["scopes"], listed["revoked_at"]) == ("shop", ["events", "read"], None)


def test_a_revoked_key_stays_on_the_list(applied: Any) -> None:
    key = applied("keys", "create", "shop", "--scope", "events").stdout.strip()
    id_ = key.split("_")[1]

    applied("keys", "revoke", id_, "--yes")

    assert applied.json("keys", "list")["data"]["keys"][0]["revoked_at"]
    assert "no such key in force" in applied("keys", "revoke", id_, "--yes", code=1).output


def test_a_key_without_a_proper_name_or_scope_is_refused(applied: Any) -> None:
    assert "printable" in applied("keys", "create", " ", "--scope", "events", code=1).output
    assert "Missing option '--scope'" in applied("keys", "create", "x", code=2).output
    assert "There are no keys" in applied("keys", "list").stdout

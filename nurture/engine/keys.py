"""Keys of the API: made, listed, checked, revoked. A key is shown once; the database has its hash only.

A key is `nk_` + public part + `_` + 256 random bits. The public part finds the row; the hash of the whole decides.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from nurture.errors import NurtureError
from nurture.storage import keys as rows
from nurture.storage.database import Database, Transaction
from nurture.storage.keys import StoredKey

PREFIX = "nk_"
USE_IS_NOTED = timedelta(minutes=1)
LONGEST_NAME = 100


class Scope(StrEnum):
    """What a key is good for. `admin` is good for everything.

    `browser` keys stand in public pages: they may tell events and say things about people, but never change who
    somebody is: no new address for a known person, no two known people made one.
    """

    BROWSER = "browser"
    EVENTS = "events"
    READ = "read"
    PEOPLE = "people"
    ADMIN = "admin"


def create_key(database: Database, name: str, scopes: Collection[Scope], now: datetime) -> str:
    """A new key, in clear for the only time. Raises NurtureError."""
    if not scopes:
        raise NurtureError(f"a key needs a scope: {', '.join(Scope)}")
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise NurtureError(f"a key needs a name of at most {LONGEST_NAME} printable characters")
    id_ = secrets.token_hex(6)
    key = f"{PREFIX}{id_}_{secrets.token_urlsafe(32)}"
    database.transact(lambda tx: rows.add_key(tx, id_, _hash(key), name.strip(), scopes, now))
    return key


def list_keys(database: Database) -> list[StoredKey]:
    """All keys, oldest first."""
    with database.read() as tx:
        return rows.all_keys(tx)


def revoke_key(database: Database, id_: str, now: datetime) -> None:
    """No request with this key is answered any more, a few seconds from now at the latest. Raises NurtureError."""
    if not database.transact(lambda tx: rows.revoke_key(tx, id_.removeprefix(PREFIX).partition("_")[0], now)):
        raise NurtureError("there is no such key in force; nurture keys list shows them all")


def check_key(database: Database, key: str, now: datetime) -> StoredKey | None:
    """The key in force that this is, None if it is none. Its use is noted once a minute."""
    id_ = id_of(key)
    if id_ is None:
        return None
    with database.read() as tx:
        found = rows.key_of(tx, id_)
    # compared even where there is nothing to compare with, so that time tells nothing
    fits = hmac.compare_digest(_hash(key), found.hash if found is not None else "0" * 64)
    if found is None or not fits or found.revoked_at is not None:
        return None
    if found.used_at is None or now - found.used_at > USE_IS_NOTED:

        def note(tx: Transaction) -> None:
            rows.key_was_used(tx, id_, now)

        database.transact(note)
    return found


def id_of(key: str) -> str | None:
    """The public part of a key; None for a text that is no key."""
    if not key.startswith(PREFIX) or not key.isascii() or len(key) > 100:
        return None
    id_, underscore, secret = key.removeprefix(PREFIX).partition("_")
    return id_ if underscore and len(secret) >= 40 and id_.isalnum() else None


def allows(key: StoredKey, scope: Scope) -> bool:
    """Whether a key is good for something."""
    return scope in key.scopes or Scope.ADMIN in key.scopes


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()

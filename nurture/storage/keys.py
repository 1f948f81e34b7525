"""Keys of the API: hashes only, found by their public part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from nurture.storage.database import Transaction
from nurture.storage.tables import api_keys

_k = api_keys.c


@dataclass(frozen=True, slots=True)
class StoredKey:
    """`hash` is the SHA-256 of the whole key, in hex."""

    id: str
    hash: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None


def add_key(tx: Transaction, id_: str, digest: str, name: str, scopes: Iterable[str], now: datetime) -> None:
    row = {"id": id_, "hash": digest, "name": name, "scopes": sorted(scopes), "created_at": now}
    tx.execute(insert(api_keys), row)


def key_of(tx: Transaction, id_: str) -> StoredKey | None:
    row = tx.execute(_KEYS.where(_k.id == id_)).first()
    return _read(row) if row is not None else None


def all_keys(tx: Transaction) -> list[StoredKey]:
    """Oldest first, revoked ones too."""
    return [_read(row) for row in tx.execute(_KEYS.order_by(_k.created_at, _k.id))]


def revoke_key(tx: Transaction, id_: str, now: datetime) -> bool:
    """False if there is none, or none in force."""
    return tx.execute(update(api_keys).where(_k.id == id_, _k.revoked_at.is_(None)).values(revoked_at=now)).rowcount > 0


def key_was_used(tx: Transaction, id_: str, now: datetime) -> None:
    tx.execute(update(api_keys).where(_k.id == id_).values(used_at=now))


_KEYS = select(_k.id, _k.hash, _k.name, _k.scopes, _k.created_at, _k.revoked_at, _k.used_at)


def _read(row: Sequence[Any]) -> StoredKey:
    id_, digest, name, scopes, created_at, revoked_at, used_at = row
    return StoredKey(id_, digest, name, frozenset(scopes), created_at, revoked_at, used_at)

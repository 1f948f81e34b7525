"""Alembic's way in. It is always run by `nurture.storage.schema`, which hands over an open connection."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import JSON, BigInteger

from nurture.storage.tables import metadata
from nurture.storage.types import UTCDateTime


def render(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Our own types by the names that `script.py.mako` imports."""
    if kind != "type":
        return False
    if isinstance(item, UTCDateTime):
        return "UTCDateTime()"
    if isinstance(item, BigInteger):
        return "BigId"
    return "Json" if isinstance(item, JSON) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=render,
    render_as_batch=True,  # SQLite changes a table by rebuilding it
    transactional_ddl=True,  # our connections say BEGIN before DDL on SQLite too: a killed migration leaves nothing
    transaction_per_migration=False,
    compare_type=True,
    compare_server_default=True,
)
context.run_migrations()

from __future__ import annotations

import pytest
from sqlalchemy import text

from nurture.errors import StorageError
from nurture.storage import schema
from nurture.storage.database import Database


def test_an_empty_database_is_told_apart_and_brought_to_the_head(empty_url: str) -> None:
    with Database(empty_url) as database:
        with pytest.raises(StorageError, match="is empty"):
            schema.require_current(database)
        upgraded = schema.upgrade(database)
        assert (upgraded.before, upgraded.after, upgraded.backup) == (None, schema.head(), None)
        schema.require_current(database)
        assert not schema.upgrade(database).changed


def test_the_migrated_schema_is_the_schema_of_the_tables(database: Database) -> None:
    assert schema.differences(database) == []


def test_a_schema_of_a_newer_nurture_is_refused(database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for action in (schema.require_current, schema.upgrade):
        with pytest.raises(StorageError, match="newer nurture"):
            action(database)

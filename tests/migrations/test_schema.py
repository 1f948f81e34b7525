"""The schema: made by migrations, equal to the tables, never half there, never guessed at."""

from __future__ import annotations

import io
import re
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from nurture.errors import StorageError
from nurture.storage import schema
from nurture.storage.database import Database
from nurture.storage.tables import metadata


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


def test_alembic_itself_finds_nothing_to_migrate(database: Database) -> None:
    with database.write() as tx:
        config = schema.configuration(tx.connection)
        command.check(config)  # raises when the tables have moved on without a migration
        assert isinstance(config.stdout, io.StringIO)


def test_sqlite_tables_are_word_for_word_those_a_fresh_create_would_make(sqlite_url: str, tmp_path: Path) -> None:
    """What comparison by names cannot see: CHECKs, partial indexes, WITHOUT ROWID, AUTOINCREMENT, cascades."""
    with Database(sqlite_url) as migrated, Database(f"sqlite:///{tmp_path}/fresh.db") as fresh:
        schema.upgrade(migrated)
        metadata.create_all(fresh.engine)
        assert _sqlite_words(migrated) == _sqlite_words(fresh)


def _sqlite_words(database: Database) -> dict[str, str]:
    with database.read() as tx:
        rows = tx.execute(
            text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'")
        )
        return {name: " ".join(sorted(re.sub(r",\s", " ", sql).split())) for name, sql in rows}


def test_postgres_tables_are_those_a_fresh_create_would_make(postgres_server: Any) -> None:
    urls = [postgres_server.create(), postgres_server.create()]
    with Database(urls[0]) as migrated, Database(urls[1]) as fresh:
        schema.upgrade(migrated)
        metadata.create_all(fresh.engine)
        assert _postgres_words(migrated) == _postgres_words(fresh)
    for url in urls:
        postgres_server.drop(url)


def _postgres_words(database: Database) -> list[tuple[Any, ...]]:
    queries = (
        """SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
           WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2""",
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
           ORDER BY 1, 2""",
        """SELECT indexname, indexdef FROM pg_indexes
           WHERE tablename <> 'alembic_version' AND schemaname = 'public' ORDER BY 1""",
    )
    with database.read() as tx:
        return [tuple(row) for query in queries for row in tx.execute(text(query))]


def test_a_schema_of_a_newer_nurture_is_refused(database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for action in (schema.require_current, schema.upgrade):
        with pytest.raises(StorageError, match="newer nurture"):
            action(database)


def test_a_migration_killed_midway_leaves_nothing_and_is_run_again(empty_url: str) -> None:
    script = Path(__file__).with_name("kill_worker.py")
    worker = subprocess.Popen([sys.executable, str(script), empty_url], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "half way\n"
    worker.kill()
    worker.wait()
    worker.stdout.close()
    with Database(empty_url) as database:
        assert schema.current(database) is None
        assert schema.upgrade(database).changed
        assert schema.differences(database) == []


def test_daemons_that_upgrade_at_once_do_it_once(empty_url: str) -> None:
    def upgrade(_: int) -> str:
        with Database(empty_url) as database:
            return schema.upgrade(database).after

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(upgrade, range(4))) == {schema.head()}
    with Database(empty_url) as database:
        assert schema.differences(database) == []


@pytest.fixture
def next_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations with one more, that rebuilds the contacts of SQLite."""
    place = tmp_path / "migrations"
    shutil.copytree(schema.migrations(), place)
    (place / "versions" / "9998_next.py").write_text(
        f"revision, down_revision, branch_labels, depends_on = '9998', {schema.head()!r}, None, None\n"
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        "def upgrade():\n"
        "    again = 'always' if op.get_bind().dialect.name == 'sqlite' else 'never'\n"
        "    with op.batch_alter_table('contacts', recreate=again) as batch:\n"
        "        batch.add_column(sa.Column('nickname', sa.Text()))\n"
    )
    monkeypatch.setattr(schema, "migrations", lambda: place)
    return place


def test_an_upgrade_keeps_the_rows_and_what_hangs_on_them_and_copies_the_file_first(
    database: Database, next_migration: Path
) -> None:
    at = "0" if database.dialect == "sqlite" else "now()"
    empty = "'{}'" if database.dialect == "sqlite" else "CAST('{}' AS jsonb)"
    with database.write() as tx:
        tx.execute(
            text(
                "INSERT INTO contacts (email, attributes, created_at, consent, opted_out, memberships, enrols, "
                f"next_seq, version) VALUES ('a@example.com', {empty}, {at}, 'none', {empty}, {empty}, true, 1, 0)"
            )
        )
        tx.execute(
            text(
                "INSERT INTO events (contact_id, name, at, received_at, properties, source, message_id) "
                f"VALUES (1, 'Viewed', {at}, {at}, {empty}, 'shop', 'm1')"
            )
        )
    head = schema.current(database)
    with pytest.raises(StorageError, match="nurture db upgrade"):
        schema.require_current(database)
    upgraded = schema.upgrade(database)
    assert (upgraded.before, upgraded.after) == (head, "9998")
    with database.read() as tx:
        assert tx.execute(
            text("SELECT contacts.id, nickname, name FROM contacts JOIN events ON contact_id = contacts.id")
        ).all() == [(1, None, "Viewed")]
    if database.dialect == "postgresql":
        assert upgraded.backup is None
        return
    assert upgraded.backup is not None
    with closing(sqlite3.connect(upgraded.backup)) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [(head,)]
        assert copy.execute("SELECT email FROM contacts").fetchall() == [("a@example.com",)]


def test_the_migrations_are_found_and_start_from_nothing() -> None:
    versions = list((schema.migrations() / "versions").glob("*.py"))
    assert versions
    assert schema.head() == max(version.stem[:4] for version in versions)

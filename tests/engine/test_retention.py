"""Retention: old lines go, people and what conditions may ask about stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nurture.domain.needs import needs_of
from nurture.engine.advance import advance
from nurture.engine.hold import awaken, back_up, release
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.engine.retention import forget
from nurture.errors import StorageError
from nurture.language.compile import compile_project
from nurture.storage.database import Database
from nurture.storage.reports import ledger_since

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
FILES = {
    "campaigns/_project.yaml": """
version: 1
lifecycle: {stages: [lead, customer], first: lead, moves: [{to: customer, from: lead, on: Order Completed}]}
senders: {shop: {name: Shop, email: hello@shop.example}}
postal_address: Shop, Street 1, 00100 Helsinki, Finland
topics: {news: {title: News}}
caps: [{max: 1, per: 90 days}]
consent: {granted_by: [Signed Up], withdrawn_by: [Signed Off]}
""",
}


def _live(database: Database, now: datetime) -> None:
    compiled = compile_project(FILES)
    assert compiled.programme is not None, compiled.problems
    while advance(database, compiled.programme, needs_of(compiled.programme), now).turns:
        pass


def test_old_lines_of_the_ledger_go_and_young_ones_stay(database: Database) -> None:
    programme = compile_project(FILES).programme
    assert programme is not None
    ingest(database, [IncomingEvent(name="Signed Up", email="ana@example.com")], NOW)
    _live(database, NOW)
    later = NOW + timedelta(days=400)
    ingest(database, [IncomingEvent(name="Order Completed", email="ana@example.com")], later)
    _live(database, later)
    assert forget(database, programme, timedelta(days=365), "me", later) > 0
    with database.read() as tx:
        left = ledger_since(tx)
    assert left
    assert all(line.fact.at == later for line in left)


def test_what_caps_still_count_is_kept_however_short_the_retention(database: Database) -> None:
    programme = compile_project(FILES).programme
    assert programme is not None
    ingest(database, [IncomingEvent(name="Signed Up", email="ana@example.com")], NOW)
    _live(database, NOW)
    assert forget(database, programme, timedelta(days=1), "me", NOW + timedelta(days=60)) == 0


def test_only_one_daemon_forgets_at_a_time(database: Database) -> None:
    programme = compile_project(FILES).programme
    assert programme is not None
    ingest(database, [IncomingEvent(name="Signed Up", email="ana@example.com")], NOW)
    _live(database, NOW)
    later = NOW + timedelta(days=400)
    assert forget(database, programme, timedelta(days=365), "me", later) > 0
    ingest(database, [IncomingEvent(name="Order Completed", email="ana@example.com")], NOW)
    assert forget(database, programme, timedelta(days=365), "you", later) == 0


def test_a_backup_that_is_put_back_waits_for_somebody_to_confirm(database: Database, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    if database.dialect == "postgresql":
        with pytest.raises(StorageError, match="pg_dump"):
            back_up(database, target, NOW)
        return
    back_up(database, target, NOW)
    assert awaken(database, NOW).held is None
    with Database(f"sqlite:///{target}", address_secret=database.address_secret) as restored:
        assert "backup of 2026-05-04 09:00 UTC" in str(awaken(restored, NOW + timedelta(days=1)).held)
        release(restored, NOW + timedelta(days=1))
        assert awaken(restored, NOW + timedelta(days=1)).held is None

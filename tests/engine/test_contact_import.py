"""Importing a file of contacts: rehearsed without a trace, then done, the same on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from nurture.domain.contact import Consent, SuppressionReason
from nurture.engine.contact_import import Wishes, rehearse, take_in, taken_before
from nurture.intake.contacts_csv import ContactFile, look_at
from nurture.storage.contacts import count, find
from nurture.storage.database import Database
from nurture.storage.queue import claim_due
from nurture.storage.suppressions import suppression_of
from nurture.storage.tables import consents, contacts

NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
WISHES = Wishes("form, 2024", {"buyer": "customer"}, "somebody@here")

PEOPLE = """email,first_name,stage,consent
ana@example.com,Ana,Buyer,subscribed
BEN@example.com,Ben,,unsubscribed
cid@example.com,Cid,vip,cleaned
dora@example.com,Dora,,
not an address,Eve,,
ana@EXAMPLE.com,Anna,,subscribed
"""


@pytest.fixture
def source(tmp_path: Path) -> ContactFile:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    return look_at(path)


def test_a_rehearsal_counts_and_leaves_no_trace(database: Database, source: ContactFile) -> None:
    taken = rehearse(database, source, WISHES, NOW)
    assert (taken.rows, taken.created, taken.suppressed, taken.refused) == (6, 4, 1, 1)
    with database.read() as tx:
        assert count(tx) == 0
        assert suppression_of(tx, "cid@example.com") is None
    assert taken_before(database, source.path) is None


def test_people_come_in_with_what_each_of_them_said(database: Database, source: ContactFile) -> None:
    taken = take_in(database, source, WISHES, NOW)
    assert (taken.rows, taken.created, taken.refused, taken.unchanged) == (6, 4, 1, 1)
    assert [row.line for row in taken.rejected] == [6]
    assert dict(taken.notes) == {"the stage vip is not one of ours and was left out": 1}
    with database.read() as tx:
        people = {name: find(tx, f"{name}@example.com") for name in ("ana", "ben", "cid", "dora")}
        consents = {name: person.consent for name, person in people.items() if person is not None}
        assert consents == {
            "ana": Consent.GRANTED, "ben": Consent.WITHDRAWN, "cid": Consent.NONE, "dora": Consent.NONE,
        }  # fmt: skip
        suppressed = suppression_of(tx, "cid@example.com")
    ana = people["ana"]
    assert ana is not None
    assert (ana.stage, ana.attributes, ana.enrols) == ("customer", {"first_name": "Anna"}, False)
    assert suppressed is not None
    assert suppressed.reason is SuppressionReason.BOUNCED
    assert taken_before(database, source.path) == NOW


def test_the_same_file_again_changes_nothing(database: Database, source: ContactFile) -> None:
    take_in(database, source, WISHES, NOW)
    with database.write() as tx:
        claim_due(tx, NOW, 100)
    again = take_in(database, source, WISHES, NOW)
    assert (again.created, again.suppressed, again.refused) == (0, 0, 1)
    with database.read() as tx:
        assert count(tx) == 4


def test_the_proof_of_a_yes_is_as_old_as_the_yes_and_a_no_counts_from_now(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(
        "email,consent,consent_at\nold@example.com,yes,2024-03-01T10:00:00+01:00\nnew@example.com,yes,2099-01-01\n"
        "bare@example.com,yes,\nno@example.com,no,2024-03-01\nold@example.com,,2025-01-01\n"
    )
    take_in(database, look_at(path), WISHES, NOW)
    with database.read() as tx:
        query = select(contacts.c.email, consents.c.at, consents.c.granted, consents.c.source).join_from(
            consents, contacts, consents.c.contact_id == contacts.c.id
        )
        proofs = {email: proof for email, *proof in tx.execute(query)}
    assert proofs == {
        "old@example.com": [datetime(2024, 3, 1, 9, tzinfo=UTC), True, "form, 2024"],
        "new@example.com": [NOW, True, "form, 2024"],
        "bare@example.com": [NOW, True, "form, 2024"],
        "no@example.com": [NOW, False, "form, 2024"],
    }


def test_many_chunks_are_one_import(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("email\n" + "".join(f"p{number}@example.com\n" for number in range(11_000)))
    seen: list[int] = []
    taken = take_in(database, look_at(path), WISHES, NOW, seen.append)
    assert taken.created == 11_000
    assert seen == [10_000, 11_000]
    with database.read() as tx:
        assert count(tx) == 11_000

"""Everything that is kept beside the hot path: people, suppressions, revisions, duties, calls, reports, copies."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from nurture.domain.contact import SuppressionReason
from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.retry import Attempt, Phase
from nurture.domain.snapshot import ConsentChange, Outgoing, StageChange
from nurture.errors import ConflictError, StorageError
from nurture.storage import backup, contacts, duties, figures, outbox, reports, revisions, schema, suppressions
from nurture.storage.database import Database
from nurture.storage.identities import Identity
from nurture.storage.kept_mails import KeptMail
from nurture.storage.kept_mails import keep as keep_mails
from nurture.storage.names import remember
from nurture.storage.outcomes import Outcome, record_outcomes
from nurture.storage.quarantine import Held, keep
from nurture.storage.tables import NameKind, metadata
from nurture.storage.types import dump_json

World = Any


def full_life(world: World, email: str = "ana.secret@example.com", name: str = "Ana Secret") -> int:
    """A person with rows in every personal table."""
    person = world.person(email)
    world.plan(person)
    (claim,) = world.claim()
    world.gate([claim])
    attempt = Attempt(Phase.DONE, 250, "2.0.0", f"queued for {email}")
    with world.database.write() as tx:
        record_outcomes(
            tx, [Outcome(*claim.key, claim.epoch, DeliveryState.SENT, world.now, attempt=attempt)], "me", world.now
        )
        keep_mails(
            tx, [KeptMail(*claim.key, "b+x@shop.example", email, None, needs_smtputf8=False, data=name.encode())]
        )
    world.turn(
        person,
        attributes={"first_name": name},
        stages=[StageChange(world.now, None, "purchase")],
        consents=[ConsentChange(world.now, True, None, None, "form")],
        outgoing=[Outgoing("webhook", "crm", world.now, {"email": email})],
        facts=[Fact(world.now, FactKind.SENT, Reason.ACCEPTED, "cart", 1, "reminder", 2, {"to": email})],
        due_at=world.now + timedelta(days=1),
    )
    world.tell("Viewed", email, who_asked=name)
    return person


# --- people


def test_a_person_is_found_by_whatever_somebody_types(world: World) -> None:
    world.tell(None, "Ana@Example.com", external_id="crm-7", attributes={})
    with world.database.read() as tx:
        assert {contacts.find(tx, name).id for name in ("ana@example.COM", "crm-7", "1")} == {1}  # type: ignore[union-attr]
        assert [contacts.find(tx, name) for name in ("bob@example.com", "crm-8", "2", "@", "99999999999999999999")] == [
            None
        ] * 5
        assert list(contacts.get_many(tx, [1, 2])) == [1]


def test_people_are_listed_page_by_page_and_by_what_their_names_begin_with(world: World) -> None:
    for name in ("ana", "anna", "bob", "a_a"):
        world.person(f"{name}@example.com")
    world.turn(2, stage="purchase")
    with world.database.read() as tx:
        assert [c.id for c in contacts.search(tx, limit=2)] == [1, 2]
        assert [c.id for c in contacts.search(tx, after=2)] == [3, 4]
        assert [c.id for c in contacts.search(tx, "AN")] == [1, 2]
        assert [c.id for c in contacts.search(tx, "a_")] == [4], "_ is a letter here"
        assert [c.id for c in contacts.search(tx, stage="purchase")] == [2]
        assert contacts.count(tx) == 4
        assert list(contacts.ids(tx, batch=3)) == [[1, 2, 3], [4]]


def test_changing_a_person_by_hand_wakes_her_and_shuts_gates(world: World) -> None:
    person = world.person()
    before = world.snapshot(person).contact.version
    with world.database.write() as tx:
        assert contacts.upsert(tx, [Identity(contact_id=person, attributes={"vip": True})], world.now) == [person]
    assert world.snapshot(person).contact.version == before + 1
    assert world.due() == [person]


def name_everybody(world: World, person: int) -> None:
    with world.database.write() as tx:
        remember(tx, [((NameKind.ANONYMOUS, f"browser-{person}-secret"), person)])


def test_an_export_holds_every_row_about_a_person_and_is_plain(world: World) -> None:
    person = full_life(world)
    name_everybody(world, person)
    with world.database.read() as tx:
        everything = contacts.export(tx, person)
        assert everything is not None
        assert contacts.export(tx, 99) is None
    assert {name for name, rows in everything.items() if not rows} == {"suppression"}
    personal = {table.name for table in metadata.sorted_tables if "contact_id" in table.c} - {"due"}
    assert personal <= set(everything), "a table with contact_id is missing from the export"
    json.loads(dump_json(everything))


def test_an_erasure_leaves_nothing_but_the_hash_that_keeps_the_promise(world: World) -> None:
    person, other = full_life(world), full_life(world, "bob@example.com", "Bob")
    name_everybody(world, person)
    with world.database.write() as tx:
        remember(
            tx, [((NameKind.ANONYMOUS, "bob"), other), ((NameKind.EMAIL, "ana.before.secret@example.com"), person)]
        )
        keep(tx, [Held("segment", "too long", '{"traits": {"email": "ana.secret@example.com"}}')], world.now)
        assert contacts.erase(tx, person, world.now)
        assert not contacts.erase(tx, person, world.now)
    with world.database.read() as tx:
        for table in metadata.sorted_tables:
            rows = dump_json([list(row) for row in tx.execute(select(table))]).lower()
            assert "secret" not in rows, table.name
            if "contact_id" in table.c:
                kept = set(tx.execute(select(table.c.contact_id)).scalars())
                assert kept == {other}, table.name
        found = suppressions.suppression_of(tx, "Ana.Secret@example.com")
        before = suppressions.suppression_of(tx, "ana.before.secret@example.com")
    assert before is not None
    assert before.reason is SuppressionReason.ERASED
    assert found is not None
    assert (found.reason, found.at) == (SuppressionReason.ERASED, world.now)


# --- suppressions


def test_a_suppression_keeps_its_first_reason_and_is_lifted_by_hand(world: World) -> None:
    person = world.person()
    with world.database.write() as tx:
        new = suppressions.suppress(
            tx, ["ANA@example.com", "ghost@example.com"], SuppressionReason.BOUNCED, world.now, "import"
        )
        assert new == 2
        assert suppressions.suppress(tx, ["ana@example.com"], SuppressionReason.MANUAL, world.now, "cli") == 0
        assert suppressions.suppress(tx, [], SuppressionReason.MANUAL, world.now, "cli") == 0
        assert suppressions.count_suppressions(tx) == {SuppressionReason.BOUNCED: 2}
        assert [line.fact.kind for line in reports.ledger_of(tx, person)] == [FactKind.SUPPRESSED]
    assert world.snapshot(person).contact.suppressed is SuppressionReason.BOUNCED
    assert world.due() == [person]
    with world.database.write() as tx:
        assert suppressions.unsuppress(tx, "ana@example.com", world.now, "cli")
        assert not suppressions.unsuppress(tx, "ana@example.com", world.now, "cli")
    assert world.snapshot(person).contact.suppressed is None


def test_no_address_can_be_read_from_the_suppressions(world: World) -> None:
    with world.database.write() as tx:
        suppressions.suppress(tx, ["ana@example.com"], SuppressionReason.MANUAL, world.now, "cli")
        (row,) = tx.execute(text("SELECT * FROM suppressions")).all()
    assert "ana" not in str(row[0])
    assert len(row[0]) == 40


def test_a_database_knows_its_address_secret(world: World, database_url: str) -> None:
    with world.database.write() as tx:
        duties.require_secret(tx, world.now)
        duties.require_secret(tx, world.now)
    with (
        Database(database_url, address_secret="another") as other,
        other.write() as tx,
        pytest.raises(StorageError, match="address secret"),
    ):
        duties.require_secret(tx, world.now)


# --- revisions


def test_a_revision_gives_back_the_files_it_was_made_of(world: World) -> None:
    files = {"campaigns/welcome.yaml": "version: 1\n", "email_templates/a.html": "<p>ä</p>\r\n", "empty.html": ""}
    with world.database.write() as tx:
        assert revisions.latest(tx) is None
        assert revisions.store_revision(tx, files, world.now, "olga", expected=0) == 1
        files["campaigns/welcome.yaml"] = "version: 1\ncampaign: welcome\n"
        moved = {"welcome": {"old": "new", "gone": None}}
        assert revisions.store_revision(tx, files, world.now, "olga", moved=moved, expected=1) == 2
    with world.database.read() as tx:
        latest = revisions.latest(tx)
        assert latest is not None
        assert (latest.number, latest.by, latest.applied_at, latest.moved) == (2, "olga", world.now, moved)
        assert revisions.sources_of(tx, 2) == files
        assert revisions.sources_of(tx, 1)["campaigns/welcome.yaml"] == "version: 1\n"
        assert [revision.number for revision in revisions.list_revisions(tx)] == [2, 1]
        assert tx.execute(text("SELECT count(*) FROM blobs")).scalar() == 4, "what did not change is kept once"
        with pytest.raises(StorageError, match="no revision 3"):
            revisions.sources_of(tx, 3)


def test_a_plan_that_was_overtaken_is_not_applied(world: World) -> None:
    with world.database.write() as tx:
        revisions.store_revision(tx, {}, world.now, "olga")
        with pytest.raises(ConflictError, match="applied meanwhile"):
            revisions.store_revision(tx, {}, world.now, "paul", expected=0)


def test_a_file_that_was_altered_in_the_database_is_noticed(world: World) -> None:
    with world.database.write() as tx:
        revisions.store_revision(tx, {"a.yaml": "a"}, world.now, "olga")
        tx.execute(text("UPDATE blobs SET text = 'b'"))
        with pytest.raises(StorageError, match=r"a\.yaml"):
            revisions.sources_of(tx, 1)


# --- what daemons share


def test_a_duty_has_one_owner_until_the_lease_ends(world: World) -> None:
    def hold(owner: str) -> bool:
        with world.database.write() as tx:
            return duties.hold_duty(tx, "rollups", owner, world.now, timedelta(minutes=1))

    assert [hold("a"), hold("b"), hold("a")] == [True, False, True]
    world.now += timedelta(minutes=1)
    assert [hold("b"), hold("a")] == [True, False]
    with world.database.write() as tx:
        duties.leave_duty(tx, "rollups", "a")
        duties.leave_duty(tx, "rollups", "b")
    assert hold("a")


def test_a_duty_by_the_clock_of_the_server(postgres_server: Any, world: World) -> None:
    url = postgres_server.migrated()
    with Database(url) as database, database.write() as tx:
        wrong = world.now + timedelta(days=9999)
        assert duties.hold_duty(tx, "x", "a", world.now, timedelta(minutes=1))
        assert not duties.hold_duty(tx, "x", "b", wrong, timedelta(minutes=1)), (
            "a host with a fast clock steals nothing"
        )
        assert duties.hold_duty(tx, "x", "a", world.now, timedelta(seconds=-1))
        assert duties.hold_duty(tx, "x", "b", world.now, timedelta(minutes=1))
    postgres_server.drop(url)


def test_marks_are_kept_and_forgotten(world: World) -> None:
    with world.database.write() as tx:
        duties.mark(tx, "hold", {"why": "clock"}, world.now)
        duties.mark(tx, "hold", {"why": "restored"}, world.now)
        assert duties.marked(tx, "hold") == {"why": "restored"}
        duties.mark(tx, "hold", None, world.now)
        assert duties.marked(tx, "hold") is None


def test_calls_are_made_until_they_are_done_or_given_up(world: World) -> None:
    person = world.person()
    world.turn(person, outgoing=[Outgoing("webhook", "crm", world.now, {"n": n}) for n in range(3)])

    def claim() -> list[outbox.Call]:
        with world.database.write() as tx:
            return outbox.claim_calls(tx, world.now, 10, timedelta(minutes=5))

    first = claim()
    assert [(call.payload, call.tries) for call in first] == [({"n": n}, 1) for n in range(3)]
    assert claim() == []
    with world.database.write() as tx:
        outbox.finish_call(tx, first[0].id, world.now)
        outbox.fail_call(tx, first[1].id, "refused", None)
    world.now += timedelta(minutes=5)
    (again,) = claim()
    assert again == replace(first[2], tries=2)


# --- reports


def test_the_ledger_is_read_by_person_by_campaign_and_from_where_one_was(world: World) -> None:
    for email in ("ana@example.com", "bob@example.com"):
        person = world.person(email)
        world.turn(
            person,
            facts=[
                Fact(world.now, FactKind.PLANNED, None, "cart", 1, "a"),
                Fact(world.now, FactKind.LEFT, Reason.STOP_EVENT, "cart", 1),
            ],
        )
    with world.database.read() as tx:
        assert [line.fact.kind for line in reports.ledger_of(tx, 1)] == [FactKind.PLANNED, FactKind.LEFT]
        assert [line.fact.kind for line in reports.ledger_of(tx, 1, limit=1)] == [FactKind.LEFT]
        assert len(reports.ledger_of_campaign(tx, "cart", world.now)) == 4
        assert reports.ledger_of_campaign(tx, "cart", world.now + timedelta(seconds=1)) == []
        last = reports.ledger_since(tx, limit=3)[-1]
        assert [line.contact_id for line in reports.ledger_since(tx, last.id)] == [2]
        assert reports.count_facts(tx, "cart", since=world.now, until=world.now + timedelta(days=1)) == {
            ("cart", "a", FactKind.PLANNED, None): 2,
            ("cart", None, FactKind.LEFT, Reason.STOP_EVENT): 2,
        }


def test_who_stands_where_is_counted_and_listed(world: World) -> None:
    for n in range(3):
        world.plan(world.person(f"p{n}@example.com"), step="a" if n else "b")
    with world.database.read() as tx:
        assert reports.standing(tx, "cart") == {"a": 2, "b": 1}
        page = reports.inside(tx, "cart", limit=2)
        rest = reports.inside(tx, "cart", after=(page[-1][0], page[-1][1].seq))
        assert [contact for contact, _ in page + rest] == [1, 2, 3]
        assert [enrolment.campaign for enrolment in reports.enrolments_of(tx, 1)] == ["cart"]


def test_the_audit_reads_every_mail_that_takes_a_slot(world: World) -> None:
    full_life(world)
    bob = world.person("bob@example.com")
    world.plan(bob)
    world.plan(bob, step="ghost", state=DeliveryState.GHOST)
    with world.database.read() as tx:
        found = [(mail.contact_id, mail.at, mail.state) for mail in reports.audit_mails(tx)]
    assert found == [(1, world.now, DeliveryState.SENT), (2, None, DeliveryState.PLANNED)]


def test_the_queue_tells_what_waits_and_since_when(world: World) -> None:
    world.plan(world.person("bob@example.com"), not_before=world.now + timedelta(minutes=1))
    full_life(world)
    world.now += timedelta(minutes=1)
    before = world.now - timedelta(minutes=1)
    with world.database.read() as tx:
        queue = figures.queue(tx, world.now)
        assert (queue.due, queue.oldest_due, queue.unprocessed, queue.calls) == (1, before, 1, 1)
        assert (queue.ready, queue.oldest_ready, queue.held) == (1, world.now, 0)
        assert figures.people(tx) == (2, 2)
        assert figures.latest_event(tx) == before
        assert figures.outcomes(tx, before, "cart") == {DeliveryState.SENT: 1}


# --- copies


def test_a_database_moves_to_the_other_kind_and_goes_on_counting(
    world: World, sqlite_url: str, postgres_url: str
) -> None:
    full_life(world)
    with world.database.write() as tx:
        revisions.store_revision(tx, {"a.yaml": "ä"}, world.now, "olga")
    gone = world.person("gone@example.com")
    with world.database.write() as tx:
        contacts.erase(tx, gone, world.now)
    other = postgres_url if world.database.dialect == "sqlite" else sqlite_url
    seen: list[str] = []
    with Database(other, address_secret="a secret for tests") as target:
        with pytest.raises(StorageError, match="is empty"):
            backup.copy_database(world.database, target)
        schema.upgrade(target)
        copied = backup.copy_database(world.database, target, progress=lambda table, rows: seen.append(table))
        assert (copied.rows["contacts"], copied.rows["deliveries"]) == (1, 1)
        assert "ledger" in seen
        with world.database.read() as old, target.read() as new:
            assert contacts.export(old, 1) == contacts.export(new, 1)
            assert revisions.sources_of(new, 1) == {"a.yaml": "ä"}
        with target.write() as tx:
            assert contacts.upsert(tx, [Identity(email="new@example.com", attributes={})], world.now) == [gone + 1]
        with pytest.raises(StorageError, match="not empty"):
            backup.copy_database(world.database, target)


def test_postgres_is_backed_up_by_its_own_tools(postgres_url: str, tmp_path: Path) -> None:
    with Database(postgres_url) as database, pytest.raises(StorageError, match="pg_dump"):
        backup.backup(database, tmp_path / "x")

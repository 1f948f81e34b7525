"""The audit recounts: it finds every planted lie, and nothing in what went right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from nurture.engine.audit import Audit, audit
from nurture.testing.house import House, sources
from nurture.testing.smtp import ScriptedServer

Build = Callable[..., House]
AGAIN = "start: {event: Signed Up, again: always}\nsteps:\n  - {id: a, send: a}\n  - wait: 1 day\n"
CAPS = "caps:\n  - {max: 1, per: 20 hours}\n  - {max: 3, per: 7 days}\n"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def house(build: Build, server: ScriptedServer) -> House:
    """Ana has had three mails in eight days."""
    made = build(AGAIN, server=server, project=CAPS)
    made.consenting()
    for _ in range(3):
        made.tell("Signed Up")
        made.live_until("+30 hours")
    assert len(server.messages) == 3
    return made


def check(house: House) -> Audit:
    return audit(house.database, house.app.applied().programme, house.now)


def change(house: House, statement: str) -> None:
    with house.database.write() as tx:
        tx.execute(text(statement))


def test_a_life_without_fault_holds(house: House) -> None:
    found = check(house)
    assert found.holds
    assert (found.checked["contacts"], found.checked["mails"]) == (1, 3)


FIRST = "(SELECT min(seq) FROM deliveries)"
LAST = "(SELECT max(seq) FROM enrolments)"
INSIDE = "UPDATE enrolments SET state = 'active', node = 'wait>end', in_flight = NULL"
LINE = "contact_id, at, kind, reason, campaign, enrolment, step, delivery, detail, revision"
LIES: dict[str, tuple[str, str]] = {
    "two mails in one window": (
        "UPDATE deliveries SET settled_at = (SELECT min(settled_at) FROM deliveries)",
        "never one too many",
    ),
    "somebody who is forgotten": (f"{INSIDE}, due_at = NULL WHERE seq = {LAST}", "nobody is forgotten"),
    "somebody due who is not in the queue": (
        f"{INSIDE}, due_at = started_at WHERE seq = {LAST}",
        "nobody is forgotten",
    ),
    "a mail that may still go after the end": (
        f"UPDATE deliveries SET state = 'deferred', settled_at = NULL WHERE seq = {FIRST}",
        "a stop is a stop",
    ),
    "a mail that went after she had left": (
        f"UPDATE enrolments SET ended_at = (SELECT min(planned_at) FROM deliveries) WHERE seq = {LAST}",
        "a stop is a stop",
    ),
    "a mail that went to a suppressed address": (
        "INSERT INTO suppressions SELECT address_key, 'unsubscribed', created_at, 'test' FROM contacts",
        "a stop is a stop",
    ),
    "a mail that was sent twice": (
        (
            f"INSERT INTO ledger ({LINE}) SELECT {LINE} FROM ledger "
            "WHERE kind = 'sent' AND delivery = (SELECT min(seq) FROM deliveries)"
        ),
        "nobody is mailed twice",
    ),
    "a mail whose row is gone": (f"DELETE FROM deliveries WHERE seq = {FIRST}", "mails and ledger agree"),
    "a mail that never saw a gate": (
        f"UPDATE deliveries SET gated_at = NULL WHERE seq = {FIRST}",
        "nothing leaves without a gate",
    ),
    "a mail that went too late": (
        (
            f"UPDATE deliveries SET gated_at = (SELECT max(expires_at) FROM deliveries), expires_at = planned_at "
            f"WHERE seq = {FIRST}"
        ),
        "never late by accident",
    ),
}


# Some lies contradict more than one row.
BESIDE = {
    "a mail that may still go after the end": {"mails and ledger agree"},
    "a mail that went too late": {"a stop is a stop"},
}


@pytest.mark.parametrize("name", LIES)
def test_a_planted_lie_is_found(house: House, name: str) -> None:
    statement, rule = LIES[name]
    house.live_until("+3 days")
    assert check(house).holds
    change(house, "DELETE FROM due")
    change(house, statement)
    findings = check(house).findings
    assert {finding.rule for finding in findings} == {rule} | BESIDE.get(name, set())
    assert {finding.contact_id for finding in findings} == {house.id_of()}


@pytest.mark.parametrize("before", [True, False])
def test_what_she_asked_for_herself_is_recounted_from_when_she_did(
    house: House, server: ScriptedServer, before: bool
) -> None:
    house.tell("nurture.fewer_mails", days=30)
    house.advance()
    assert check(house).holds, "three mails in eight days, all before she asked"
    if before:
        change(house, "UPDATE events SET processed_at = (SELECT min(created_at) FROM contacts)")
        assert {(each.rule, "her own wish" in each.text) for each in check(house).findings} == {
            ("never one too many", True)
        }
    else:
        house.tell("Signed Up")
        house.live_until("+3 days")
        assert len(server.messages) == 3
        assert check(house).holds


def test_caps_that_were_tightened_later_accuse_nobody_of_the_past(house: House, server: ScriptedServer) -> None:
    tight = sources(AGAIN, project="caps:\n  - {max: 1, per: 7 days}\n")
    house.apply(tight)
    assert check(house).holds
    change(house, "UPDATE deliveries SET revision = 2")
    assert not check(house).holds


def test_caps_that_were_as_tight_before_still_count(house: House) -> None:
    house.apply(sources(AGAIN, project="caps:\n  - {max: 1, per: 20 hours}\n"))
    change(house, "UPDATE deliveries SET settled_at = (SELECT min(settled_at) FROM deliveries)")
    assert not check(house).holds


def test_people_of_a_campaign_paused_in_its_file_or_by_hand_are_not_forgotten(build: Build) -> None:
    from nurture.storage.controls import pause

    house = build("start: {event: Signed Up}\nsteps:\n  - wait: 1 day\n  - {id: a, send: a}\n")
    house.consenting()
    house.tell("Signed Up")
    house.drain()
    house.database.transact(lambda tx: pause(tx, "c", house.now, "hand"))
    house.live_until("+3 days")
    assert check(house).holds

"""The check that all laboratories rely on sees what it is there for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from nurture.storage.database import Database
from nurture.testing.house import ANA, SECRET, START, House, sources
from nurture.testing.invariants import broken, told
from nurture.testing.smtp import Received, ScriptedServer

BEN = "ben@people.example"
CAMPAIGNS = """\
start: {event: Signed Up}
steps:
  - {id: hello, send: hello}
  - {wait: 1 day}
  - {id: story, send: story}
"""


@pytest.fixture
def house(database: Database, tmp_path: Path, server: ScriptedServer) -> House:
    """Two people who got two mails each."""
    house = House(database, tmp_path, sources(CAMPAIGNS), server)
    house.apply()
    house.consenting(ANA, BEN)
    house.tell("Signed Up", ANA)
    house.tell("Signed Up", BEN)
    house.live_until("+3 days")
    assert len(server.copies) == 4
    return house


def names(house: House, copies: list[Received], **options: object) -> set[str]:
    lines = broken(house.database, copies, house.app.applied().programme, now=house.now, **options)  # type: ignore[arg-type]
    return {line.split(" ")[0] for line in lines}


def test_a_run_in_order_breaks_nothing(house: House, server: ScriptedServer) -> None:
    assert names(house, server.copies) == set()
    assert told(house.database) == told(house.database) != []


def _other(copy: Received) -> tuple[str, ...]:
    """Whoever this copy did not go to."""
    return (ANA,) if copy.recipients == (BEN,) else (BEN,)


DAMAGE: dict[str, tuple[Callable[[list[Received]], list[Received]], set[str]]] = {
    "a copy too many": (lambda c: [*c, c[0]], {"I1"}),
    "another mail under the same name": (lambda c: [*c, replace(c[0], data=c[0].data + b"x\r\n")], {"I1", "I8"}),
    "a copy that is missing": (lambda c: c[1:], {"I5"}),
    "a copy that is not ours": (lambda c: [*c, replace(c[0], data=b"Message-ID: <x@y>\r\n\r\nx\r\n")], {"I5"}),
    "another recipient": (lambda c: [replace(c[0], recipients=_other(c[0])), *c[1:]], {"I6"}),
    "two recipients": (lambda c: [replace(c[0], recipients=(ANA, BEN)), *c[1:]], {"I6"}),
    "another return path": (lambda c: [replace(c[0], sender=c[1].sender), *c[1:]], {"I6"}),
    "a refused copy is none": (lambda c: [*c, replace(c[0], code=451)], set()),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_the_counterparty_has_is_believed(house: House, server: ScriptedServer, name: str) -> None:
    damage, seen = DAMAGE[name]
    assert names(house, damage(list(server.copies))) == seen


def test_a_token_of_somebody_else_is_seen(house: House, server: ScriptedServer) -> None:
    ana, ben = (next(copy for copy in server.copies if copy.recipient == who) for who in (ANA, BEN))
    hers, his = (copy.data.split(b"List-Unsubscribe: <")[1].split(b">")[0] for copy in (ana, ben))
    assert hers != his
    mixed = [replace(copy, data=copy.data.replace(hers, his)) for copy in server.copies]
    assert names(house, mixed) == {"I6"}


ROWS = {
    "forgotten on the way": ("UPDATE deliveries SET state = 'planned' WHERE step = 'story'", {"I2"}),
    "an end the ledger does not know": ("DELETE FROM ledger WHERE kind = 'sent' AND step = 'hello'", {"I2"}),
    "out of order": ("UPDATE deliveries SET gated_at = :late, settled_at = :late WHERE step = 'hello'", {"I7"}),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_the_rows_say_is_recounted(house: House, server: ScriptedServer, name: str) -> None:
    statement, seen = ROWS[name]
    late = START + timedelta(days=2)
    value = late if house.database.dialect == "postgresql" else int(late.timestamp() * 1_000_000)
    with house.database.write() as tx:
        tx.execute(text(statement), {"late": value} if ":late" in statement else {})
    assert seen <= names(house, server.copies)


def test_a_mail_gated_after_a_stop_is_seen(house: House, server: ScriptedServer) -> None:
    assert names(house, server.copies, stops={ANA: START - timedelta(seconds=1)}) == {"I3"}


def test_a_log_with_a_secret_or_an_address_is_seen(house: House, server: ScriptedServer) -> None:
    assert names(house, server.copies, logs=["all is well", f"the key is {SECRET}"]) == {"I10"}
    assert names(house, server.copies, logs=[f"sent to {BEN}"]) == {"I10"}

"""Every statement of the hot path says whose rows it touches, so that tables can be spread by contact_id.

The statements are those that really run: recorded while people arrive, get turns and mails, stop, and buy. Those that
look for work rather than at a person are few, and listed here with their reasons (docs/scale.md has the same list).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from nurture.testing.house import House
from nurture.testing.smtp import ScriptedServer, say

OF_A_PERSON = ("contacts", "events", "enrolments", "deliveries", "attempts", "stage_changes", "consents", "ledger")

GLOBAL = {
    r"SELECT (EXISTS|EXISTS .*) \(SELECT 1 FROM due ": "a glance: is there anything to do? ends at the first row",
    r"SELECT min\(deliveries\.(rank|not_before)\)": "a glance at the end of an index",
    r"SELECT deliveries\.contact_id, deliveries\.seq, .* ORDER BY deliveries\.not_before": "a claim: the head of it",
    r"SELECT deliveries\.domain, count": "how many mails each provider is being handed now: only those in hand",
    r"SELECT contact_id, seq, state, .* lease_until <=": "rescue: only what is in hand and was given up",
    r"SELECT contacts\.id, .*FROM contacts WHERE contacts\.email_key": "events name addresses, not our numbers",
    r"SELECT events\.source, events\.message_id": "an event is told once, whoever it is about",
}
# The person is named: as a value, from a batch of keys, or by a join to what is.
NAMED = re.compile(
    r"(contact_id|contacts\.id) (= ANY|=|IN)|\(contact_id, seq(, epoch)?\) IN|(UPDATE|FROM) contacts\b.* id = "
)
FILLED = re.compile(r"INSERT INTO (contacts\b|\w+ \([^)]*\bcontact_id\b)")

CAMPAIGN = """\
start: {event: Signed Up}
stop: {event: Bought}
steps:
  - {id: hello, send: hello}
  - wait: 2 days
  - {id: more, send: more}
"""


def test_whatever_touches_people_names_them_and_the_exceptions_are_known(
    build: Callable[..., House], server: ScriptedServer
) -> None:
    server.script["RCPT"] = [say("451 4.7.1 come back later")]
    house = build(CAMPAIGN, server=server)
    seen: set[str] = set()

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.add(" ".join(statement.split()))

    event.listen(house.database.engine, "before_cursor_execute", record)
    house.consenting("ana@people.example", "bob@people.example")
    house.tell("Signed Up")
    house.tell("Signed Up", "bob@people.example")
    house.live_until("+1 day")
    house.tell("Bought")
    house.live_until("+3 days")
    house.rescue()
    event.remove(house.database.engine, "before_cursor_execute", record)

    touching = [each for each in sorted(seen) if tables_of(each) & set(OF_A_PERSON)]
    assert len(touching) >= 20
    assert set().union(*map(tables_of, touching)) >= set(OF_A_PERSON), "the scenario has left a table out"
    unnamed = [each for each in touching if not names_people(each)]
    unknown = [each for each in unnamed if not any(re.match(known, each) for known in GLOBAL)]
    assert unknown == [], "a statement that no shard can answer alone"
    for known, reason in GLOBAL.items():
        if "deliveries\\.domain, count" not in known:  # only where a limit by provider is set
            assert any(re.match(known, each) for each in touching), f"nobody asks this any more: {known} ({reason})"


def tables_of(statement: str) -> set[str]:
    return set(re.findall(r"\b(?:FROM|JOIN|INTO|UPDATE|,) (?:ONLY )?(\w+)", statement))


def names_people(statement: str) -> bool:
    return bool(FILLED.match(statement) or (NAMED.search(statement) and not _only_in_a_subquery(statement)))


def _only_in_a_subquery(statement: str) -> bool:
    """`NOT EXISTS (... contact_id = ...)` restricts nothing of the outer statement."""
    outer = re.sub(r"NOT EXISTS \((?:[^()]|\([^()]*\))*\)", "", statement)
    return not NAMED.search(outer)


def test_a_statement_that_forgets_the_person_would_be_found() -> None:
    assert not names_people("UPDATE events SET processed_at = ? WHERE name = ?")
    assert not names_people("DELETE FROM ledger WHERE at < ?")
    assert not names_people(
        "SELECT 1 FROM deliveries WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.contact_id = 1)"
    )
    assert names_people("UPDATE events SET processed_at = ? WHERE contact_id = ANY(?) AND events.id = ANY(?)")
    assert tables_of("UPDATE deliveries SET x = 1 FROM (SELECT 1) AS keys, contacts WHERE") >= {
        "deliveries",
        "contacts",
    }

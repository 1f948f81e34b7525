"""kill -9 at named points inside advance, dispatch, ingest, feedback and rescue: restart, finish, recount."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from nurture.testing.crash_points import Point
from nurture.testing.forks import Forks
from nurture.testing.laboratory import cases
from nurture.testing.processes import Shop
from nurture.testing.smtp import ScriptedServer, hang, say

PEOPLE = 5
DEAD = 2  # the person nobody of that name lives at

Q, S, E = "nurture.storage", "nurture.sending", "nurture.engine"
# (place, when, at which pass, how many mails may end unknown)
POINTS = {
    # a turn: claim, load, decide, write, commit
    "turns claimed": (f"{Q}.queue:claim_due", "after", 1, 0),
    "turns loaded": (f"{Q}.snapshots:load_snapshots", "after", 1, 0),
    "a turn decided": ("nurture.domain.decide:decide", "after", 1, 0),
    "effects not written": (f"{Q}.turns:write_turns", "before", 1, 0),
    "effects written, not committed": (f"{Q}.turns:write_turns", "after", 1, 0),
    "turns committed": (f"{E}.advance:advance", "after", 1, 0),
    # a mail: claim, build, envelope, gate, dot, outcome
    "mails not claimed": (f"{Q}.deliveries:claim_deliveries", "before", 1, 0),
    "mails claimed, not committed": (f"{Q}.deliveries:claim_deliveries", "after", 1, 0),
    "claim committed": (f"{E}.dispatch:Dispatcher._claim", "after", 1, 0),
    "mail not built": (f"{E}.compose:Composer.compose", "before", 3, 0),
    "mail built": (f"{E}.compose:Composer.compose", "after", 3, 0),
    "connection open": (f"{S}.connect:open_session", "after", 1, 0),
    "envelope written": (f"{S}.session:Session._begin", "after", 2, 1),
    "gate asked": (f"{E}.dispatch:Dispatcher._pass", "before", 2, 1),
    "gate not written": (f"{Q}.deliveries:gate", "before", 2, 1),
    "gate written, not committed": (f"{Q}.deliveries:gate", "after", 2, 1),
    "gate committed": (f"{E}.dispatch:Dispatcher._pass", "after", 2, 1),
    "dot on the wire": (f"{S}.session:Session._let_ride", "after", 2, 1),
    "reply read": (f"{E}.outcome:of_attempt", "after", 2, 1),
    "outcome not written": (f"{Q}.outcomes:record_outcomes", "before", 2, 1),
    "outcome written, not committed": (f"{Q}.outcomes:record_outcomes", "after", 2, 1),
    "outcome committed": (f"{E}.dispatch:Dispatcher._record", "after", 2, 1),
    # what the wire says of a person
    "bounce not judged": (f"{E}.feedback:told_of", "before", 3, 1),
    "bounce not stored": (f"{Q}.events:store_events", "before", 1, 1),
    "bounce stored, not committed": (f"{Q}.events:store_events", "after", 1, 1),
}  # fmt: skip


CERTAIN = {"gate committed", "dot on the wire", "reply read"}  # nobody else can know what became of that mail


@pytest.fixture
def small_shop(open_shop: Callable[..., Shop], database_url: str, server: ScriptedServer) -> Shop:
    """One connection, so that at most one mail stands between its gate and its outcome; one address is dead."""
    dead = f"<p{DEAD}@"
    server.script["RCPT"] = lambda line: say("550 5.1.1 no such user") if dead in line else None
    made = open_shop(database_url, "connections=1")
    made.apply()
    return made


def finish(shop: Shop, forks: Forks, dead: int) -> None:
    """As if a minute had passed: leases end, and another daemon does what is left."""
    shop.let_leases_end(dead)
    ended = forks.run(shop.folder, shop.environ, ["run", "--once"])
    assert ended.code == 0, ended.text


QUICK = {
    "sqlite": {"turns loaded", "turns committed", "claim committed", "gate committed", "dot on the wire", "reply read",
               "outcome not written", "bounce stored, not committed"},
    "postgres": {"effects written, not committed", "gate written, not committed", "outcome written, not committed"},
}  # fmt: skip


@pytest.mark.parametrize(("database_url", "name"), cases(POINTS, QUICK), indirect=["database_url"])
def test_a_daemon_that_dies_there_mails_nobody_twice_and_forgets_nobody(
    small_shop: Shop, server: ScriptedServer, forks: Forks, name: str
) -> None:
    shop = small_shop
    place, when, nth, unknown = POINTS[name]
    shop.people(PEOPLE)
    died = forks.run(shop.folder, shop.environ, ["run", "--once"], Point(place, when, nth))
    assert died.code == -9, died.text
    finish(shop, forks, died.pid)
    states = shop.states()
    assert states["rejected"] == 1
    assert states["unknown"] == 1 or name not in CERTAIN, states
    shop.told -= 1  # who is dead is not mailed
    shop.check(unknown=unknown)
    assert states["unknown"] + states["sent"] == PEOPLE - 1
    with shop.app.database.read() as tx:
        bounces = tx.execute(text("SELECT count(*) FROM events WHERE name = 'nurture.bounced'")).scalar()
        assert bounces == 1, "what was heard of her is one event, however often it was told"
        assert tx.execute(text("SELECT count(*) FROM suppressions")).scalar() == 1


def test_a_rescue_that_dies_is_done_again(small_shop: Shop, server: ScriptedServer, forks: Forks) -> None:
    shop = small_shop
    shop.people(PEOPLE)
    gated = Point(f"{E}.dispatch:Dispatcher._pass", "after", 2)
    died = forks.run(shop.folder, shop.environ, ["run", "--once"], gated)
    shop.let_leases_end(died.pid)
    again = forks.run(shop.folder, shop.environ, ["run", "--once"], Point(f"{Q}.outcomes:rescue", "after"))
    assert (died.code, again.code) == (-9, -9)
    assert shop.states()["unknown"] == 0, "its transaction died with it"
    finish(shop, forks, died.pid)
    shop.told -= 1
    shop.check(unknown=1)
    assert shop.states()["unknown"] == 1


TELLING = {
    "before anything": ("nurture.engine.ingest:ingest", "before"),
    "not stored": ("nurture.storage.events:store_events", "before"),
    "stored, not committed": ("nurture.storage.events:store_events", "after"),
    "committed, not answered": ("nurture.engine.ingest:ingest", "after"),
}


@pytest.mark.parametrize(
    ("database_url", "name"),
    cases(TELLING, {"sqlite": {"stored, not committed"}, "postgres": {"committed, not answered"}}),
    indirect=["database_url"],
)
def test_an_event_told_again_after_a_death_counts_once(
    small_shop: Shop, server: ScriptedServer, forks: Forks, name: str
) -> None:
    """Whoever tells it saw no answer, so it tells it again, under the same id."""
    shop, (place, when) = small_shop, TELLING[name]
    tell = ["events", "send", "Signed Up", "--email", "p0@people.example", "--message-id", "m-1"]
    consent = ["events", "send", "Newsletter Subscribed", "--email", "p0@people.example", "--message-id", "m-0"]
    assert forks.run(shop.folder, shop.environ, consent).code == 0
    died = forks.run(shop.folder, shop.environ, tell, Point(place, when))
    assert died.code == -9, died.text
    with shop.app.database.read() as tx:
        kept = tx.execute(text("SELECT count(*) FROM events WHERE message_id = 'm-1'")).scalar()
    assert kept == (name == "committed, not answered")
    for _ in range(2):
        assert forks.run(shop.folder, shop.environ, tell).code == 0
    finish(shop, forks, died.pid)
    shop.told = 1
    shop.check()
    assert len(server.messages) == 1


RECEIPTS = ["gate committed", "dot on the wire", "outcome written, not committed"]


@pytest.mark.parametrize(
    ("database_url", "name"),
    cases(RECEIPTS, {"sqlite": {"dot on the wire"}, "postgres": {"gate committed"}}),
    indirect=["database_url"],
)
def test_a_receipt_whose_fate_died_with_the_daemon_goes_once_more_octet_for_octet(
    open_shop: Callable[..., Shop], database_url: str, server: ScriptedServer, forks: Forks, name: str
) -> None:
    shop = open_shop(database_url, "connections=1")
    shop.apply("start: {event: Signed Up}\nsteps:\n  - {id: receipt, send: receipt, kind: transactional}\n")
    shop.people(PEOPLE)
    place, when, _, _ = POINTS[name]
    died = forks.run(shop.folder, shop.environ, ["run", "--once"], Point(place, when, 2))
    assert died.code == -9, died.text
    shop.let_leases_end(died.pid)
    forks.run(shop.folder, shop.environ, ["run", "--once"])
    assert shop.states() == {"sent": PEOPLE - 1, "deferred": 1}
    shop.let_time_come()
    forks.run(shop.folder, shop.environ, ["run", "--once"])
    assert shop.states() == {"sent": PEOPLE}
    shop.check(resent=1)  # I8: the copies are the same octets
    assert len(server.messages) == PEOPLE + (name != "gate committed")
    with shop.app.database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM kept_mails")).scalar() == 0


def test_a_point_that_is_not_reached_kills_nobody(small_shop: Shop, server: ScriptedServer, forks: Forks) -> None:
    ended = forks.run(small_shop.folder, small_shop.environ, ["db", "status"], Point(f"{Q}.queue:claim_due", "after"))
    assert ended.code == 0, ended.text
    server.script["DOT"] = hang()
    assert server.connections == 0

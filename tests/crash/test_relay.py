"""Relays that are away, rude, slow or choosy, seen from the whole engine; the table of stages is in tests/sending."""

from __future__ import annotations

import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from nurture.engine.ingest import IncomingEvent
from nurture.storage.database import Database
from nurture.testing.forks import Forks
from nurture.testing.house import ANA, House, sources
from nurture.testing.invariants import hold
from nurture.testing.outgoing import brisk
from nurture.testing.processes import Shop, free_port, until
from nurture.testing.smtp import Act, ScriptedServer, drop, raw, say

ONE_MAIL = "start: {event: Signed Up}\nsteps:\n  - {id: hello, send: hello}\n"
WEEKLY = "start: {event: Signed Up}\nsteps:\n  - {id: hello, send: hello, late: drop after 30 days}\n"


@pytest.fixture
def build(database: Database, tmp_path: Path, server: ScriptedServer) -> Callable[..., House]:
    def make(campaign: str = ONE_MAIL, **options: Any) -> House:
        house = House(database, tmp_path, sources(campaign), server, **options)
        house.apply()
        return house

    return make


def away_for_ten_minutes(house: House, server: ScriptedServer, people: int) -> None:
    everybody = [f"p{n}@people.example" for n in range(people)]
    for first in range(0, people, 1000):
        some = everybody[first : first + 1000]
        house.take(
            *(IncomingEvent(name=name, email=who) for who in some for name in ("Newsletter Subscribed", "Signed Up"))
        )
    back = house.now + timedelta(minutes=10)
    server.script["CONNECT"] = lambda _line: drop() if house.now < back else None
    house.live_until(back - timedelta(seconds=1))
    assert server.connections <= 60, "an open breaker does not knock"
    with house.database.read() as tx:
        tries = tx.execute(text("SELECT count(*) FROM deliveries WHERE tries > 0 OR state <> 'planned'")).scalar()
    assert tries == 0, "nobody's tries are used up by a relay that is away"
    knocked, server.most_at_once = server.connections, 0
    house.live_until(back + timedelta(minutes=30))
    assert len(server.messages) == people
    assert server.connections - knocked <= people
    hold(house.database, server.copies, house.app.applied().programme, now=house.now)


def test_a_relay_that_was_away_for_ten_minutes_costs_few_connections_and_no_tries(
    build: Callable[..., House], server: ScriptedServer
) -> None:
    away_for_ten_minutes(build(WEEKLY, relay={"connections": 8}), server, 100)


@pytest.mark.lab(first=True)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_five_thousand_wait_for_a_relay_that_is_away(build: Callable[..., House], server: ScriptedServer) -> None:
    away_for_ten_minutes(build(WEEKLY, relay={"connections": 8}), server, 5000)


def test_after_an_outage_the_relay_is_not_rushed(build: Callable[..., House], server: ScriptedServer) -> None:
    house = build(WEEKLY, relay={"connections": 8})
    everybody = [f"p{n}@people.example" for n in range(60)]
    house.consenting(*everybody)
    for email in everybody:
        house.tell("Signed Up", email)
    server.script["CONNECT"] = [drop()] * 5
    back = house.now + timedelta(seconds=29)
    house.live_until(back)
    server.most_at_once = 0
    house.live_until(back + timedelta(seconds=40))
    assert 0 < len(server.messages) < 60
    assert server.most_at_once <= 2, "a quarter of the connections in the first minute"
    house.live_until("+10 minutes")
    assert len(server.messages) == 60


HOSTILE = {
    "nul": (b"550 5.7.1 no\0body\r\n", "rejected"),
    "escape codes": (b"550 5.7.1 \x1b[2J\x1b]0;owned\x07red\r\n", "rejected"),
    "latin-1": (b"550 5.7.1 unzul\xe4ssig\r\n", "rejected"),
    "line ends within": (b"550 5.7.1 a\rb\x0bc\x85d\r\n", "rejected"),
    "direction overrides": ("550 5.7.1 \u202etxt.exe\r\n".encode(), "rejected"),
    "ten thousand lines": (b"550-5.7.1 more\r\n" * 10_000 + b"550 5.7.1 end\r\n", "unknown"),
    "no end": (b"550-" * 20_000, "unknown"),
    "no code": (b"bye\r\n", "unknown"),
    "another code within": (b"250-fine\r\n550 no\r\n", "unknown"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_rude_relay_says_is_stored_clean_and_short(
    build: Callable[..., House], server: ScriptedServer, name: str
) -> None:
    reply, state = HOSTILE[name]
    server.script["DOT"] = raw(reply)
    house = build(relay={"timeouts": brisk(dot=3)})
    house.consenting()
    house.tell("Signed Up")
    house.drain()
    assert house.state().value == state
    (attempt,) = house.mail().attempts
    said = attempt["text"] or ""
    assert len(said) <= 512
    assert said.isprintable(), said
    for fact in house.facts():
        assert str(fact.detail.get("text", "")).isprintable()
    for _, _, fields in house.journal.lines:
        assert ANA not in str(fields)


def test_a_greylist_is_passed_on_a_later_try_with_the_same_return_path(
    build: Callable[..., House], server: ScriptedServer
) -> None:
    """451 for five minutes a triplet, as postgrey does."""
    house = build()
    first: dict[str, Any] = {}

    def judge(line: str) -> Act | None:
        seen = first.setdefault(line, house.now)
        return say("451 4.7.1 Greylisted, see you in 300 seconds") if house.now - seen < timedelta(minutes=5) else None

    server.script["RCPT"] = judge
    house.consenting()
    house.tell("Signed Up")
    house.live_until("+1 hour")
    assert house.state().value == "sent"
    assert len(house.mail().attempts) <= 3
    assert len({line.split()[1] for line in server.commands if line.startswith("MAIL")}) == 1


# --- a relay that nobody here wrote: smtp-sink of Postfix, with its ways to fail

SINK = {
    "as it should be": ([], {"sent"}),
    "RCPT soft": (["-r", "RCPT"], {"deferred"}),
    "dot soft": (["-r", "."], {"deferred"}),
    "MAIL 421": (["-Q", "MAIL"], {"deferred", "planned"}),
    "dot 421": (["-Q", "."], {"deferred", "planned"}),
    "CONNECT hard": (["-f", "CONNECT"], {"planned"}),
    "EHLO hard": (["-f", "EHLO,HELO"], {"planned"}),
    "MAIL hard": (["-f", "MAIL"], {"deferred", "planned"}),
    "RCPT hard": (["-f", "RCPT"], {"rejected"}),
    "DATA hard": (["-f", "DATA"], {"rejected"}),
    "dot hard": (["-f", "."], {"rejected"}),
    "hangs up at DATA": (["-q", "DATA"], {"deferred", "planned"}),
    "hangs up at the dot": (["-q", "."], {"unknown", "planned"}),
    "550 within the data": (["-A", "0"], {"rejected", "deferred", "planned"}),
    "slow at DATA": (["-w", "1"], {"sent"}),
    "slow at the dot": (["-W", ".:1"], {"sent"}),
    "no ESMTP": (["-e"], {"sent"}),
    "a PIX": (["-P"], {"sent"}),
    "no 8BITMIME": (["-8"], {"sent"}),
    "no AUTH": (["-a"], {"sent"}),
    "no enhanced codes": (["-E"], {"sent"}),
    "no PIPELINING": (["-p"], {"sent"}),
    "no DSN": (["-N"], {"sent"}),
    "2 at a time": (["-m", "2"], {"sent"}),
    "hangs up at QUIT": (["-q", "QUIT"], {"sent"}),
}


@pytest.fixture
def dump() -> Iterator[Path]:
    """A folder that smtp-sink, which is not root, may write to."""
    with tempfile.TemporaryDirectory(prefix="nurture-sink-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


@contextmanager
def sink(path: str, flags: list[str], folder: Path) -> Iterator[int]:
    """A running smtp-sink that dumps each mail into a file of `folder`; its port."""
    port = free_port()
    command = [path, "-u", "postfix", "-d", f"{folder}/%Y.", *flags, f"127.0.0.1:{port}", "100"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until(lambda: listens(port) or process.poll() is not None, 10, "smtp-sink")
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        yield port
    finally:
        process.kill()
        process.communicate()


def listens(port: int) -> bool:
    """Without connecting: some flags count connections."""
    wanted = f"0100007F:{port:04X}"
    return any(wanted in line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:])


@pytest.mark.lab
@pytest.mark.parametrize("name", SINK)
def test_smtp_sink_fails_in_every_way_it_knows(
    file_shop: Shop, forks: Forks, program: Callable[[str], str], dump: Path, name: str
) -> None:
    flags, states = SINK[name]
    shop, number = file_shop, 8
    shop.people(number)
    with sink(program("smtp-sink"), flags, dump) as port:
        shop.environ["NURTURE_SMTP_URL"] = f"smtp://127.0.0.1:{port}?connections=2"
        for _ in range(3):  # what waits for the relay, or for its time, is tried again
            ended = forks.run(shop.folder, shop.environ, ["run", "--once"])
            assert ended.code in {0, 1}, ended.text
            assert "Traceback" not in ended.text
            if "sent" in states:
                shop.let_time_come()
    found = shop.states()
    assert set(found) <= states, found
    assert found.total() == number
    dumped = Counter(mail.read_bytes().count(b"\nMessage-ID:") for mail in (dump).iterdir())
    if "sent" in states:
        assert dumped == {1: number}
    if "unknown" in states:
        assert found["unknown"] >= 2
        assert sum(dumped.values()) == found["unknown"], "one copy each, and never a second"


@pytest.mark.lab
def test_a_hundred_mails_whose_fate_is_unknown_never_go_again(
    file_shop: Shop, forks: Forks, program: Callable[[str], str], dump: Path
) -> None:
    """smtp-sink takes each mail and hangs up: the true ambiguous window. A day later there is still one copy each."""
    shop = file_shop
    shop.people(100)
    with sink(program("smtp-sink"), ["-q", "."], dump) as port:
        shop.environ["NURTURE_SMTP_URL"] = f"smtp://127.0.0.1:{port}?connections=1"
        for _ in range(30):
            forks.run(shop.folder, shop.environ, ["run", "--once"])
            shop.let_time_come()
            with shop.app.database.write() as tx:  # as if the breaker's pauses had passed
                tx.execute(text("DELETE FROM relay_state"))
            if shop.states() == {"unknown": 100}:
                break
        forks.run(shop.folder, shop.environ, ["run", "--once"])
    assert shop.states() == {"unknown": 100}
    assert len(list((dump).iterdir())) == 100

"""kill -9 at every stage of the wire, and at random: nothing is lost, nothing goes twice."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from nurture.testing.forks import Forks
from nurture.testing.laboratory import cases
from nurture.testing.marks import FIRST_ON_POSTGRES
from nurture.testing.processes import Daemon, Shop, pause
from nurture.testing.smtp import Act, ScriptedServer

NUMBER = 12
AT = 6  # the occurrence at which the daemon dies
RECEIPT = "start: {event: Signed Up}\nsteps:\n  - {id: receipt, send: receipt, kind: transactional}\n"

# stage -> how many mails end unknown
STAGES = {
    "CONNECT": 0, "EHLO": 0, "MAIL": 0, "RCPT": 0, "DATA": 0,
    # The gate stands before the body, so a mail that dies within it counts as unknown though nobody can have it.
    "BODY": 1,
    "DOT": 1,
    "REPLY": 1,
    "QUIT": 0,
}  # fmt: skip


class Killing:
    """Kills the daemon at the `AT`-th command of a stage: instead of the reply, or (REPLY) right behind it."""

    def __init__(self, server: ScriptedServer, stage: str) -> None:
        self.pid, self.seen = 0, 0
        if stage == "REPLY":
            self.act = Act(hang=True, then=self.kill)
        else:  # long enough for the outcome of the mail before, whose reply this command came together with
            self.act = Act(delay=1, silent=True, hang=True, swallow=400 if stage == "BODY" else 0, then=self.kill)
        server.script["DOT" if stage == "REPLY" else stage] = self.judge

    def judge(self, _line: str) -> Act | None:
        self.seen += 1
        return self.act if self.seen == AT else None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def know(self, pid: int) -> None:
        self.pid = pid


def one_by_one(open_shop: Callable[..., Shop], database_url: str, stage: str, *campaigns: str) -> Shop:
    """On one connection, so that at most one mail can stand between its gate and its outcome."""
    most = {"CONNECT": 1, "EHLO": 1, "QUIT": 1}.get(stage, 100)
    shop = open_shop(database_url, f"connections=1&messages={most}")
    shop.apply(*campaigns)
    shop.people(NUMBER)
    return shop


@pytest.mark.parametrize(
    ("database_url", "stage"),
    cases(STAGES, {"sqlite": {"RCPT", "BODY", "QUIT"}, "postgres": {"DOT"}}),
    indirect=["database_url"],
)
def test_a_daemon_killed_on_the_wire_leaves_nothing_to_repeat_and_nothing_to_miss(
    open_shop: Callable[..., Shop], database_url: str, server: ScriptedServer, forks: Forks, stage: str
) -> None:
    shop = one_by_one(open_shop, database_url, stage)
    killing = Killing(server, stage)
    died = forks.run(shop.folder, shop.environ, ["run", "--once"], on_start=killing.know)
    assert died.code == -9, died.text
    server.script.clear()
    assert len(server.messages) >= AT - 2
    shop.let_leases_end(died.pid)
    ended = forks.run(shop.folder, shop.environ, ["run", "--once"])
    assert ended.code == 0, ended.text
    assert shop.states()["unknown"] == STAGES[stage] or stage == "REPLY"
    shop.check(unknown=STAGES[stage])
    assert len(server.messages) >= NUMBER - (stage == "BODY")


@pytest.mark.parametrize(
    ("database_url", "stage"),
    cases(STAGES, {"sqlite": {"REPLY"}, "postgres": {"DOT"}}),
    indirect=["database_url"],
)
def test_a_receipt_whose_daemon_is_killed_goes_once_more_at_most_octet_for_octet(
    open_shop: Callable[..., Shop], database_url: str, server: ScriptedServer, forks: Forks, stage: str
) -> None:
    shop = one_by_one(open_shop, database_url, stage, RECEIPT)
    killing = Killing(server, stage)
    died = forks.run(shop.folder, shop.environ, ["run", "--once"], on_start=killing.know)
    assert died.code == -9, died.text
    server.script.clear()
    shop.let_leases_end(died.pid)
    for _ in range(2):
        forks.run(shop.folder, shop.environ, ["run", "--once"])
        shop.let_time_come()
    assert shop.states() == {"sent": NUMBER}
    shop.check(resent=1)  # I8: of one Message-ID there is one sequence of octets
    resent = len(server.messages) - NUMBER
    assert resent <= (stage in {"DOT", "REPLY"})
    assert resent == 1 or stage != "DOT"


@FIRST_ON_POSTGRES
def test_daemons_killed_at_random_lose_nothing_and_repeat_nothing(shop: Shop, server: ScriptedServer) -> None:
    at_random(shop, server, people=200, kills=2, seed=20261121)


@pytest.mark.lab(first=True)
@pytest.mark.timeout(1800)
def test_twenty_kills_among_two_thousand_mails(shop: Shop, server: ScriptedServer) -> None:
    at_random(shop, server, people=2000, kills=20, seed=20261122)


def at_random(shop: Shop, server: ScriptedServer, *, people: int, kills: int, seed: int) -> None:
    """Two daemons share the work; one of them dies, again and again, and another takes its place."""
    chance = random.Random(seed)
    print(f"seed {seed}")
    shop.environ["NURTURE_SMTP_URL"] = shop.environ["NURTURE_SMTP_URL"].replace("connections=8", "connections=2")
    server.script["RCPT"] = lambda _line: Act(delay=0.03)
    pair = [shop.start(), shop.start()]
    for daemon in pair:
        daemon.until_started()
    for _ in range(kills):
        shop.people(people // kills)
        shop.until_sent(server.taken + chance.randrange(people // kills // 10, people // kills // 2))
        place = chance.randrange(2)
        pair[place].kill()
        pair[place].wait()
        shop.let_leases_end(pair[place])
        pair[place] = shop.start()
        pair[place].until_started()
    server.script.clear()
    for daemon in pair:
        assert daemon.end() == 0, daemon.text
    shop.once()
    shop.check(unknown=2 * kills)


ZOMBIE = "a daemon that slept"


@pytest.mark.parametrize(
    ("database_url", "name"), cases([ZOMBIE], {"sqlite": {ZOMBIE}, "postgres": ()}), indirect=["database_url"]
)
def test_a_daemon_that_was_stopped_for_longer_than_its_lease_writes_no_dot(
    shop: Shop, server: ScriptedServer, name: str
) -> None:
    """SIGSTOP with envelopes open; its claims end; another sends the mails; SIGCONT: the zombie's gate is shut."""
    sleeping: list[Daemon] = []

    def sleep(_line: str) -> None:
        for daemon in sleeping:
            daemon.process.send_signal(signal.SIGSTOP)

    shop.environ["NURTURE_SMTP_URL"] = shop.environ["NURTURE_SMTP_URL"].replace("connections=8", "connections=3")
    shop.people(NUMBER)
    zombie = shop.start()
    sleeping.append(zombie)
    server.script["DATA"] = sleep
    while not is_stopped(zombie.process.pid):
        pause(0.02)
    sleeping.clear()
    before = server.bodies
    shop.let_leases_end(zombie)
    shop.once()
    mailed = len(server.messages)
    assert mailed >= NUMBER - 3
    assert server.bodies > before
    zombie.process.send_signal(signal.SIGCONT)
    shop.let_time_come()
    pause(2)
    assert zombie.end() == 0, zombie.text
    assert len(server.messages) == mailed, "a dot of the zombie's"
    shop.check(unknown=3)


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"

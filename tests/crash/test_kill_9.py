"""kill -9 at every stage of the wire, and at random: nothing is lost, nothing goes twice."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from nurture.testing.processes import Shop
from nurture.testing.smtp import Act, ScriptedServer, hang

NUMBER = 12
AT = 6  # the occurrence at which the daemon dies


def killing(kill: Callable[[], None]) -> Callable[[str], Act | None]:
    seen = 0

    def act(_line: str) -> Act | None:
        nonlocal seen
        seen += 1
        if seen != AT:
            return None
        kill()
        return hang()

    return act


@pytest.mark.parametrize("stage", ["CONNECT", "MAIL", "RCPT", "DATA", "BODY", "DOT"])
def test_a_daemon_killed_on_the_wire_leaves_nothing_to_repeat_and_nothing_to_miss(
    file_shop: Shop, server: ScriptedServer, stage: str
) -> None:
    shop = file_shop
    # One connection, so that at most one mail can stand between its gate and its outcome.
    most = 1 if stage == "CONNECT" else 100
    shop.environ["NURTURE_SMTP_URL"] += f"&messages={most}"
    shop.environ["NURTURE_SMTP_URL"] = shop.environ["NURTURE_SMTP_URL"].replace("connections=8", "connections=1")
    shop.people(NUMBER)
    dying = shop.start()
    server.script[stage] = killing(dying.kill)
    assert dying.wait(60) == -9, dying.text
    server.script.clear()
    before = len([copy for copy in server.copies if copy.code is None or copy.code < 400])
    assert before >= AT - 2
    shop.let_leases_end(dying)
    shop.once()
    assert len(server.copies) == NUMBER if stage == "DOT" else len(server.messages) in {NUMBER - 1, NUMBER}
    shop.check(unknown=1)
    assert shop.once().text.count("rescued") == 0


def test_daemons_killed_at_random_lose_nothing_and_repeat_nothing(shop: Shop, server: ScriptedServer) -> None:
    chance = random.Random(20261121)
    shop.environ["NURTURE_SMTP_URL"] = shop.environ["NURTURE_SMTP_URL"].replace("connections=8", "connections=2")
    server.script["RCPT"] = lambda _line: Act(delay=0.1)
    shop.people(500)
    pair = [shop.start(), shop.start()]
    for daemon in pair:
        daemon.until_started()
    kills = 3
    for _ in range(kills):
        shop.until_sent(len(server.messages) + chance.randrange(10, 50))
        place = chance.randrange(2)
        pair[place].kill()
        pair[place].wait()
        shop.let_leases_end(pair[place])
        pair[place] = shop.start()
        pair[place].until_started()
    assert len(server.messages) < 500, "the last one was killed in the midst of it"
    server.script.clear()
    for daemon in pair:
        assert daemon.end() == 0, daemon.text
    shop.once()
    shop.check(unknown=2 * kills)

"""What several daemons share of one relay, counted by the relay."""

from __future__ import annotations

import time
from collections import Counter

from nurture.testing.marks import FIRST_ON_POSTGRES, FIRST_ON_SQLITE
from nurture.testing.processes import Shop, pause, until
from nurture.testing.smtp import Act, ScriptedServer, drop


@FIRST_ON_POSTGRES
def test_mails_a_minute_are_those_of_all_daemons_spread_over_the_minute(shop: Shop, server: ScriptedServer) -> None:
    begun: list[float] = []
    server.script["MAIL"] = lambda _line: begun.append(time.monotonic())
    shop.environ["NURTURE_MAILS_PER_MINUTE"] = "600"
    pair = [shop.start(), shop.start()]
    for daemon in pair:
        daemon.until_started()
    shop.people(300)
    until(lambda: len(begun) >= 60, 60, "60 mails")
    assert [daemon.end() for daemon in pair] == [0, 0]
    begun.sort()
    seconds = begun[-1] - begun[0]
    assert len(begun) <= 600 / 60 * (seconds + 2) + 10, "not twice as many because there are two"
    assert max(Counter(int(at - begun[0]) for at in begun).values()) <= 40, "no burst"


def test_once_waits_for_the_rate_limit_and_does_everything(file_shop: Shop, server: ScriptedServer) -> None:
    file_shop.environ["NURTURE_MAILS_PER_MINUTE"] = "600"
    file_shop.people(45)
    file_shop.once()
    assert len(server.messages) == 45
    file_shop.check()


@FIRST_ON_SQLITE
def test_no_provider_sees_more_at_once_than_one_daemon_alone_would_give_it(shop: Shop, server: ScriptedServer) -> None:
    inside, most = 0, 0

    def enter(_line: str) -> Act:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        return Act(delay=0.05)

    def leave(_line: str) -> None:
        nonlocal inside
        inside -= 1

    server.script |= {"DATA": enter, "DOT": leave}
    shop.environ["NURTURE_PER_DOMAIN"] = "3"
    pair = [shop.start(), shop.start()]
    for daemon in pair:
        daemon.until_started()
    shop.people(80)
    shop.until_settled(80)
    assert [daemon.end() for daemon in pair] == [0, 0]
    assert 1 < most <= 3
    shop.check()


@FIRST_ON_POSTGRES
def test_a_relay_that_fails_one_daemon_is_left_alone_by_all_and_probed_by_one(
    shop: Shop, server: ScriptedServer
) -> None:
    server.script["CONNECT"] = drop()
    pair = [shop.start(), shop.start()]
    for daemon in pair:
        daemon.until_started()
    shop.people(200)
    until(lambda: all("relay takes no mail" in daemon.text for daemon in pair), 40, "both know")
    knocked = server.connections
    shop.people(50)
    pause(4)
    assert server.connections == knocked <= 40
    third = shop.start()  # may try once, for somebody may have repaired it
    third.until_started()
    until(lambda: server.connections > knocked, 20, "the new one tries")
    pause(3)
    assert server.connections == knocked + 1
    server.script.clear()
    fourth = shop.once()  # and finds that they have
    assert len(server.messages) >= 1
    assert len(fourth.events("relay takes mail again")) == 1
    until(lambda: all("takes mail again" in daemon.text for daemon in (*pair, third)), 20, "all hear of it")
    assert [daemon.end() for daemon in (*pair, third)] == [0, 0, 0]

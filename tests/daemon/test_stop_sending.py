"""Everything at once: what `nurture stop-sending` means to a daemon in the middle of its work."""

from __future__ import annotations

from nurture.cli.main import root
from nurture.cli.session import Session
from nurture.storage.queue import waiting
from nurture.testing.marks import FIRST_ON_POSTGRES
from nurture.testing.processes import Shop, pause, until
from nurture.testing.smtp import Act, ScriptedServer


def call(shop: Shop, *words: str) -> int:
    """A command of the operator's, beside the daemon."""
    session = Session()
    session.__dict__["settings"] = shop.app.settings
    return int(root.main(list(words), standalone_mode=False, obj=session))


def gated(shop: Shop) -> int:
    return shop.states()["gated"] + shop.states()["sent"]


@FIRST_ON_POSTGRES
def test_no_mail_is_gated_after_the_stop_also_none_that_was_claimed_and_all_go_once_after_the_start(
    shop: Shop, server: ScriptedServer
) -> None:
    server.script["RCPT"] = lambda _line: Act(delay=0.05)  # so slow that many stand claimed before their gates
    shop.people(150)
    daemon = shop.start()
    shop.until_sent(5)
    assert shop.states()["claimed"] > 20
    assert call(shop, "stop-sending", "--why", "a wrong price") == 0
    at_the_stop = gated(shop)
    until(lambda: shop.states()["claimed"] == shop.states()["gated"] == 0, 30, "claims given back")
    assert gated(shop) == shop.states()["sent"] == len(server.messages) == at_the_stop < 150
    shop.people(5)  # people are decided about as ever, and nobody is mailed
    until(lambda: sum(shop.states().values()) == 155, 30, "five more planned")
    pause(1.5)
    assert len(server.messages) == at_the_stop
    with shop.app.database.read() as tx:
        assert not waiting(tx, shop.now).mails, "an idle daemon looks, and writes nothing"
    server.script.clear()
    assert call(shop, "start-sending", "--yes") == 0
    shop.until_settled(155)
    assert daemon.end() == 0
    shop.check()
    assert [line for line in daemon.lines if line["level"] == "error"] == []


def test_a_stop_outlives_daemons_and_one_round_says_so(file_shop: Shop, server: ScriptedServer) -> None:
    file_shop.people(2)
    assert call(file_shop, "stop-sending") == 0
    stopped = file_shop.start("--once")
    assert stopped.wait() == 1
    assert "Sending is stopped since" in stopped.text
    assert "nurture start-sending" in stopped.text
    assert server.messages == []
    assert call(file_shop, "start-sending", "--yes") == 0
    file_shop.once()
    assert len(server.messages) == 2
    file_shop.check()

"""Two daemons on one database."""

from __future__ import annotations

from nurture.testing.marks import FIRST_ON_POSTGRES
from nurture.testing.processes import Shop
from nurture.testing.smtp import Act, ScriptedServer


@FIRST_ON_POSTGRES
def test_two_daemons_share_what_is_due_and_mail_nobody_twice(shop: Shop, server: ScriptedServer) -> None:
    server.script["RCPT"] = Act(delay=0.1)  # seconds of work for one alone, so that the other comes round to its share
    first, second = shop.start(), shop.start()
    first.until_started()
    second.until_started()
    shop.people(400)
    shop.until_settled(400, 120)
    assert [first.end(), second.end()] == [0, 0]
    assert first.sent + second.sent == 400
    assert min(first.sent, second.sent) > 0
    shop.check()
    for daemon in (first, second):
        assert [line for line in daemon.lines if line["level"] in {"warning", "error"}] == []

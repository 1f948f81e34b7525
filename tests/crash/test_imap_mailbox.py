"""Bounces that a real Postfix delivered and a real Dovecot serves are read once, and stay as seen."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nurture.domain.tokens import Purpose
from nurture.engine.mailbox import Emptied, empty_imap
from nurture.intake.imap import ImapAddress, MailboxError, open_mailbox
from nurture.storage.database import Database
from nurture.testing.house import ANA, House, sources
from nurture.testing.mail_host import MailHost
from nurture.testing.returns import dsn, plain

pytestmark = pytest.mark.lab
BOX = "bounces.northwind.example"
CAMPAIGN = "start: {event: Signed Up}\nsteps:\n  - {id: hello, send: hello}\n"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_a_real_server_serves_is_taken_once(
    database: Database, tmp_path: Path, program: Callable[[str], str]
) -> None:
    house = House(database, tmp_path, sources(CAMPAIGN))
    house.apply()
    house.consenting()
    token = house.app.keyring.mailbox_token(Purpose.RETURN_PATH, house.id_of(ANA), 1)
    with MailHost(program, {BOX: "bounces"}) as host:
        with smtplib.SMTP("127.0.0.1", host.smtp_port, timeout=60) as client:
            client.sendmail("", f"b+{token}@{BOX}", dsn(f"b+{token}@{BOX}"))
            client.sendmail("", f"hello@{BOX}", plain(f"hello@{BOX}") + b"x" * 900 + b"\r\n" * (1 << 20))
        host.until_delivered("bounces", 2)
        address = ImapAddress("127.0.0.1", host.imap_port, "bounces", "lab", tls=False)
        taken = empty_imap(
            database,
            house.app.keyring,
            house.app.applied().programme,
            address,
            "one",
            house.now,
            storm=house.app.storm_rule,
        )
        assert taken == Emptied({"bounced": 1, "no effect": 1}, more=False)
        again = empty_imap(
            database,
            house.app.keyring,
            house.app.applied().programme,
            address,
            "one",
            house.now,
            storm=house.app.storm_rule,
        )
        assert again == Emptied()
        seen = [each.name.rpartition(":2,")[2] for each in (host.folder("bounces") / "cur").iterdir()]
        assert seen == ["S", "S"]
        with pytest.raises(MailboxError, match="login"), open_mailbox(replace(address, password="wrong")):
            pass
    house.drain()
    assert house.told()[-2:] == ["bounced by_event", "suppressed by_event"]

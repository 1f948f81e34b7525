"""A mailbox on an IMAP server: read once, marked as seen, and never a word of its password."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nurture.domain.tokens import Purpose
from nurture.engine.mailbox import BATCH, Emptied, empty_imap
from nurture.errors import ConfigurationError
from nurture.intake.imap import ImapAddress, MailboxError, open_mailbox
from nurture.settings import load
from nurture.testing.house import ANA, House
from nurture.testing.imap import PASSWORD, ImapServer
from nurture.testing.returns import dsn, plain

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _address(server: ImapServer, password: str = PASSWORD) -> ImapAddress:
    return ImapAddress("127.0.0.1", server.port, "bounces", password, "In box", tls=False)


def _empty(house: House, address: ImapAddress) -> Emptied:
    app = house.app
    return empty_imap(
        house.database, app.keyring, app.applied().programme, address, "one", house.now, storm=app.storm_rule
    )


def _bounce(house: House) -> bytes:
    house.consenting()
    token = house.app.keyring.mailbox_token(Purpose.RETURN_PATH, house.id_of(ANA), 1)
    return dsn(f"b+{token}@shop.example")


@ONE_DATABASE
def test_unseen_mails_are_taken_once_and_marked(build: Callable[..., House]) -> None:
    house = build()
    with ImapServer(_bounce(house), plain("hello@shop.example"), b"deleted meanwhile", b"x" * (2 << 20)) as server:
        server.gone.add(30)
        assert _empty(house, _address(server)) == Emptied({"bounced": 1, "no effect": 2}, more=False)
        assert server.seen == {10, 20, 40}
        server.gone.clear()
        server.seen.add(30)
        assert _empty(house, _address(server)) == Emptied()
        assert 'SELECT "In box"' in server.said
    house.drain()
    assert house.told()[-2:] == ["bounced by_event", "suppressed by_event"]


@ONE_DATABASE
def test_a_few_at_a_time(build: Callable[..., House]) -> None:
    house = build()
    with ImapServer(*[plain("hello@shop.example", message_id=str(n)) for n in range(BATCH + 1)]) as server:
        assert _empty(house, _address(server)).more
        assert _empty(house, _address(server)) == Emptied({"no effect": 1}, more=False)


def test_what_goes_wrong_is_told_without_the_password() -> None:
    with ImapServer() as server, pytest.raises(MailboxError) as refused, open_mailbox(_address(server, "wrong secret")):
        pass
    with pytest.raises(MailboxError) as away, open_mailbox(_address(server)):
        pass
    told = f"{refused.value} {away.value} {_address(server)!r} {_address(server)}"
    assert "secret" not in told
    assert "login" in told


def test_addresses_of_mailboxes() -> None:
    found = ImapAddress.parse("imaps://b%40shop.example:p%2Fw@imap.example/In%20box")
    assert (found.user, found.password, found.folder, found.port, found.tls) == (
        "b@shop.example",
        "p/w",
        "In box",
        993,
        True,
    )
    assert ImapAddress.parse("imap://a:b@127.0.0.1:1143").is_here
    for wrong in ("imaps://imap.example", "https://a:b@imap.example", "imaps://a:secret@imap.example:x", "secret",
                  "imaps://a:secret@imap.example/%0d%0aX"):  # fmt: skip
        with pytest.raises(ConfigurationError) as told:
            load(None, {"NURTURE_FEEDBACK_IMAP": wrong})
        assert "NURTURE_FEEDBACK_IMAP" in str(told.value)
        assert "secret" not in str(told.value)

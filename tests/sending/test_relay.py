from __future__ import annotations

import dataclasses

import pytest

from nurture.errors import ConfigurationError
from nurture.sending.relay import Relay, Security, Timeouts


def test_the_usual_relay_needs_little():
    relay = Relay.parse("smtps://shop:s3cret@mail.example")
    assert (relay.host, relay.port, relay.security) == ("mail.example", 465, Security.IMPLICIT)
    assert (relay.username, relay.password) == ("shop", "s3cret")


def test_everything_can_be_said(tmp_path):
    authority = tmp_path / "ca.pem"
    authority.touch()
    relay = Relay.parse(
        f"smtp://a%40b:p%2Fw@mail.example:2525?ca={authority}&name=shop.example&connections=9&messages=50&idle=5"
        "&pipelining=off&timeout_dot=900"
    )
    assert dataclasses.asdict(relay) == {
        "host": "mail.example", "port": 2525, "security": Security.STARTTLS, "username": "a@b", "password": "p/w",
        "ca_file": authority, "name": "shop.example", "connections": 9, "messages": 50, "idle": 5.0,
        "pipelining": False, "timeouts": dataclasses.asdict(Timeouts(dot=900)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "security"),
    [
        ("smtp://mail.example", Security.STARTTLS),
        ("smtp://mail.example?tls=off", Security.OFF),
        ("smtp://127.0.0.1:1025", Security.OFF),
        ("smtp://[::1]:1025", Security.OFF),
        ("smtp://localhost", Security.OFF),
        ("smtp://localhost?tls=starttls", Security.STARTTLS),
        ("smtp://shop:pw@localhost", Security.STARTTLS),
        ("smtp://127.0.0.1.evil.example", Security.STARTTLS),
        ("smtps://127.0.0.1", Security.IMPLICIT),
    ],
)
def test_mail_goes_in_clear_only_where_it_is_stated_or_stays_on_this_machine(url, security):
    assert Relay.parse(url).security is security


def test_the_timeouts_are_those_of_rfc_5321():
    times = Relay.parse("smtp://mail.example").timeouts
    assert (times.greeting, times.mail, times.rcpt, times.data, times.block, times.dot) == (
        300,
        300,
        300,
        120,
        180,
        600,
    )


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mail.example:587", "smtp://"),
        ("http://mail.example", "begins with http:"),
        ("smtp://", "no valid host"),
        ("smtp://-bad-.example", "no valid host"),
        ("smtp://mail.example:0", "port 0"),
        ("smtp://mail.example:99999", "1 to 65535"),
        ("smtp://mail.example/box", "path"),
        ("smtp://shop@mail.example", "both a user name and a password"),
        ("smtp://:s3cret@mail.example", "both a user name and a password"),
        ("smtp://shop:s3cret@mail.example?tls=off", "never travel without TLS"),
        ("smtp://shop:s3cret@localhost?tls=off", "never travel without TLS"),
        ("smtps://mail.example?tls=off", "remove tls=off"),
        ("smtp://mail.example?tls=maybe", "tls='maybe'"),
        ("smtp://mail.example?ca=/nowhere/ca.pem", "does not exist"),
        ("smtp://mail.example?name=a b", "not a host name"),
        ("smtp://mail.example?connections=0", "from 1 to 200"),
        ("smtp://mail.example?connections=2.5", "from 1 to 200"),
        ("smtp://mail.example?timeout_dot=60", "from 600"),
        ("smtp://mail.example?timeout_mail=1", "from 30"),
        ("smtp://mail.example?timeout_dot=nan", "from 600"),
        ("smtp://mail.example?colour=blue", "unknown option 'colour'"),
        ("smtp://mail.example?idle=5&idle=6", "twice"),
        ("smtp://mail.example#x", "%23"),
    ],
)
def test_a_mistake_is_named(url, complaint):
    with pytest.raises(ConfigurationError) as error:
        Relay.parse(url)
    assert complaint in str(error.value)


def test_all_mistakes_are_named_at_once_and_the_password_never():
    with pytest.raises(ConfigurationError) as error:
        Relay.parse("smtp://shop:s3cret@mail.example/x?tls=off&connections=many&colour=blue")
    assert str(error.value).count("\n  - ") == 4
    assert "s3cret" not in str(error.value)


def test_the_password_is_in_no_representation():
    relay = Relay.parse("smtp://shop:s3cret@mail.example")
    assert "s3cret" not in repr(relay) + str(relay)
    assert str(relay) == "smtp://shop:***@mail.example:587"
